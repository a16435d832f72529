"""A CT volume in the house's orientation, and the way back to the axes it was stored in.

Array order is (d, h, w) with increasing index toward Superior, Posterior, Left: the order of an axial DICOM stack.
Affines map array indices to RAS+ millimetres (the NIfTI convention).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real, Shaped

from rect_core.geometry import HOUSE, Orientation, apply_affine, axes_code, orientation, turn, turn_affine


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredGrid:
    """The voxel grid of a file as it was stored: its shape, its affine to RAS+ mm, and so its axes.

    Reorientation only permutes and flips axes, so every voxel keeps its value and its place in millimetres.
    """

    shape: tuple[int, int, int]
    affine: Float[np.ndarray, "4 4"]

    @property
    def orientation(self) -> Orientation:
        """World axis and sign of each stored axis."""
        return orientation(self.affine)

    @property
    def axes(self) -> str:
        """Orientation code of the stored axes, such as "RAS" or "LPS"."""
        return axes_code(self.orientation)

    @property
    def house_shape(self) -> tuple[int, int, int]:
        """Shape of the same grid as (d, h, w)."""
        d, h, w = turn(np.broadcast_to(np.int8(0), self.shape), self.orientation, HOUSE).shape
        return d, h, w

    @property
    def house_affine(self) -> Float[np.ndarray, "4 4"]:
        """Maps (d, h, w) indices to RAS+ mm."""
        return turn_affine(self.affine, self.shape, HOUSE)

    def to_house(self, stored: Shaped[np.ndarray, "i j k"]) -> Shaped[np.ndarray, "d h w"]:
        """A view of a stored array as (d, h, w)."""
        return turn(stored, self.orientation, HOUSE)

    def to_stored(self, house: Shaped[np.ndarray, "d h w"]) -> Shaped[np.ndarray, "i j k"]:
        """A view of a (d, h, w) array in the stored axes; the inverse of `to_house`."""
        return turn(house, HOUSE, self.orientation)

    def same_as(self, other: "StoredGrid", tolerance_mm: float = 0.1) -> bool:
        """Whether the corners of both grids agree within a tolerance."""
        if self.shape != other.shape:
            return False
        corners = np.stack(np.meshgrid(*[(0, n - 1) for n in self.shape], indexing="ij"), -1).reshape(-1, 3)
        apart = apply_affine(self.affine, corners) - apply_affine(other.affine, corners)
        return bool(np.abs(apart).max() <= tolerance_mm)


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """One CT in Hounsfield units.

    hu: [d h w], int16 where the source holds whole numbers, else float32; never below -1024. affine: (d, h, w) indices
    to RAS+ mm. stored: the grid of the source, which every saved mask returns to. case_id: the name without its suffix.
    warnings: what a reader should know, one plain sentence each. No patient identity is kept.
    """

    hu: Shaped[np.ndarray, "d h w"]
    affine: Float[np.ndarray, "4 4"]
    stored: StoredGrid
    case_id: str
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.hu.shape != self.stored.house_shape:
            raise ValueError(f"volume has {self.hu.shape} voxels but its stored grid says {self.stored.house_shape}")
        if not np.allclose(self.affine, self.stored.house_affine, rtol=0, atol=1e-3):
            raise ValueError(
                f"volume {self.case_id!r} has another affine than its stored grid: give stored.house_affine"
            )
        if self.hu.dtype not in (np.int16, np.float32):
            raise ValueError(f"volume {self.case_id!r} is {self.hu.dtype}: give int16 or float32 Hounsfield units")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(d, h, w) voxels."""
        d, h, w = self.hu.shape
        return d, h, w

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel size along (d, h, w)."""
        d, h, w = (float(x) for x in np.linalg.norm(self.affine[:3, :3], axis=0))
        return d, h, w

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in millilitres."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def ras_mm(self, points: Real[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """RAS+ mm of (d, h, w) indices."""
        return apply_affine(self.affine, points)
