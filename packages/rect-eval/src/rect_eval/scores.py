"""What an evaluation consists of: scores with their intervals, tables, controls, sections."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import nan
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

Statistic = Callable[[Float[np.ndarray, "b n"]], Float[np.ndarray, "b m"]]
"""m scores of n cases, for b weightings of the cases at once: a row of ones is the score itself, counts of a resample
are its bootstrap replicate, a zero leaves a case out. Undefined is NaN."""

Cell = str | int | float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One number. low, high: its 95 % interval; n: cases (lesions, cells) it rests on; why: the reason of a NaN."""

    value: float
    low: float = nan
    high: float = nan
    n: int = 0
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows under named columns; an undefined cell is NaN, an empty one None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells under {len(self.columns)} columns")


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """The same scores of something that does not know the scan (a floor), or knows all of it (a ceiling)."""

    name: str
    kind: Literal["floor", "ceiling"]
    scores: Mapping[str, Score]
    explained: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """One part of an evaluation: "classification", "localization" or "reports".

    scores: name -> score of the whole; classes: one row a label or finding; cases: one row a case (or case and
    finding), its first two columns case_id and patient; notes: rules that were applied and what the controls say, in
    plain sentences; warnings: what the reader must not overlook; curves: what only pictures need.
    """

    name: Literal["classification", "localization", "reports"]
    scores: Mapping[str, Score]
    classes: Table
    cases: Table
    controls: tuple[Control, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    curves: Mapping[str, Any] = field(default_factory=dict)
