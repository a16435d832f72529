"""A chart of a page: inline SVG that is as wide as there is room, with its numbers as text beside it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rect_eval.output.html.text import isolated, safe, tag
from rect_train.watch.points import Points, thinned
from rect_train.watch.scale import Scale, scale_of

_WIDE: Final = 1000
_HIGH: Final = 400
_BUCKETS: Final = 300
"""Stretches of steps that keep two points each: 600 points are a line's width on most screens."""
_DOTS: Final = 60
"""Validations up to which each is a dot that tells its value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """What one run has in a chart. run: its place, which gives the colour; now: its last value as text; raw: what
    `points` is the mean of; low, high, control: beside a score; skipped: steps that were not taken."""

    run: int
    name: str
    now: str
    points: Points
    raw: Points = field(default_factory=Points)
    low: Points = field(default_factory=Points)
    high: Points = field(default_factory=Points)
    control: Points = field(default_factory=Points)
    skipped: tuple[int, ...] = ()
    dots: bool = False


def chart(title: str, curves: Sequence[Curve], steps: Scale, *, zero: bool = False, kind: str = "") -> str:
    """A figure of the runs' curves over steps. Raw values far outside what is usual are cut off, and counted below.

    zero: the axis begins at 0; kind: "wide" is over the whole page.
    """
    lines = [line for c in curves for line in (c.points, c.low, c.high, c.control)]
    values = scale_of(lines, [c.raw for c in curves], zero=zero)
    body = "".join(_drawn(curve, steps, values) for curve in curves)
    up, along = values.ticks(5), steps.ticks(8 if kind == "wide" else 4)
    grid = "".join(f"M0,{_HIGH * (1 - values.place(value)):.0f}h{_WIDE}" for value, _ in up)
    about = "; ".join(f"{curve.name} {curve.now}" for curve in curves)
    svg = tag(
        "svg",
        tag("path", "", kind="grid", d=grid) + body,
        viewBox=f"0 0 {_WIDE} {_HIGH}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{title} over the steps: {about}",
    )
    left = "".join(tag("span", safe(text), style=f"bottom:{100 * values.place(value):.1f}%") for value, text in up)
    below = "".join(tag("span", safe(text), style=f"left:{100 * steps.place(value):.1f}%") for value, text in along)
    plot = tag("div", left, kind="y") + svg + tag("div", below, kind="x")
    return tag("figure", _caption(title, curves) + tag("div", plot, kind="plot") + _cut(curves, values), kind=kind)


def _caption(title: str, curves: Sequence[Curve]) -> str:
    several = len(curves) > 1
    chips = "".join(
        tag("span", (tag("i", "", kind=f"r{c.run}") + isolated(c.name) + " " if several else "") + safe(c.now))
        for c in curves
    )
    return tag("figcaption", tag("b", safe(title)) + tag("span", chips, kind="chips"))


def _cut(curves: Sequence[Curve], values: Scale) -> str:
    """How many raw values lie outside of what is shown."""
    raw = [curve.raw.known for curve in curves]
    outside = [float(value) for each in raw for value in each[(each > values.high) | (each < values.low)]]
    if not outside:
        return ""
    far = max(outside, key=abs)
    steps = "step lies" if len(outside) == 1 else "steps lie"
    return tag("p", f"{len(outside):,} {steps} outside of what is shown; the farthest at {far:.4g}.", kind="quiet")


def _drawn(curve: Curve, steps: Scale, values: Scale) -> str:
    lines = (("raw", curve.raw), ("control", curve.control), ("line", curve.points))
    found = [_band(curve, steps, values)]
    for kind, points in lines:
        if points:
            path = "".join(_path(thinned(points, _BUCKETS), steps, values))
            found.append(tag("path", "", kind=f"{kind} r{curve.run}", d=path))
    if curve.dots and len(curve.points) <= _DOTS:
        found += [_dot(curve, step, value, steps, values) for step, value in curve.points if not math.isnan(value)]
    found.append(_skips(curve, steps))
    return "".join(found)


def _path(points: Points, steps: Scale, values: Scale) -> Iterator[str]:
    """Commands of a path that has a gap at NaN; a value without neighbours is a dot."""
    pen = False
    for place, (step, value) in enumerate(points):
        if math.isnan(value):
            pen = False
            continue
        yield f"{'L' if pen else 'M'}{_at(step, value, steps, values)}"
        if not pen and (place + 1 == len(points) or math.isnan(points.values[place + 1])):
            yield "h0"
        pen = True


def _at(step: int, value: float, steps: Scale, values: Scale) -> str:
    """A point on the drawing; far outside is just outside."""
    up = min(2.0, max(-1.0, values.place(value)))
    return f"{_WIDE * steps.place(step):.0f},{_HIGH * (1 - up):.0f}"


def _band(curve: Curve, steps: Scale, values: Scale) -> str:
    """The intervals of a score, as areas between gaps."""
    areas: list[list[tuple[int, float, float]]] = [[]]
    for step, low in curve.low:
        top = curve.high.at(step)
        if math.isnan(low) or math.isnan(top):
            areas.append([])
        else:
            areas[-1].append((step, low, top))
    path = ""
    for area in filter(None, areas):
        steps_of = [step for step, _, _ in area]
        ceiling = thinned(Points(steps_of, [top for _, _, top in area]), _BUCKETS)
        floor = thinned(Points(steps_of, [low for _, low, _ in area]), _BUCKETS)
        corners = [_at(step, value, steps, values) for step, value in [*ceiling, *reversed([*floor])]]
        path += f"M{'L'.join(corners)}Z"
    return tag("path", "", kind=f"band r{curve.run}", d=path) if path else ""


def _dot(curve: Curve, step: int, value: float, steps: Scale, values: Scale) -> str:
    told = tag("title", safe(f"{curve.name}, step {step:,}: {value:.4g}"))
    return tag("path", told, kind=f"dot r{curve.run}", d=f"M{_at(step, value, steps, values)}h0")


def _skips(curve: Curve, steps: Scale) -> str:
    """Marks at the foot for steps that were not taken."""
    path = "".join(f"M{place},{_HIGH}v-14" for place in sorted({round(_WIDE * steps.place(s)) for s in curve.skipped}))
    return tag("path", "", kind=f"skip r{curve.run}", d=path) if path else ""
