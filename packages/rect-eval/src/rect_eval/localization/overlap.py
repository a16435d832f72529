"""How much two masks share: Dice, IoU, sensitivity and precision, counted in voxels.

Where a score is a ratio of nothing to nothing it is NaN: two empty masks have no Dice, an empty truth no sensitivity.
"""

from math import nan

import numpy as np
from jaxtyping import Bool


def dice(a: Bool[np.ndarray, "d h w"], b: Bool[np.ndarray, "_ _ _"]) -> float:
    """2 |a and b| / (|a| + |b|) (Dice 1945)."""
    shared, one, other = _counts(a, b)
    return ratio(2 * shared, one + other)


def iou(a: Bool[np.ndarray, "d h w"], b: Bool[np.ndarray, "_ _ _"]) -> float:
    """|a and b| / |a or b| (Jaccard 1912)."""
    shared, one, other = _counts(a, b)
    return ratio(shared, one + other - shared)


def sensitivity(truth: Bool[np.ndarray, "d h w"], predicted: Bool[np.ndarray, "_ _ _"]) -> float:
    """Share of the truth that was predicted."""
    shared, one, _ = _counts(truth, predicted)
    return ratio(shared, one)


def precision(truth: Bool[np.ndarray, "d h w"], predicted: Bool[np.ndarray, "_ _ _"]) -> float:
    """Share of the prediction that is true."""
    shared, _, other = _counts(truth, predicted)
    return ratio(shared, other)


def ratio(part: float, whole: float) -> float:
    """part / whole, NaN where whole is 0."""
    return part / whole if whole else nan


def _counts(a: Bool[np.ndarray, "d h w"], b: Bool[np.ndarray, "_ _ _"]) -> tuple[int, int, int]:
    if a.shape != b.shape:
        raise ValueError(f"masks of {a.shape} and {b.shape} voxels: give both on the scan's grid")
    return int(np.count_nonzero(a & b)), int(np.count_nonzero(a)), int(np.count_nonzero(b))
