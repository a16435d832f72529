"""Scores of a ranking: AUROC, average precision, and sensitivity and specificity at a fixed value of the other.

Cells are sorted once, from the highest score down, and equal scores are one step of the curve. Every weighting of the
cases, that is every resample of a bootstrap, then costs two cumulative sums.
"""

from typing import Final

import numpy as np
from jaxtyping import Float

from rect_eval.classification.ratio import once, ratio

RANKED: Final = (
    "auroc",
    "average_precision",
    "sensitivity_at_90_specificity",
    "specificity_at_90_sensitivity",
)
"""What `Ranking.scores` gives, in this order."""

_CELLS: Final = 1 << 18
"""Cells that are weighted at once (2 MB): small enough for the cache, and memory stays bounded."""

SLACK: Final = 1e-9
"""Share of the cases by which a rate may miss its fixed value: 0.9 has no exact binary form."""


class Ranking:
    """The known cells of one label (a column), or of several labels pooled, in the order of their scores.

    labels: 0, 1 or NaN (the cell is left out); scores: anything that rises with certainty, infinity included.
    """

    def __init__(self, labels: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"]) -> None:
        rows, columns = np.nonzero(~np.isnan(labels))
        found = scores[rows, columns]
        if np.isnan(found).any():
            raise ValueError(f"{np.isnan(found).sum()} scores are NaN: a cell with a known label needs a score")
        order = np.argsort(-found, kind="stable")
        found = found[order]
        self._rows = rows[order]
        self._positive = labels[rows, columns][order]
        self._ends = np.flatnonzero(np.append(found[1:] != found[:-1], True)) if len(found) else np.empty(0, np.int64)
        self.values: Float[np.ndarray, " g"] = found[self._ends].astype(np.float64)
        """The distinct scores, falling: step i of the curve calls the first i of them present."""

    def steps(self, weights: Float[np.ndarray, "b n"]) -> tuple[Float[np.ndarray, "b g1"], Float[np.ndarray, "b g1"]]:
        """Weight of true and of false positives at each step; at the first step nothing is called present."""
        cells = np.take(weights, self._rows, axis=1)
        return self._summed(cells * self._positive), self._summed(cells * (1 - self._positive))

    def scores(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b 4"]:
        """The scores named in RANKED, for b weightings of the n cases, a block of weightings at a time."""
        size = max(1, _CELLS // max(1, len(self._rows)))
        blocks = [_read_off(*self.steps(weights[start : start + size])) for start in range(0, len(weights), size)]
        return np.concatenate(blocks) if blocks else np.empty((0, len(RANKED)))

    def _summed(self, cells: Float[np.ndarray, "b c"]) -> Float[np.ndarray, "b g1"]:
        """Sums of the cells up to each step."""
        sums = np.zeros((len(cells), len(self._ends) + 1))
        if len(self._ends) == cells.shape[1]:
            np.cumsum(cells, 1, out=sums[:, 1:])
        else:
            np.take(np.cumsum(cells, 1), self._ends, axis=1, out=sums[:, 1:], mode="clip")
        return sums


def auroc(labels: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " k"]:
    """Area under the ROC curve, one a label; NaN (never 0) for a label of one class. Equal scores count half."""
    return _by_label(labels, scores)[:, 0]


def average_precision(labels: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " k"]:
    """Sum of precision x gain in recall over the steps, without interpolation; NaN for a label without positives."""
    return _by_label(labels, scores)[:, 1]


def sensitivity_at_specificity(
    labels: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"], specificity: float
) -> Float[np.ndarray, " k"]:
    """The best sensitivity among the cuts whose specificity reaches the given one.

    Only cuts between distinct scores count: nothing is interpolated between the points of the ROC curve, so what is
    reported can be had with a threshold. NaN for a label of one class.
    """
    return np.array([_sensitivity_at(*steps, specificity)[0] for steps in _steps(labels, scores)])


def specificity_at_sensitivity(
    labels: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"], sensitivity: float
) -> Float[np.ndarray, " k"]:
    """The best specificity among the cuts whose sensitivity reaches the given one; see the reverse above."""
    return np.array([_specificity_at(*steps, sensitivity)[0] for steps in _steps(labels, scores)])


def _by_label(labels: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "k 4"]:
    found = [_read_off(*steps) for steps in _steps(labels, scores)]
    return np.concatenate(found) if found else np.empty((0, len(RANKED)))


def _steps(
    labels: Float[np.ndarray, "n k"], scores: Float[np.ndarray, "n k"]
) -> list[tuple[Float[np.ndarray, "1 _"], Float[np.ndarray, "1 _"]]]:
    return [Ranking(labels[:, [k]], scores[:, [k]]).steps(once(len(labels))) for k in range(labels.shape[1])]


def _read_off(tp: Float[np.ndarray, "b g1"], fp: Float[np.ndarray, "b g1"]) -> Float[np.ndarray, "b 4"]:
    columns = (_area(tp, fp), _precision(tp, fp), _sensitivity_at(tp, fp, 0.9), _specificity_at(tp, fp, 0.9))
    return np.stack(columns, 1)


def _area(tp: Float[np.ndarray, "b g1"], fp: Float[np.ndarray, "b g1"]) -> Float[np.ndarray, " b"]:
    under = (np.diff(fp, axis=1) * (tp[:, 1:] + tp[:, :-1])).sum(1) / 2
    return ratio(under, tp[:, -1] * fp[:, -1])


def _precision(tp: Float[np.ndarray, "b g1"], fp: Float[np.ndarray, "b g1"]) -> Float[np.ndarray, " b"]:
    precision = ratio(tp, tp + fp, undefined=0.0)
    return ratio((np.diff(tp, axis=1) * precision[:, 1:]).sum(1), tp[:, -1])


def _sensitivity_at(
    tp: Float[np.ndarray, "b g1"], fp: Float[np.ndarray, "b g1"], specificity: float
) -> Float[np.ndarray, " b"]:
    positives, negatives = tp[:, -1], fp[:, -1]
    allowed = fp <= ((1 - specificity + SLACK) * negatives)[:, None]
    best = (tp * allowed).max(1)
    return ratio(best, np.where(negatives > 0, positives, 0.0))


def _specificity_at(
    tp: Float[np.ndarray, "b g1"], fp: Float[np.ndarray, "b g1"], sensitivity: float
) -> Float[np.ndarray, " b"]:
    positives, negatives = tp[:, -1], fp[:, -1]
    allowed = tp >= ((sensitivity - SLACK) * positives)[:, None]
    best = ((negatives[:, None] - fp) * allowed).max(1)
    return ratio(best, np.where(positives > 0, negatives, 0.0))
