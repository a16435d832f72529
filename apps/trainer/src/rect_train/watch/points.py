"""Series of numbers over steps, and what is made of them: means, and lines of no more points than can be seen."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from jaxtyping import Float


@dataclass(slots=True)
class Points:
    """Steps in rising order with a value each; NaN where it was no number."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return zip(self.steps, self.values, strict=True)

    @property
    def array(self) -> Float[np.ndarray, " n"]:
        """The values."""
        return np.asarray(self.values, np.float64)

    @property
    def known(self) -> Float[np.ndarray, " m"]:
        """The values that are numbers."""
        values = self.array
        found: Float[np.ndarray, " m"] = values[~np.isnan(values)]
        return found

    @property
    def last(self) -> float:
        """The last value; NaN where there is none."""
        return self.values[-1] if self.values else math.nan

    def at(self, step: int) -> float:
        """The value of a step; NaN where it has none."""
        place = bisect_left(self.steps, step)
        return self.values[place] if place < len(self) and self.steps[place] == step else math.nan

    def cut(self, step: int) -> None:
        """Forgets a step and all that come after it."""
        place = bisect_left(self.steps, step)
        del self.steps[place:], self.values[place:]

    def times(self, factor: float) -> "Points":
        """The same steps with other values."""
        return Points(self.steps, (factor * self.array).tolist())


def without(points: Points, steps: set[int]) -> Points:
    """The points of all but some steps."""
    kept = [(step, value) for step, value in points if step not in steps] if steps else points
    return Points([step for step, _ in kept], [value for _, value in kept])


def mean(points: Points, most: int) -> float:
    """Of the last few values."""
    known = Points(points.steps[-most:], points.values[-most:]).known
    return float(known.mean()) if known.size else math.nan


def smooth(points: Points) -> Points:
    """At each step the mean of the last `memory` ones that are numbers."""
    known = ~np.isnan(points.array)
    total = _last(np.where(known, points.array, 0.0), memory(points))
    count = _last(known.astype(np.float64), memory(points))
    means = np.divide(total, count, out=np.full(len(points), np.nan), where=count > 0)
    return Points(points.steps, means.tolist())


def memory(points: Points) -> int:
    """Steps that the running mean of a series goes over: 50, fewer in a short series, more in a very long one."""
    return max(1, min(50, len(points) // 12), len(points) // 2000 * 10)


def _last(values: Float[np.ndarray, " n"], many: int) -> Float[np.ndarray, " n"]:
    """The sum of each value and those before it, so many in all; put together from sums of 1, 2, 4, 8..., since a
    difference of running sums would lose small values beside large ones."""
    total, block, length, taken = np.zeros_like(values), values, 1, 0
    while taken < many:
        if many & length:
            total = total + _moved(block, taken)
            taken += length
        block, length = block + _moved(block, length), 2 * length
    return total


def _moved(values: Float[np.ndarray, " n"], by: int) -> Float[np.ndarray, " n"]:
    return np.concatenate([np.zeros(min(by, values.size)), values[: max(0, values.size - by)]])


def thinned(points: Points, buckets: int) -> Points:
    """The lowest and the highest point of each of so many stretches of steps, in their order: what a line that is no
    wider looks like."""
    if len(points) <= 2 * buckets:
        return points
    steps, values = np.asarray(points.steps), points.array
    bucket = (steps - steps[0]) * buckets // (steps[-1] - steps[0] + 1)
    cuts = [*np.flatnonzero(np.diff(bucket, prepend=-1)).tolist(), len(points)]
    lowest, highest = np.where(np.isnan(values), np.inf, values), np.where(np.isnan(values), -np.inf, values)
    kept: list[int] = []
    for begin, end in pairwise(cuts):  # of nothing but NaN the first
        kept += sorted({begin + int(lowest[begin:end].argmin()), begin + int(highest[begin:end].argmax())})
    return Points([points.steps[place] for place in kept], [points.values[place] for place in kept])
