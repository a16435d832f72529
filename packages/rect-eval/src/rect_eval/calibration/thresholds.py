"""Fitting cuts: for F1, Youden's J, CRG, and a fixed sensitivity or specificity."""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_eval.classification.ranking import SLACK, Ranking
from rect_eval.classification.ratio import ratio

FIXED: Final = 0.9
DEFAULT_CUT: Final = 0.5

Choice = Callable[[Float[np.ndarray, " g1"], Float[np.ndarray, " g1"]], int]
"""Which step of a curve (true and false positives) is best."""


def best_f1(tp: Float[np.ndarray, " g1"], fp: Float[np.ndarray, " g1"]) -> int:
    """The step with the highest F1."""
    return int(np.argmax(ratio(2 * tp, tp + fp + tp[-1], undefined=0.0)))


def best_youden(tp: Float[np.ndarray, " g1"], fp: Float[np.ndarray, " g1"]) -> int:
    """The step with the highest J = TPR - FPR."""
    return int(np.argmax(tp / tp[-1] - fp / fp[-1]))


def sensitivity_reached(tp: Float[np.ndarray, " g1"], fp: Float[np.ndarray, " g1"]) -> int:
    """The first step, that is the one of highest specificity, whose sensitivity is at least FIXED."""
    return int(np.argmax(tp >= (FIXED - SLACK) * tp[-1]))


def specificity_kept(tp: Float[np.ndarray, " g1"], fp: Float[np.ndarray, " g1"]) -> int:
    """The last step, that is the one of highest sensitivity, whose specificity is at least FIXED, else the first."""
    kept = np.flatnonzero(fp <= (1 - FIXED + SLACK) * fp[-1])
    return int(kept[-1]) if len(kept) else 0


PER_LABEL: Final[dict[str, Choice]] = {
    "f1": best_f1,
    "youden": best_youden,
    f"sensitivity_{FIXED}": sensitivity_reached,
    f"specificity_{FIXED}": specificity_kept,
}
"""Objectives that are reached label by label."""


def label_cuts(
    labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"], choose: Choice
) -> tuple[float, ...]:
    """The best cut of each label; DEFAULT_CUT for a label of one class."""
    columns = range(labels.shape[1])
    return tuple(_cut(Ranking(labels[:, [k]], prob[:, [k]]), weights, choose) for k in columns)


def pooled_cut(
    labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"]
) -> float:
    """The one cut for all labels with the highest CRG, which pools their cells.

    CRG rises with the pooled J alone; its best cut of calibrated probabilities is the pooled share of positives. One
    cut for all rests on every cell, where one a label would follow the noise of rare labels.
    """
    return _cut(Ranking(labels, prob), weights, best_youden)


def _cut(ranking: Ranking, weights: Float[np.ndarray, " n"], choose: Choice) -> float:
    tp, fp = (side[0] for side in ranking.steps(weights[None]))
    if tp[-1] == 0 or fp[-1] == 0:
        return DEFAULT_CUT
    start = int(ranking.values[0] >= 1)  # no cut lies above a probability of 1
    return cut_after(ranking.values, start + choose(tp[start:], fp[start:]))


def cut_after(values: Float[np.ndarray, " g"], step: int) -> float:
    """A threshold that calls the `step` highest of the falling distinct values present, and no other.

    It lies half way to the next value (to 1 above the first, to 0 below the last), so that rounding moves nothing over
    it. Nothing lies above a first value of 1.
    """
    above = float(values[step - 1]) if step else 1.0
    below = float(values[step]) if step < len(values) else 0.0
    middle = (above + below) / 2
    return middle if middle > below else above
