"""Axes of charts: round ticks, and ranges that a few wild values do not stretch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_train.watch.points import Points

_WILD: Final = 2.0
"""Times the range of all but the farthest hundredth of values: from there on, the farthest are cut off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """A range of values."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value lies between the ends, from 0 to 1; outside is less or more."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """At most so many round numbers in the range, at least one, and how they are written."""
        rough = (self.high - self.low) / most
        unit = 10.0 ** math.floor(math.log10(rough))
        for step in (unit, 2 * unit, 5 * unit, 10 * unit, 20 * unit):
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            if last - first < most:
                break
        return [(turn * step, _written(turn * step, step)) for turn in range(first, max(first, last) + 1)]


def scale_of(lines: Sequence[Points], raw: Sequence[Points] = (), *, zero: bool = False) -> Scale:
    """A range that holds some lines and what is usual of raw values, with a little room; from 0 on, if asked.

    Any range, where no value is known.
    """
    ends = [end for points in lines for end in _ends(points.known)] + [end for points in raw for end in _usual(points)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    low = min(low, 0.0) if zero else low
    high = high if high > low else low + (0.1 * abs(low) or 0.1)
    room = 0.05 * (high - low)
    return Scale(low=low if zero and low == 0 else low - room, high=high + room)


def _ends(known: Float[np.ndarray, " n"]) -> tuple[float, ...]:
    return (float(known.min()), float(known.max())) if known.size else ()


def _usual(points: Points) -> tuple[float, ...]:
    """The ends of all values; of all but the farthest hundredth, where those would stretch the range."""
    known = np.sort(points.known)
    far = known.size // 200
    every, most = _ends(known), _ends(known[far : known.size - far])
    return most if every and every[1] - every[0] > _WILD * (most[1] - most[0]) > 0 else every


def _written(value: float, step: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e7 or step < 1e-4:
        return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e")
    if step >= 1000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"
