"""CRG, the score of the VLM3D challenge that weighs a missed finding by how rare findings are."""

import numpy as np
from jaxtyping import Bool, Float

from rect_eval.classification.ratio import ratio


def crg_of_counts(
    tp: Float[np.ndarray, "*shape"],
    fn: Float[np.ndarray, "*shape"],
    fp: Float[np.ndarray, "*shape"],
    tn: Float[np.ndarray, "*shape"],
) -> Float[np.ndarray, "*shape"]:
    """CRG = U / (2U - s) of cells pooled over labels and cases.

    X cells, A of them positive: r = (X - A) / 2A, U = (X - A) / 2, s = r TP - r FN - FP. It equals 1 / (3 - 2J) with
    J = TPR - FPR: 1 when all is right; 1/3 when all is called absent, all present, or cells at random; 1/5 when all is
    wrong. NaN where the cells are all positive or all negative.
    """
    positives, negatives = np.asarray(tp + fn), np.asarray(fp + tn)  # sums of single numbers are no arrays
    both = (positives > 0) & (negatives > 0)
    r = ratio(negatives, np.asarray(2 * positives), undefined=0.0)
    u = np.where(both, negatives / 2, 0.0)
    s = r * tp - r * fn - fp
    return ratio(u, np.where(both, 2 * u - s, 0.0))


def crg(labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"]) -> float:
    """CRG of decisions, pooled over all known cells."""
    present, absent = labels == 1, labels == 0
    cells = (present & decided, present & ~decided, absent & decided, absent & ~decided)
    return float(crg_of_counts(*(np.array(float(cell.sum())) for cell in cells)))
