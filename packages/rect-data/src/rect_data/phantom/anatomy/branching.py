"""Trees that fill a space: bronchi and vessels grow toward the lung that they serve.

After Tawhai, Pullan and Hunter 2000 (doi:10.1114/1.1289457): every branch heads for the middle of its share of the
lung, then the share is cut in two and each child gets one half. All branches of a generation grow at once.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

_MOST_LEVELS: Final = 18
_REACH: Final = 0.42
_STRAIGHT: Final = 0.3


@dataclass(frozen=True, kw_only=True, slots=True)
class Branches:
    """start, end: physical (z, y, x) mm; parent: index of the branch it leaves, -1 for a root; root: which of the roots
    it grew from; level: 0 for a root; count: points of lung that it serves; half: 0 or 1, which child it is."""

    start: Float[np.ndarray, "n 3"]
    end: Float[np.ndarray, "n 3"]
    parent: Int[np.ndarray, " n"]
    root: Int[np.ndarray, " n"]
    level: Int[np.ndarray, " n"]
    count: Int[np.ndarray, " n"]
    half: Int[np.ndarray, " n"]

    @property
    def heading(self) -> Float[np.ndarray, "n 3"]:
        """Unit vectors from start to end."""
        along = self.end - self.start
        return np.asarray(along / (np.sqrt((along**2).sum(1, keepdims=True)) + 1e-6))

    def bends(self) -> Float[np.ndarray, "n 3"]:
        """Points half-way along branches that leave their parents smoothly."""
        heading = self.heading
        turn = np.where(self.parent[:, None] < 0, 0.0, heading[self.parent] - heading)
        length = np.sqrt(((self.end - self.start) ** 2).sum(1, keepdims=True))
        return np.asarray((self.start + self.end) / 2 + 0.11 * length * turn)


def grow(
    points: Float[np.ndarray, "n 3"],
    roots: Int[np.ndarray, " n"],
    starts: Float[np.ndarray, "k 3"],
    headings: Float[np.ndarray, "k 3"],
    rng: np.random.Generator,
) -> Branches:
    """points: places of the lung to be served, each by the root of number `roots`. starts, headings: where each of the
    k roots begins and which way it points. Roots without points do not grow."""
    served, share = np.unique(roots, return_inverse=True)
    start, heading = starts[served], headings[served]
    parent, root, which = np.full(len(served), -1), served, np.zeros(len(served), np.int64)
    rows, total = [], 0
    for level in range(_MOST_LEVELS):
        count = np.bincount(share)
        centre = _means(points, share, count)
        end, heading = _step(start, heading, centre, count, rng)
        rows.append((start, end, parent, root, np.full(len(count), level), count, which))
        half = _halves(points - centre[share], share, heading, rng)
        keep = (count > 1)[share]
        points, key = points[keep], (2 * share + half)[keep]
        if not len(points):
            break
        children, share = np.unique(key, return_inverse=True)
        above, which = children // 2, children % 2
        start, heading, root, parent = end[above], heading[above], root[above], total + above
        total += len(count)
    return Branches(**dict(zip(Branches.__slots__, (np.concatenate(c) for c in zip(*rows, strict=True)), strict=True)))


def _step(
    start: Float[np.ndarray, "m 3"],
    heading: Float[np.ndarray, "m 3"],
    centre: Float[np.ndarray, "m 3"],
    count: Int[np.ndarray, " m"],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "m 3"], Float[np.ndarray, "m 3"]]:
    """Ends and directions of one generation: part of the way to the middle, bent a little toward where it came from."""
    away = centre - start
    distance = np.sqrt((away**2).sum(1, keepdims=True)) + 1e-6
    direction = away / distance + _STRAIGHT * heading + rng.normal(0, 0.08, away.shape)
    direction /= np.sqrt((direction**2).sum(1, keepdims=True)) + 1e-6
    reach = np.where(count == 1, 0.8, _REACH)[:, None] * rng.uniform(0.75, 1.25, (len(start), 1))
    return start + direction * distance * reach, direction


def _halves(
    apart: Float[np.ndarray, "n 3"],
    share: Int[np.ndarray, " n"],
    heading: Float[np.ndarray, "m 3"],
    rng: np.random.Generator,
) -> Bool[np.ndarray, " n"]:
    """Cuts each share across its longest extent beside the direction of its branch, not quite in the middle."""
    count = len(heading)
    ahead = heading[share]
    beside = apart - 0.8 * (apart * ahead).sum(1, keepdims=True) * ahead
    spread = np.empty((count, 3, 3))
    for i in range(3):
        for j in range(i + 1):
            spread[:, i, j] = spread[:, j, i] = np.bincount(share, beside[:, i] * beside[:, j], count)
    axis = rng.normal(size=(count, 3))
    for _ in range(5):
        axis = np.einsum("mij,mj->mi", spread, axis)
        axis /= np.sqrt((axis**2).sum(1, keepdims=True)) + 1e-9
    along = (beside * axis[share]).sum(1)
    extent = np.sqrt(np.bincount(share, along**2, count) / np.maximum(np.bincount(share, minlength=count), 1))
    return np.asarray(along > (rng.normal(0, 0.3, count) * extent)[share])


def _means(
    points: Float[np.ndarray, "n 3"], share: Int[np.ndarray, " n"], count: Int[np.ndarray, " m"]
) -> Float[np.ndarray, "m 3"]:
    sums = np.stack([np.bincount(share, points[:, axis]) for axis in range(3)], 1)
    return np.asarray(sums / count[:, None])
