"""Counts of right and wrong decisions, and the scores made of them."""

from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_eval.classification.crg import crg_of_counts
from rect_eval.classification.ratio import once, only, ratio

DECIDED: Final = ("f1", "precision", "recall", "specificity", "accuracy")
"""What `Counts.scores` gives, in this order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Weight of true positives, false negatives, false positives and true negatives, for b weightings and k labels."""

    tp: Float[np.ndarray, "b k"]
    fn: Float[np.ndarray, "b k"]
    fp: Float[np.ndarray, "b k"]
    tn: Float[np.ndarray, "b k"]

    @property
    def pooled(self) -> "Counts":
        """All labels as one."""
        tp, fn, fp, tn = (part.sum(1, keepdims=True) for part in (self.tp, self.fn, self.fp, self.tn))
        return Counts(tp=tp, fn=fn, fp=fp, tn=tn)

    def precision(self, undefined: float = nan) -> Float[np.ndarray, "b k"]:
        """Undefined where nothing is called present."""
        return ratio(self.tp, self.tp + self.fp, undefined)

    def recall(self, undefined: float = nan) -> Float[np.ndarray, "b k"]:
        """Undefined where nothing is present."""
        return ratio(self.tp, self.tp + self.fn, undefined)

    def specificity(self, undefined: float = nan) -> Float[np.ndarray, "b k"]:
        """Undefined where everything is present."""
        return ratio(self.tn, self.tn + self.fp, undefined)

    def f1(self, undefined: float = nan) -> Float[np.ndarray, "b k"]:
        """2 TP / (2 TP + FP + FN): undefined only where nothing is present and nothing is called present."""
        return ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn, undefined)

    def accuracy(self) -> Float[np.ndarray, "b k"]:
        """Share of known cells decided rightly; NaN without one."""
        return ratio(self.tp + self.tn, self.tp + self.fn + self.fp + self.tn)

    def crg(self, undefined: float = nan) -> Float[np.ndarray, " b"]:
        """The CRG of all labels pooled; `undefined` where every cell is positive, NaN where none is."""
        tp, fn, fp, tn = (part.sum(1) for part in (self.tp, self.fn, self.fp, self.tn))
        return np.where((fp + tn == 0) & (tp + fn > 0), undefined, crg_of_counts(tp, fn, fp, tn))

    def scores(self, undefined: float = nan) -> Float[np.ndarray, "b 5 k"]:
        """The scores named in DECIDED."""
        parts = (self.f1(undefined), self.precision(undefined), self.recall(undefined), self.specificity(undefined))
        return np.stack([*parts, self.accuracy()], 1)


class Decisions:
    """Decisions beside their labels, to be counted under any weighting of the cases; NaN labels are left out."""

    def __init__(self, labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"]) -> None:
        present, absent = labels == 1, labels == 0
        cells = (present & decided, present & ~decided, absent & decided, absent & ~decided)
        self._cells = np.concatenate(cells, 1).astype(np.float64)

    def count(self, weights: Float[np.ndarray, "b n"]) -> Counts:
        """The counts of b weightings."""
        tp, fn, fp, tn = np.split(weights @ self._cells, 4, axis=1)
        return Counts(tp=tp, fn=fn, fp=fp, tn=tn)


def count(labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"]) -> Counts:
    """The counts of every case once, as one weighting."""
    return Decisions(labels, decided).count(once(len(labels)))


def precision(
    labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"], undefined: float = nan
) -> Float[np.ndarray, " k"]:
    """TP / (TP + FP), one a label."""
    return only(count(labels, decided).precision(undefined))


def recall(
    labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"], undefined: float = nan
) -> Float[np.ndarray, " k"]:
    """TP / (TP + FN), one a label: sensitivity."""
    return only(count(labels, decided).recall(undefined))


def specificity(
    labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"], undefined: float = nan
) -> Float[np.ndarray, " k"]:
    """TN / (TN + FP), one a label."""
    return only(count(labels, decided).specificity(undefined))


def f1(
    labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"], undefined: float = nan
) -> Float[np.ndarray, " k"]:
    """2 TP / (2 TP + FP + FN), one a label."""
    return only(count(labels, decided).f1(undefined))


def accuracy(labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"]) -> Float[np.ndarray, " k"]:
    """(TP + TN) / known cells, one a label."""
    return only(count(labels, decided).accuracy())
