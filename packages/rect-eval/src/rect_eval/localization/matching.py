"""Which predicted lesion is which true one: one to one, by overlap or by the distance of their centres."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Int64, Integer

from rect_core.types import MaskCrop

Rule = Literal["dice", "iou", "distance"]

THRESHOLDS: Final[dict[Rule, float]] = {"dice": 0.2, "iou": 0.1, "distance": 10.0}
"""What a pair must reach: Dice as in ReXGroundingCT, IoU as in nnDetection, millimetres at most between centroids."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Which true lesion may be matched with which predicted one, and how well they fit.

    shape: how many there are of both; pairs: (true, predicted), counted from 0 and in this order; goodness: of each
    pair, above 0. Thousands of lesions against thousands are a few pairs, where a matrix would fill the memory.
    """

    shape: tuple[int, int]
    pairs: Int64[np.ndarray, "m 2"]
    goodness: Float[np.ndarray, " m"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Overlap:
    """The lesions of a true and a predicted mask: their ids, voxels and centroids in mm; the pairs of them (counted
    from 0) that overlap, and the voxels that each of these pairs shares."""

    truth_ids: Int64[np.ndarray, " t"]
    predicted_ids: Int64[np.ndarray, " p"]
    truth_voxels: Int64[np.ndarray, " t"]
    predicted_voxels: Int64[np.ndarray, " p"]
    truth_mm: Float[np.ndarray, "t 3"]
    predicted_mm: Float[np.ndarray, "p 3"]
    pairs: Int64[np.ndarray, "m 2"]
    shared: Int64[np.ndarray, " m"]

    @classmethod
    def of(cls, truth: MaskCrop, predicted: MaskCrop, spacing_mm: tuple[float, float, float]) -> "Overlap":
        """Counts two masks of instance ids of one scan; voxels outside their boxes are never looked at."""
        t_ids, t_voxels, t_mm = _lesions(truth, spacing_mm)
        p_ids, p_voxels, p_mm = _lesions(predicted, spacing_mm)
        pairs, shared = _shared(truth, predicted, t_ids, p_ids)
        return cls(
            truth_ids=t_ids,
            predicted_ids=p_ids,
            truth_voxels=t_voxels,
            predicted_voxels=p_voxels,
            truth_mm=t_mm,
            predicted_mm=p_mm,
            pairs=pairs,
            shared=shared,
        )

    @property
    def dice(self) -> Float[np.ndarray, " m"]:
        """Dice of each pair."""
        return np.asarray(2.0 * self.shared / self._sum, np.float64)

    @property
    def iou(self) -> Float[np.ndarray, " m"]:
        """IoU of each pair."""
        return np.asarray(self.shared / (self._sum - self.shared), np.float64)

    @property
    def _sum(self) -> Int64[np.ndarray, " m"]:
        voxels = self.truth_voxels[self.pairs[:, 0]] + self.predicted_voxels[self.pairs[:, 1]]
        return np.asarray(voxels, np.int64)

    def fit(self, rule: Rule, threshold: float | None = None) -> Fit:
        """The pairs that a rule lets through."""
        limit = THRESHOLDS[rule] if threshold is None else threshold
        if not limit > 0:
            raise ValueError(f"threshold {limit} of the rule {rule!r} must be above 0")
        if rule == "distance":
            pairs, apart = _within(self.truth_mm, self.predicted_mm, limit)
            return Fit(self._shape, pairs, 1.0 - apart / (2 * limit))
        score = self.dice if rule == "dice" else self.iou
        return Fit(self._shape, self.pairs[score >= limit], score[score >= limit])

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.truth_ids), len(self.predicted_ids)


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
    fit = overlap.fit(rule, threshold)
    return tuple((int(overlap.truth_ids[t]), int(overlap.predicted_ids[p])) for t, p in fit.pairs[assign(fit)])


def assign(fit: Fit) -> Int64[np.ndarray, " k"]:
    """The optimal one-to-one matching, as places in `fit.pairs`."""
    # All goodness together weighs less than one more pair; the same input always gives the same pairs.
    return _best(fit, 1.0 + fit.goodness / (2 * max(min(fit.shape), 1)))


def first_found(fit: Fit, confidence: Float[np.ndarray, " p"]) -> Bool[np.ndarray, " p"]:
    """Which predictions find a lesion, so that among those above any confidence as many do as one to one matching
    allows.

    Sets of predictions that can be matched together form a matroid, where the heaviest set is best at every cut, and
    does not depend on the weights but on their order: one assignment answers for all thresholds.
    """
    order = np.unique(confidence, return_inverse=True)[1] + 1.0
    hit = np.zeros(len(confidence), bool)
    hit[fit.pairs[_best(fit, order[fit.pairs[:, 1]]), 1]] = True
    return hit


def _best(fit: Fit, weight: Float[np.ndarray, " m"]) -> Int64[np.ndarray, " k"]:
    """Places of the pairs, one to one, whose weights (above 0) have the greatest sum."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    if not len(weight):
        return np.zeros(0, np.int64)
    (rows, row), (columns, column) = (np.unique(side, return_inverse=True) for side in fit.pairs.T)
    each = np.arange(len(rows))  # a lesion may also take a column of its own, which weighs 0: it stays unmatched
    cost = float(weight.max()) + 1 - np.concatenate([weight, np.zeros(len(rows))])
    ends = np.concatenate([row, each]), np.concatenate([column, len(columns) + each])
    _, taken = min_weight_full_bipartite_matching(csr_array((cost, ends), (len(rows), len(columns) + len(rows))))
    return np.flatnonzero(taken[row] == column).astype(np.int64)


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
) -> tuple[Int64[np.ndarray, "m 2"], Int64[np.ndarray, " m"]]:
    """The pairs that share voxels and how many, looked for where the two boxes meet."""
    low = np.maximum(truth.start, predicted.start)
    high = np.minimum(*(np.add(crop.start, crop.labels.shape) for crop in (truth, predicted)))
    if (high <= low).any():
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    t, p = (crop.labels[tuple(map(slice, low - crop.start, high - crop.start))] for crop in (truth, predicted))
    both = (t > 0) & (p > 0)
    code, counts = np.unique(t[both].astype(np.int64) << 32 | p[both].astype(np.int64), return_counts=True)
    pairs = np.stack([np.searchsorted(t_ids, code >> 32), np.searchsorted(p_ids, code & 0xFFFFFFFF)], -1)
    return pairs.astype(np.int64), counts.astype(np.int64)


def _within(
    a: Float[np.ndarray, "t 3"], b: Float[np.ndarray, "p 3"], limit: float
) -> tuple[Int64[np.ndarray, "m 2"], Float[np.ndarray, " m"]]:
    """The pairs of points that are at most `limit` apart, and how far."""
    from scipy.spatial import KDTree

    if not (len(a) and len(b)):
        return np.zeros((0, 2), np.int64), np.zeros(0)
    near = KDTree(a).query_ball_tree(KDTree(b), limit * (1 + 1e-9))
    pairs = np.array([(i, j) for i, found in enumerate(near) for j in sorted(found)], np.int64).reshape(-1, 2)
    apart = np.linalg.norm(a[pairs[:, 0]] - b[pairs[:, 1]], axis=-1)
    return pairs[apart <= limit], apart[apart <= limit]
