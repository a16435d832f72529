"""Pictures of a classification: ROC, precision and recall, reliability, co-occurrence."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_eval.output.pictures.canvas import ACCENT, FLOOR, INK, MUTED, Group, Picture, sheet, to_svg, unit_axes
from rect_eval.output.words import count, number
from rect_eval.scores import Section

_SIDE: Final = 172
_MARGINS: Final = (32, 6, 6, 30)
_POINTS: Final = 400
"""So many points of a curve are drawn: a pixel holds no more."""


def classification_groups(section: Section) -> list[Group]:
    """The groups for which the section has curves."""
    curves = section.curves
    made = [
        ("ROC", "Dashed: what a coin gives.", _cells(section, "roc", _roc)),
        ("Precision and recall", "Dashed: prevalence, which is what a coin gives.", _cells(section, "pr", _pr)),
        (
            "Reliability",
            "How often a finding is there (up) against what was said (across); a larger dot holds more cases. "
            "On the dashed line probabilities mean what they say.",
            _cells(section, "reliability", _reliability),
        ),
    ]
    groups = [Group(title=title, about=about, pictures=cells) for title, about, cells in made if cells]
    return groups + ([_cooccurrence(curves["cooccurrence"], section)] if "cooccurrence" in curves else [])


def _cells(section: Section, kind: str, draw: Any) -> tuple[Picture, ...]:
    curves: Mapping[str, Any] = section.curves.get(kind, {})
    return tuple(draw(label, curve, section) for label, curve in curves.items())


def _roc(label: str, curve: Any, section: Section) -> Picture:
    figure, axes = sheet(_SIDE, _SIDE, _MARGINS)
    unit_axes(axes, "false-positive rate", "sensitivity")
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    x, y = (_thinned(values) for values in curve[:2])
    axes.fill_between(x, y, color=ACCENT, alpha=0.1, linewidth=0)
    axes.plot(x, y, color=ACCENT, linewidth=1.4)
    return Picture(
        svg=to_svg(figure, f"roc-{label}", f"ROC curve of {label}"), title=label, note=_cell(section, label, "auroc")
    )


def _pr(label: str, curve: Any, section: Section) -> Picture:
    figure, axes = sheet(_SIDE, _SIDE, _MARGINS)
    unit_axes(axes, "recall", "precision")
    prevalence = section.curves.get("prevalence", {}).get(label)
    if prevalence is not None:
        axes.axhline(float(prevalence), color=FLOOR, linewidth=1.0, linestyle=(0, (3, 3)))
    axes.plot(*(_thinned(values) for values in curve[:2]), color=ACCENT, linewidth=1.4)
    note = _cell(section, label, "average_precision")
    if prevalence is not None:
        note += f"{', ' if note else ''}prevalence {number(float(prevalence))}"
    return Picture(svg=to_svg(figure, f"pr-{label}", f"Precision against recall of {label}"), title=label, note=note)


def _reliability(label: str, curve: Any, section: Section) -> Picture:
    figure, axes = sheet(_SIDE, _SIDE, _MARGINS)
    unit_axes(axes, "probability said", "share with the finding")
    said, seen, many = (np.asarray(values, np.float64) for values in curve[:3])
    kept = (many > 0) & np.isfinite(said) & np.isfinite(seen)
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (3, 3)))
    axes.plot(said[kept], seen[kept], color=ACCENT, linewidth=1.0)
    share = many[kept] / max(many.sum(), 1)
    axes.scatter(said[kept], seen[kept], s=8 + 90 * share, color=ACCENT, linewidths=0, zorder=3, clip_on=False)
    note = _cell(section, label, "ece") or count(int(many.sum()), "case")
    return Picture(svg=to_svg(figure, f"reliability-{label}", f"Reliability of {label}"), title=label, note=note)


def _cooccurrence(tables: Mapping[str, Any], section: Section) -> Group:
    """Two tables of how often findings stand together, on one scale."""
    both = {name: np.asarray(tables[name], np.float64) for name in ("truth", "predicted")}
    labels = [str(row[0]) for row in section.classes.rows]
    top = max((float(np.nanmax(values)) for values in both.values() if np.isfinite(values).any()), default=1.0) or 1.0
    titles = {"truth": "In the truth", "predicted": "In the predictions"}
    pictures = tuple(
        Picture(svg=_matrix(values / top, labels, name, first=True), title=titles[name])
        for name, values in both.items()
    )
    about = (
        f"The darker a cell, the more often its two findings stand together (darkest: {top:.3g}); the diagonal is the "
        "finding itself. A system that writes every finding for everybody fills the whole square."
    )
    return Group(title="Which findings stand together", about=about, pictures=pictures, kind="pair")


def _matrix(shares: Float[np.ndarray, "k k"], labels: list[str], name: str, *, first: bool) -> str:
    from matplotlib.patches import Rectangle

    many, cell = len(shares), 15
    left = 170 if first else 24
    figure, axes = sheet(left + many * cell + 8, many * cell + 28, (left, 8, 20, 8))
    for row in range(many):
        for column in range(many):
            value = shares[row, column]
            if np.isfinite(value):
                axes.add_artist(
                    Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, color=ACCENT, alpha=float(value), linewidth=0)
                )
    names = [f"{text}  {n}" for n, text in enumerate(labels, 1)] if len(labels) == many else range(1, many + 1)
    axes.set(xlim=(0, many), ylim=(many, 0))
    axes.set_xticks(np.arange(many) + 0.5, [str(n) for n in range(1, many + 1)], color=MUTED)
    axes.set_yticks(np.arange(many) + 0.5, [str(n) for n in names], color=INK)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False, pad=2)
    axes.spines[["left", "bottom"]].set_visible(False)
    return to_svg(figure, f"together-{name}", f"Findings that stand together: {name}")


def _thinned(values: Any) -> Float[np.ndarray, " p"]:
    points = np.asarray(values, np.float64)
    if len(points) <= _POINTS:
        return points
    return points[np.unique(np.linspace(0, len(points) - 1, _POINTS).round().astype(np.int64))]


def _cell(section: Section, label: str, column: str) -> str:
    """A score of one label from the table of classes, with its name."""
    columns = section.classes.columns
    if column not in columns:
        return ""
    short = {"average_precision": "AP"}.get(column, column.upper())
    for row in section.classes.rows:
        value = row[columns.index(column)]
        if row[0] == label and isinstance(value, int | float):
            return f"{short} {number(float(value))}"
    return ""
