"""The voxels that a phantom is drawn on. Millimetres are (z, y, x), growing toward Superior, Posterior, Left."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from rect_core.volume import StoredGrid

Box = tuple[slice, slice, slice]
Point = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """shape: (d, h, w) voxels; spacing_mm: of each; origin_mm: (z, y, x) of the centre of voxel (0, 0, 0)."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]

    @property
    def affine(self) -> Float[np.ndarray, "4 4"]:
        """(d, h, w) indices to RAS+ mm."""
        out = np.zeros((4, 4))
        for axis, (world, sign) in enumerate(((2, 1), (1, -1), (0, -1))):
            out[world, axis] = sign * self.spacing_mm[axis]
            out[world, 3] = sign * self.origin_mm[axis]
        out[3, 3] = 1
        return out

    @property
    def stored(self) -> StoredGrid:
        """The same grid as a file stores it: axes RAS, as most NIfTI files of chest CTs have."""
        d, h, w = self.shape
        affine = self.affine @ np.array([[0, 0, 1, 0], [0, -1, 0, h - 1], [-1, 0, 0, w - 1], [0, 0, 0, 1]], np.float64)
        return StoredGrid(shape=(w, h, d), affine=affine)

    @property
    def axes_mm(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(z, y, x) of the voxel centres as float32 arrays of shapes [d 1 1], [1 h 1], [1 1 w]."""
        z, y, x = (
            (o + s * np.arange(n)).astype(np.float32)
            for o, s, n in zip(self.origin_mm, self.spacing_mm, self.shape, strict=True)
        )
        return z[:, None, None], y[None, :, None], x[None, None, :]

    @property
    def low_mm(self) -> Point:
        """(z, y, x) of the centre of the first voxel."""
        return self.origin_mm

    @property
    def high_mm(self) -> Point:
        """(z, y, x) of the centre of the last voxel."""
        z, y, x = (o + s * (n - 1) for o, s, n in zip(self.origin_mm, self.spacing_mm, self.shape, strict=True))
        return z, y, x

    def index(self, points_mm: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Fractional (d, h, w) indices of (z, y, x) points."""
        return (np.asarray(points_mm, np.float64) - self.origin_mm) / self.spacing_mm

    def point(self, index: Shaped[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """(z, y, x) mm of (d, h, w) indices."""
        return np.asarray(index, np.float64) * self.spacing_mm + self.origin_mm

    def box(self, low_mm: Point, high_mm: Point) -> Box | None:
        """The voxels whose centres lie in a box of millimetres, or None where there are none."""
        slices = []
        for low, high, o, s, n in zip(low_mm, high_mm, self.origin_mm, self.spacing_mm, self.shape, strict=True):
            first, last = max(0, int(np.ceil((low - o) / s))), min(n - 1, int(np.floor((high - o) / s)))
            if first > last:
                return None
            slices.append(slice(first, last + 1))
        return slices[0], slices[1], slices[2]

    def around(self, centre_mm: Point, reach_mm: float | Point) -> Box | None:
        """The voxels within reach_mm of a point along each axis."""
        reach = (reach_mm,) * 3 if isinstance(reach_mm, float | int) else reach_mm
        low = tuple(c - r for c, r in zip(centre_mm, reach, strict=True))
        high = tuple(c + r for c, r in zip(centre_mm, reach, strict=True))
        return self.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
