"""One axis of a resampling: which scan voxels make a grid cell, and which cells make a scan voxel.

One rule makes the weights on the way down: a cell averages the voxels it overlaps, each in proportion to the overlap,
and is never thinner than one voxel. Where cells are larger than voxels this is area averaging; where they are smaller
it is exactly linear interpolation, so nothing jumps where the two meet.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Int64

TIE = 1e-3
"""Voxels by which ties are pushed down, so that noise in the last digits of an affine cannot choose a neighbour."""

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Axis:
    """A row of `voxels` scan voxels and a row of `cells` grid cells; cell i is centred at voxel index start + step *
    i."""

    voxels: int
    cells: int
    start: float
    step: float

    @property
    def valid(self) -> Range:
        """Half-open range of the cells whose centre lies inside the scan; the others are padding."""
        first = math.ceil((-0.5 - self.start) / self.step - TIE)
        last = math.floor((self.voxels - 0.5 - self.start) / self.step + TIE)
        return max(first, 0), min(last + 1, self.cells)

    @property
    def covered(self) -> Range:
        """Half-open range of the voxels whose centre lies inside the grid."""
        begin, end = self.start - self.step / 2, self.start + self.step * (self.cells - 0.5)
        return max(math.ceil(begin - TIE), 0), min(math.ceil(end - TIE), self.voxels)

    def down(self) -> Float64[np.ndarray, "target source"]:
        """Weights of all voxels in each valid cell."""
        return cell_weights(self.voxels, self._centres(), max(self.step, 1.0))

    def back(self) -> Float64[np.ndarray, "target source"]:
        """Weights of the valid cells in each voxel (signed, rows sum to 1); rows outside `covered` have no meaning."""
        return _back(self)

    def nearest_voxels(self) -> Int64[np.ndarray, " target"]:
        """The voxel nearest to the centre of each valid cell."""
        return _nearest(self.voxels, self._centres())

    def nearest_cells(self) -> Int64[np.ndarray, " target"]:
        """The cell nearest to each covered voxel."""
        return _nearest(self.cells, (np.arange(*self.covered, dtype=np.float64) - self.start) / self.step)

    def _centres(self) -> Float64[np.ndarray, " target"]:
        return self.start + self.step * np.arange(*self.valid, dtype=np.float64)


def cell_weights(
    source: int, centres: Float[np.ndarray, " target"], width: float = 1.0
) -> Float64[np.ndarray, "target source"]:
    """Share of each of `source` voxels in cells `width` voxels wide around `centres`; width 1 is linear interpolation.

    Exact overlaps keep voxels that fit the cells as they are, and keep the total; the price is that a cell with a
    fractional width may sit up to an eighth of a voxel off. A cell that hangs over the edge counts only what it
    overlaps, so each row sums to 1; one that overlaps no voxel raises ValueError.
    """
    centre, voxel, half = centres[:, None], np.arange(source, dtype=np.float64)[None, :], width / 2
    overlap = np.minimum(centre + half, voxel + 0.5) - np.maximum(centre - half, voxel - 0.5)
    overlap[overlap < 1e-9] = 0.0  # rounding noise must not widen the band
    total = overlap.sum(axis=1, keepdims=True)
    if not total.all():
        raise ValueError(
            f"a cell {width} voxels wide lies outside the {source} voxels: give only cells that overlap them"
        )
    return np.asarray(overlap / total, np.float64)


def _nearest(source: int, centres: Float[np.ndarray, " target"]) -> Int64[np.ndarray, " target"]:
    return np.clip(np.ceil(centres - 0.5 - TIE), 0, source - 1).astype(np.int64)


@lru_cache(maxsize=12)
def _back(axis: Axis) -> Float64[np.ndarray, "target source"]:
    """Linear interpolation U (the edge repeated) after one step of residual correction, U (2 - A U) with A the way down
    (Van Cittert 1931; Irani and Peleg 1991).

    U A alone blurs twice: small convex shapes sink below one half near their rim, so a 12 mm ball loses 14 % of its
    volume at (5, 1.5, 1.5) mm and 23 % at (5, 2.5, 2.5). One correction leaves 5 and 9 %, and its reach is one more
    cell; further ones gain little and amplify noise.
    """
    first, last = axis.valid
    position = (np.arange(axis.voxels) - axis.start) / axis.step - first
    up = cell_weights(last - first, np.clip(position, 0, last - first - 1))
    back = up @ (2 * np.eye(last - first) - axis.down() @ up)
    back[np.abs(back) < 1e-9] = 0.0
    back.setflags(write=False)  # shared by every caller of the cache
    return np.asarray(back, np.float64)
