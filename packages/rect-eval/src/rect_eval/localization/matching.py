"""Which predicted lesion is which true one: one to one, by overlap or by the distance of their centres."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Int64, Integer

from rect_core.types import MaskCrop

Rule = Literal["dice", "iou", "distance"]

THRESHOLDS: Final[dict[Rule, float]] = {"dice": 0.2, "iou": 0.1, "distance": 10.0}
"""What a pair must reach: Dice as in ReXGroundingCT, IoU as in nnDetection, millimetres at most between centroids."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """The lesions of a true and a predicted mask: their ids, voxels, centroids in mm, and the voxels each pair
    shares."""

    truth_ids: Int64[np.ndarray, " t"]
    predicted_ids: Int64[np.ndarray, " p"]
    truth_voxels: Int64[np.ndarray, " t"]
    predicted_voxels: Int64[np.ndarray, " p"]
    truth_mm: Float[np.ndarray, "t 3"]
    predicted_mm: Float[np.ndarray, "p 3"]
    shared: Int64[np.ndarray, "t p"]

    @classmethod
    def of(cls, truth: MaskCrop, predicted: MaskCrop, spacing_mm: tuple[float, float, float]) -> "Overlap":
        """Counts two masks of instance ids of one scan; voxels outside their boxes are never looked at."""
        t_ids, t_voxels, t_mm = _lesions(truth, spacing_mm)
        p_ids, p_voxels, p_mm = _lesions(predicted, spacing_mm)
        return cls(
            truth_ids=t_ids,
            predicted_ids=p_ids,
            truth_voxels=t_voxels,
            predicted_voxels=p_voxels,
            truth_mm=t_mm,
            predicted_mm=p_mm,
            shared=_shared(truth, predicted, t_ids, p_ids),
        )

    @property
    def dice(self) -> Float[np.ndarray, "t p"]:
        """Dice of each pair."""
        return np.asarray(2.0 * self.shared / self._sum, np.float64)

    @property
    def iou(self) -> Float[np.ndarray, "t p"]:
        """IoU of each pair."""
        return np.asarray(self.shared / (self._sum - self.shared), np.float64)

    @property
    def apart_mm(self) -> Float[np.ndarray, "t p"]:
        """Distance between the centroids of each pair."""
        return np.asarray(np.linalg.norm(self.truth_mm[:, None] - self.predicted_mm[None], axis=-1), np.float64)

    @property
    def _sum(self) -> Int64[np.ndarray, "t p"]:
        return np.asarray(self.truth_voxels[:, None] + self.predicted_voxels[None], np.int64)

    def goodness(self, rule: Rule, threshold: float | None = None) -> Float[np.ndarray, "t p"]:
        """How well each pair fits, above 0 and up to 1; 0 for a pair that may not be matched."""
        limit = THRESHOLDS[rule] if threshold is None else threshold
        if not limit > 0:
            raise ValueError(f"threshold {limit} of the rule {rule!r} must be above 0")
        if rule == "distance":
            apart = self.apart_mm
            return np.where(apart <= limit, 1.0 - apart / (2 * limit), 0.0)
        score = self.dice if rule == "dice" else self.iou
        return np.where((score >= limit) & (self.shared > 0), score, 0.0)


def match_lesions(
    truth_ids: Integer[np.ndarray, "d h w"],
    predicted_ids: Integer[np.ndarray, "_ _ _"],
    rule: Rule = "dice",
    *,
    threshold: float | None = None,
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> tuple[tuple[int, int], ...]:
    """Pairs (true id, predicted id), one to one, in the order of the true ids; ids are 1 and up.

    As many pairs as can be, and of all ways to make that many the one with the greatest sum of Dice or IoU (or the
    smallest of distances). threshold: least Dice or IoU, or most millimetres; None takes THRESHOLDS.
    """
    if truth_ids.shape != predicted_ids.shape:
        raise ValueError(f"masks of {truth_ids.shape} and {predicted_ids.shape} voxels: give both on the scan's grid")
    d, h, w = truth_ids.shape
    whole = [MaskCrop(labels=ids, start=(0, 0, 0), shape=(d, h, w)) for ids in (truth_ids, predicted_ids)]
    overlap = Overlap.of(whole[0], whole[1], spacing_mm)
    pairs = assign(overlap.goodness(rule, threshold))
    return tuple((int(overlap.truth_ids[t]), int(overlap.predicted_ids[p])) for t, p in pairs)


def assign(goodness: Float[np.ndarray, "t p"]) -> Int64[np.ndarray, "m 2"]:
    """The optimal one-to-one matching: (row, column) of each pair. Only entries above 0 may be matched."""
    # All goodness together weighs less than one more pair; the same input always gives the same pairs.
    weight = (goodness > 0) * (1.0 + goodness / (2 * max(min(goodness.shape), 1)))
    return _best(weight)


def first_found(goodness: Float[np.ndarray, "t p"], confidence: Float[np.ndarray, " p"]) -> Bool[np.ndarray, " p"]:
    """Which predictions find a lesion, so that among those above any confidence as many do as one to one matching
    allows.

    Sets of predictions that can be matched together form a matroid, where the heaviest set is best at every cut, and
    does not depend on the weights but on their order: one assignment answers for all thresholds.
    """
    order = np.unique(confidence, return_inverse=True)[1] + 1.0
    hit = np.zeros(len(confidence), bool)
    hit[_best((goodness > 0) * order[None])[:, 1]] = True
    return hit


def _best(weight: Float[np.ndarray, "t p"]) -> Int64[np.ndarray, "m 2"]:
    """Pairs of positive weight whose sum is greatest."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = np.flatnonzero(weight.any(axis=1)), np.flatnonzero(weight.any(axis=0))
    inner = weight[np.ix_(rows, columns)]
    t, p = linear_sum_assignment(inner, maximize=True)
    kept = inner[t, p] > 0
    return np.stack([rows[t[kept]], columns[p[kept]]], -1).astype(np.int64)


def _lesions(
    crop: MaskCrop, spacing_mm: tuple[float, float, float]
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"], Float[np.ndarray, "k 3"]]:
    """Ids, voxels and centroids of the lesions of a mask."""
    places = np.nonzero(crop.labels)
    held = crop.labels[places].astype(np.int64)
    voxels = np.bincount(held)
    ids = np.flatnonzero(voxels)
    sums = np.stack([np.bincount(held, weights=axis)[ids] for axis in places], -1).reshape(len(ids), 3)
    centroid = sums / voxels[ids][:, None] + np.array(crop.start)
    return ids.astype(np.int64), voxels[ids].astype(np.int64), np.asarray(centroid * spacing_mm, np.float64)


def _shared(
    truth: MaskCrop, predicted: MaskCrop, t_ids: Int64[np.ndarray, " t"], p_ids: Int64[np.ndarray, " p"]
) -> Int64[np.ndarray, "t p"]:
    """Voxels that each pair shares, looked for where the two boxes meet."""
    low = np.maximum(truth.start, predicted.start)
    high = np.minimum(*(np.add(crop.start, crop.labels.shape) for crop in (truth, predicted)))
    if (high <= low).any() or not (len(t_ids) and len(p_ids)):
        return np.zeros((len(t_ids), len(p_ids)), np.int64)
    t, p = (crop.labels[tuple(map(slice, low - crop.start, high - crop.start))] for crop in (truth, predicted))
    both = (t > 0) & (p > 0)
    pair = np.searchsorted(t_ids, t[both]) * len(p_ids) + np.searchsorted(p_ids, p[both])
    counts = np.bincount(pair, minlength=len(t_ids) * len(p_ids))
    return counts.reshape(len(t_ids), len(p_ids)).astype(np.int64)
