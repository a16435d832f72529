"""Every classification score of a set of cases as one statistic, to be resampled in one go."""

from collections.abc import Sequence
from math import nan
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_eval.classification.confusion import DECIDED, Decisions
from rect_eval.classification.probability import Calibration, Squares
from rect_eval.classification.ranking import RANKED, Ranking
from rect_eval.classification.ratio import mean_over_labels

PROBABILITY: Final = ("brier", "ece", "ece_equal_mass")
METRICS: Final = (*RANKED, *DECIDED, *PROBABILITY)
"""The scores of each label, in the order of `ClassificationScores`."""

AVERAGED: Final = (*RANKED, *DECIDED)
WHOLE: Final = (
    *(f"{mean}_{metric}" for metric in AVERAGED for mean in ("macro", "micro", "weighted")),
    *PROBABILITY,
    "crg",
)
"""The scores of all labels together, in the order of `ClassificationScores`.

macro is the plain mean of the labels for which the score is defined, weighted their mean by number of positives, micro
the score of all cells pooled; brier and ece are plain means over labels; crg is pooled.
"""


def inflated(names: Sequence[str]) -> Bool[np.ndarray, " m"]:
    """Which scores finite samples exaggerate: a bin of few cases is off by chance alone, and the ECE adds sizes."""
    return np.array([name.startswith("ece") for name in names], np.bool_)


class ClassificationScores:
    """A `Statistic`: METRICS x k scores of the labels (label fastest), then those named in WHOLE.

    labels: 0, 1 or NaN (the cell is left out); undefined: what precision, recall, specificity and F1 are where they
    are undefined, NaN or VLM3D's 0. Everything that no weighting changes is worked out once.
    """

    def __init__(
        self,
        labels: Float[np.ndarray, "n k"],
        prob: Float[np.ndarray, "n k"],
        decided: Bool[np.ndarray, "n k"],
        undefined: float = nan,
    ) -> None:
        self._undefined = undefined
        self._rankings = [Ranking(labels[:, [k]], prob[:, [k]]) for k in range(labels.shape[1])]
        self._pooled = Ranking(labels, prob)
        self._decisions = Decisions(labels, decided)
        self._squares = Squares(labels, prob)
        self._bins = (Calibration(labels, prob, "width"), Calibration(labels, prob, "mass"))

    def __call__(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        """The scores of b weightings of the n cases."""
        counts = self._decisions.count(weights)
        support = counts.tp + counts.fn
        ranked = np.stack([ranking.scores(weights) for ranking in self._rankings], 2)
        per_label = np.concatenate([ranked, counts.scores(self._undefined)], 1)
        pooled = np.concatenate([self._pooled.scores(weights), counts.pooled.scores(self._undefined)[:, :, 0]], 1)
        probability = [self._squares.mean(weights), *(bins.error(weights) for bins in self._bins)]
        whole: list[Float[np.ndarray, " b"]] = []
        for metric in range(len(AVERAGED)):
            values = per_label[:, metric]
            whole += [mean_over_labels(values), pooled[:, metric], mean_over_labels(values, support)]
        whole += [*(mean_over_labels(values) for values in probability), counts.crg(self._undefined)]
        labelled = np.concatenate([per_label, np.stack(probability, 1)], 1)
        return np.concatenate([labelled.reshape(len(weights), -1), np.stack(whole, 1)], 1)
