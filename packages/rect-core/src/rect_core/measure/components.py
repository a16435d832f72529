"""Connected components (26 neighbours) of a mask, found on its runs of voxels.

Memory and time follow the surface of what was found and not the size of the scan: a label volume of 1024 x 1024 x 600
voxels would be 2.5 GB, its runs are a few megabytes.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

SLAB_VOXELS = 1 << 24
"""Voxels looked at in one go."""


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs of True along w, ordered by (d, h, w): voxels (d, h, start..stop - 1)."""

    d: Int64[np.ndarray, " n"]
    h: Int64[np.ndarray, " n"]
    start: Int64[np.ndarray, " n"]
    stop: Int64[np.ndarray, " n"]

    @property
    def length(self) -> Int64[np.ndarray, " n"]:
        """Voxels of each run."""
        return np.asarray(self.stop - self.start, np.int64)

    @property
    def box(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """The first (d, h, w) voxel and the one behind the last of the smallest box that holds all runs."""
        low = (int(self.d.min()), int(self.h.min()), int(self.start.min()))
        return low, (int(self.d.max()) + 1, int(self.h.max()) + 1, int(self.stop.max()))

    def pick(self, which: Int64[np.ndarray, " m"]) -> "Runs":
        """Some of the runs."""
        return Runs(self.d[which], self.h[which], self.start[which], self.stop[which])

    def shifted(self, start: tuple[int, int, int]) -> "Runs":
        """Runs of a box as runs of the scan that the box starts in."""
        d, h, w = start
        return Runs(self.d + d, self.h + h, self.start + w, self.stop + w)

    def holding(self, points: Int64[np.ndarray, "m 3"]) -> Int64[np.ndarray, " k"]:
        """The runs that hold some of these (d, h, w) voxels, in order."""
        if not len(self.d):
            return np.zeros(0, np.int64)
        _, h, w = (
            max(int(part.max()), int(points[:, i].max(initial=0))) + 1
            for i, part in enumerate((self.d, self.h, self.stop))
        )
        inside = points[(points >= 0).all(1)]
        key = (inside[:, 0] * h + inside[:, 1]) * w + inside[:, 2]
        row = (self.d * h + self.h) * w
        run = np.searchsorted(row + self.start, key, side="right") - 1
        return np.unique(run[(run >= 0) & (key < (row + self.stop)[run])])

    def voxels(self, most: int) -> Int64[np.ndarray, "m 3"]:
        """(d, h, w) of the voxels, or of `most` evenly spaced ones where there are more."""
        ends = np.cumsum(self.length)
        wanted = np.unique(np.linspace(0, ends[-1] - 1, min(most, int(ends[-1]))).astype(np.int64))
        run = np.searchsorted(ends, wanted, side="right")
        w = self.stop[run] - (ends[run] - wanted)
        return np.stack([self.d[run], self.h[run], w], -1)


def find_runs(mask: Bool[np.ndarray, "d h w"]) -> Runs:
    """The runs of a mask, slab by slab."""
    d, h, w = mask.shape
    plane = (h + 1) * (w + 1)
    slab = max(1, SLAB_VOXELS // plane)
    changes = [_changes(mask[first : first + slab]) + first * plane for first in range(0, d, slab)]
    edges = np.concatenate([*changes, np.zeros(0, np.int64)])
    row, start = np.divmod(edges[0::2], w + 1)
    return Runs(row // (h + 1), row % (h + 1), start, start + edges[1::2] - edges[0::2])


def components(runs: Runs, shape: tuple[int, int, int]) -> Int64[np.ndarray, " n"]:
    """The component of each run, numbered from 0, largest first (equal ones in the order of their first voxel).

    shape: of the mask the runs are from.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(runs.d)
    touching = [_touching(runs, shape, dz, dy) for dz, dy in ((0, -1), (-1, -1), (-1, 0), (-1, 1))]
    one, other = np.concatenate([pair[0] for pair in touching]), np.concatenate([pair[1] for pair in touching])
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(n, n))
    found = connected_components(graph, directed=False)[1]
    _, first = np.unique(found, return_index=True)
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort((first, -np.bincount(found, weights=runs.length)))] = np.arange(len(first))
    return np.asarray(rank[found], np.int64)


def _changes(slab: Bool[np.ndarray, "d h w"]) -> Int64[np.ndarray, " m"]:
    # One empty row and column behind each keep runs apart; the leading False makes a first voxel a change.
    d, h, w = slab.shape
    flat = np.zeros(d * (h + 1) * (w + 1) + 1, np.bool_)
    flat[1:].reshape(d, h + 1, w + 1)[:, :h, :w] = slab
    return np.flatnonzero(flat[1:] != flat[:-1]).astype(np.int64)


def _touching(
    runs: Runs, shape: tuple[int, int, int], dz: int, dy: int
) -> tuple[Int64[np.ndarray, " m"], Int64[np.ndarray, " m"]]:
    """Pairs of runs that touch, the second one row (dz, dy) away; sorted keys make the search a bisection."""
    _, h, w = shape
    row = (runs.d * (h + 1) + runs.h) * (w + 1)
    start, stop = row + runs.start, row + runs.stop
    away = (dz * (h + 1) + dy) * (w + 1)
    low = np.searchsorted(stop, start + away, side="left")
    count = np.maximum(np.searchsorted(start, stop + away, side="right") - low, 0)
    one = np.repeat(np.arange(len(start)), count)
    before = np.repeat(np.cumsum(count) - count, count)
    return one, np.repeat(low, count) + np.arange(len(one)) - before
