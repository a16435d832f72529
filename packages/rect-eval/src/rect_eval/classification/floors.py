"""Controls: the same scores for predictions that do not know the scan."""

from math import isnan, nan
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_eval.classification.gather import Scored
from rect_eval.classification.ratio import once, only
from rect_eval.classification.statistic import METRICS, WHOLE, ClassificationScores
from rect_eval.controls import mismatch
from rect_eval.scores import Control, Score

COMPARED: Final = (
    "macro_auroc",
    "micro_auroc",
    "macro_average_precision",
    "micro_average_precision",
    "macro_sensitivity_at_90_specificity",
    "macro_f1",
    "micro_f1",
    "brier",
    "crg",
)
"""Scores that calling everything present, or nothing, does not win: only these tell knowledge from its absence."""

PERMUTATIONS: Final = 5


def floors(scored: Scored, *, undefined: float, seed: int) -> tuple[Control, ...]:
    """Shuffled rows, where there are two patients or more, and the prevalence of each label."""
    constant = _prevalence(scored, undefined)
    return (_shuffled(scored, undefined, seed), constant) if len(np.unique(scored.patients)) > 1 else (constant,)


def _shuffled(scored: Scored, undefined: float, seed: int) -> Control:
    rows = mismatch(scored.patients, seed=seed, times=PERMUTATIONS)
    found = [_whole(scored, scored.prob[row], scored.decided[row], undefined) for row in rows]
    return Control(
        name="shuffled rows",
        kind="floor",
        scores=_scores(scored, np.array(found)),
        explained=f"Every case has the prediction of another patient; mean of {PERMUTATIONS} permutations.",
    )


def _prevalence(scored: Scored, undefined: float) -> Control:
    share = scored.prevalence
    pooled = scored.labels[scored.known].mean() if scored.known.any() else nan
    prob = np.tile(np.nan_to_num(share), (len(scored), 1))
    found = _whole(scored, prob, prob >= pooled, undefined)
    return Control(
        name="prevalence",
        kind="floor",
        scores=_scores(scored, found[None]),
        explained=(
            "Every case has the same prediction: of each label its share among the scored cases; called present are "
            f"the labels that are commoner than the pooled share, {pooled:.3f}."
        ),
    )


def _whole(
    scored: Scored, prob: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"], undefined: float
) -> Float[np.ndarray, " w"]:
    row = only(ClassificationScores(scored.labels, prob, decided, undefined)(once(len(scored))))
    whole: Float[np.ndarray, " w"] = row[len(METRICS) * scored.labels.shape[1] :]
    return whole


def _scores(scored: Scored, found: Float[np.ndarray, "times w"]) -> dict[str, Score]:
    cells = int(scored.known.sum())
    means = dict(zip(WHOLE, found.mean(0).tolist(), strict=True))
    why = "undefined for these cases"
    return {name: Score(value=means[name], n=cells, why=why if isnan(means[name]) else "") for name in COMPARED}
