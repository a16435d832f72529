"""The soft rim of a real scan's lungs: voxels just outside the lung map that are partly lung.

A map of the lungs ends where a voxel is half lung. What is drawn into the lungs alone would leave a dark line of the
rest along pleura and fissures, so the rim changes as far as it is lung.
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float32

_LUNG_HU: Final = -850.0
_TISSUE_HU: Final = 0.0
_RIM_HU: Final = (-800.0, -130.0)
"""Brighter is fat or muscle, darker is an airway."""

_REACH_MM: Final = 1.6


def rim_share(
    hu: Float32[np.ndarray, "d h w"], lung: Bool[np.ndarray, "d h w"], spacing_mm: tuple[float, float, float]
) -> Float32[np.ndarray, "d h w"]:
    """How much of each voxel of the rim is lung; 0 elsewhere, inside the lungs too."""
    from scipy import ndimage

    low, high = _RIM_HU
    near = ndimage.maximum_filter(lung, _size(spacing_mm))
    share = np.clip((_TISSUE_HU - hu) / (_TISSUE_HU - _LUNG_HU), 0, 1)
    return np.where(near & ~lung & (hu > low) & (hu < high), share, 0).astype(np.float32)


def around(
    values: Float32[np.ndarray, "d h w"],
    share: Float32[np.ndarray, "d h w"],
    lung: Bool[np.ndarray, "d h w"],
    spacing_mm: tuple[float, float, float],
    rest: float,
) -> Float32[np.ndarray, "d h w"]:
    """Values of the lungs, and in the rim the mean of the lung voxels beside it as far as it is lung, `rest` for the
    remainder. Other voxels keep theirs."""
    from scipy import ndimage

    size = _size(spacing_mm)
    weight = ndimage.uniform_filter(lung.astype(np.float32), size)
    mean = ndimage.uniform_filter(np.where(lung, values, np.float32(0)), size) / np.maximum(weight, 1e-3)
    return np.where(share > 0, rest + share * (mean - np.float32(rest)), values).astype(np.float32)


def _size(spacing_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    d, h, w = (2 * max(1, round(_REACH_MM / s)) + 1 for s in spacing_mm)
    return d, h, w
