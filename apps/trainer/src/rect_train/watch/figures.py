"""What is told of a run: figures worked out from its series, and how they are written."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rect_eval.controls import flag, lower_is_better
from rect_eval.output.words import number
from rect_eval.output.words import words as score_words
from rect_eval.scores import Score as Scored
from rect_train.changes import Change, changes
from rect_train.watch.log import Log
from rect_train.watch.points import Points, mean, smooth

RECENT: Final = 20
"""Steps that a figure of now is the mean of."""
NONE: Final = "–"
ENDS: Final = ("_low", "_high", "_mismatched")
"""Of the names of what stands beside a score: the ends of its interval, and the control."""
_SILENT_S: Final = 120.0
_KNOWN: Final[Mapping[str, tuple[str, str]]] = {
    "rate": ("Learning rate", ""),
    "gradient_norm": ("Gradient norm", ""),
    "seconds": ("Time a step", "s"),
    "wait": ("Waiting for data", "%"),
    "cases_per_second": ("Cases a second", ""),
    "tflops": ("Compute", "TFLOP/s"),
    "mfu": ("Share of the peak", "%"),
    "memory_gb": ("Memory", "GB"),
}
"""Series of the steps -> how they are called, and their unit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """A score of the last validation with its interval, beside the best one and the control: what another patient's
    scores get. NaN where there is none."""

    name: str
    step: int
    last: float
    low: float
    high: float
    best: float
    best_step: int
    control: float

    @property
    def reached(self) -> bool:
        """Whether the control reaches the interval: then the score does not show that the model looked at the scan."""
        scored = Scored(value=self.last, low=self.low, high=self.high)
        return bool(flag(self.name, scored, "mismatched", Scored(value=self.control)))

    @property
    def interval(self) -> str:
        """As text; "" where there is none."""
        known = not (math.isnan(self.low) or math.isnan(self.high))
        return f"{number(self.low)} to {number(self.high)}" if known else ""


def scores(log: Log) -> list[Score]:
    """The scores of the last validation, in the order they were written."""
    last = max((points.steps[-1] for points in log.scores.values()), default=0)
    return [_score(log, name, points) for name, points in own_scores(log).items() if points.steps[-1] == last]


def own_scores(log: Log) -> dict[str, Points]:
    """The scores of all validations, without what stands beside them."""
    beside = {f"{name}{end}" for name in log.scores for end in ENDS}
    return {name: points for name, points in log.scores.items() if name not in beside}


def best_of(name: str, points: Points) -> tuple[int, float]:
    """Step and value of the best; of equal ones the last, since longer training decides between them."""
    sign = -1.0 if lower_is_better(name) else 1.0
    known = [point for point in points if not math.isnan(point[1])]
    return max(known, key=lambda point: (sign * point[1], point[0]), default=(0, math.nan))


def losses(log: Log) -> list[str]:
    """Names of the loss series: the whole, then each task's."""
    return sorted(name for name in log.series if name == "loss" or name.startswith("loss/"))


def figures(log: Log) -> dict[str, Points]:
    """The other series of the steps that have a value, in the units they are told in: those that are known first."""
    rest = [name for name in log.series if name not in _KNOWN and name not in losses(log)]
    found = {name: _in_units(log, name) for name in (*_KNOWN, *rest) if name in log.series}
    return {name: points for name, points in found.items() if points.known.size}


def words(name: str) -> str:
    """How a series is called."""
    return _KNOWN[name][0] if name in _KNOWN else score_words(name.removeprefix("loss/"))


def now(name: str, points: Points) -> str:
    """What a series is at now, with its unit: the last learning rate, else the mean of the last steps."""
    value = points.last if name == "rate" else mean(points, RECENT)
    return f"{short(value, 3)} {_KNOWN.get(name, ('', ''))[1]}".strip()


def told(log: Log) -> dict[str, str]:
    """The figures of now, in words."""
    return {words(name): now(name, points) for name, points in figures(log).items()}


def loss(log: Log, name: str = "loss") -> float:
    """The running mean of a loss over the steps that were taken."""
    return smooth(log.taken(name)).last


def headline(log: Log) -> str:
    """Where a run is, in one line."""
    of = f" of {log.total:,}" if log.total else ""
    parts = [log.state, f"step {log.step:,}{of}"]
    if not math.isnan(left := seconds_left(log)):
        parts.append(f"{duration(left)} of steps left")
    if (quiet := silence(log)) > 0:
        parts.append(f"silent for {duration(quiet)}")
    return ", ".join(parts)


def seconds_left(log: Log) -> float:
    """Until the last step, at the pace of the last ones and without validations; NaN where it cannot be said."""
    if not log.total or log.state != "running":
        return math.nan
    return max(0, log.total - log.step) * seconds(log)


def seconds(log: Log) -> float:
    """The mean of the last steps."""
    return mean(log.series.get("seconds", Points()), RECENT)


def silence(log: Log) -> float:
    """Seconds since a run that is not over wrote anything; 0 while that is no longer than it may well take."""
    pace = seconds(log)
    quiet = time.time() - log.heard if log.heard and log.state in ("starting", "running") else 0.0
    return quiet if quiet > max(_SILENT_S, 0.0 if math.isnan(pace) else 20 * pace) else 0.0


def warnings(log: Log) -> list[str]:
    """What must not be overlooked, in sentences."""
    bad = {name: lines for name, lines in log.damaged.items() if lines}
    said = [f"{name}: {lines:,} damaged {'line' if lines == 1 else 'lines'} left out." for name, lines in bad.items()]
    if reached := [score_words(score.name) for score in scores(log) if score.reached]:
        said.append(
            f"Another patient's scores reach {', '.join(reached)}: this does not show that the model looks at the scan."
        )
    return said


def differences(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Keys in which configs differ -> the value of each; None where it has none."""
    first = settings[0]
    found: list[dict[str, Change]] = [changes(first, other, but=("output_dir",)) for other in settings]
    same = {key: change[0] for each in found for key, change in each.items()}
    return {key: [each.get(key, (None, before))[1] for each in found] for key, before in same.items()}


def sparkline(points: Points, width: int = 24) -> str:
    """The course of a series in one line of text: the means of as many stretches, from the lowest to the highest."""
    means = [float(part.mean()) for part in np.array_split(points.known, width) if part.size]
    if not means:
        return ""
    low, span = min(means), max(means) - min(means)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (value - low) / span) if span else 3] for value in means)


def short(value: float, digits: int = 4) -> str:
    """A number with so many digits that count; a dash for NaN."""
    if math.isnan(value):
        return NONE
    return f"{value:,.0f}" if 10.0 ** (digits - 1) <= abs(value) < 1e7 else f"{value:.{digits}g}".replace("e-0", "e-")


def duration(seconds: float) -> str:
    """Seconds in the two units that count."""
    if math.isnan(seconds) or seconds > 1e10:
        return NONE
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    first = next((place for place, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count or unit == "s")


def _score(log: Log, name: str, points: Points) -> Score:
    step, nothing = points.steps[-1], Points()
    low, high, control = (log.scores.get(f"{name}{end}", nothing).at(step) for end in ENDS)
    best_step, best = best_of(name, points)
    ends = {"low": low, "high": high, "control": control}
    return Score(name=name, step=step, last=points.last, best=best, best_step=best_step, **ends)


def _in_units(log: Log, name: str) -> Points:
    """A series of the steps, changed to the unit it is told in."""
    points = log.series[name]
    if name == "wait":
        seconds = log.series.get("seconds", Points())
        same = seconds.steps == points.steps
        took = seconds.values if same else [seconds.at(step) for step in points.steps]
        shares = [
            100 * value / whole if whole > 0 else math.nan for value, whole in zip(points.values, took, strict=True)
        ]
        return Points(points.steps, shares)
    factor = {"rate": _highest_rate(log), "mfu": 100.0}.get(name, 1.0)
    return points.times(factor) if factor != 1 else points


def _highest_rate(log: Log) -> float:
    """What the schedule is a factor on; 1 where the config does not say."""
    optim = log.settings.get("optim")
    rate = optim.get("lr") if isinstance(optim, dict) else None
    return float(rate) if isinstance(rate, int | float) else 1.0
