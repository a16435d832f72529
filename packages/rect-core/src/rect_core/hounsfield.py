"""Whether numbers are Hounsfield units, and the one form in which the house keeps them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped

from rect_core.raw import Check

PADDING_HU: Final = -1024
"""Nothing is less dense than air; scanners mark voxels outside their circle with -2048, -3024, -8192 and the like."""

_NOT_HU: Final = "not Hounsfield units"
_HIGHEST_HU: Final = 32767
_AIR_HU: Final = -500
_LEAST_TISSUE: Final = 0.02
_SAMPLES_AN_AXIS: Final = 48


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """Lowest and highest stored value (NaN where there is one) and a regular sample of the voxels, before clipping."""

    lowest: float
    highest: float
    sample: Float[np.ndarray, " n"]

    @property
    def finite(self) -> bool:
        """Whether no voxel is NaN or infinite."""
        return bool(np.isfinite(self.lowest) and np.isfinite(self.highest))

    def share(self, low: float | int, high: float | int) -> float:
        """Share of the sampled voxels with low <= value <= high."""
        return float(np.mean((self.sample >= low) & (self.sample <= high)))


def survey(array: Shaped[np.ndarray, "i j k"]) -> Survey:
    """One pass over the voxels of any real type, without a copy of them."""
    steps = tuple(slice(None, None, -(-n // _SAMPLES_AN_AXIS)) for n in array.shape)
    sample = array[steps].astype(np.float64).ravel()
    return Survey(lowest=float(array.min()), highest=float(array.max()), sample=sample)


def hounsfield_check(found: Survey, name: str) -> Check:
    """The "hounsfield" row: fails with the reason for what does not look like a CT in HU."""
    problem = _range_problem(found) or _shift_problem(found)
    if problem:
        return Check("hounsfield", "fail", f"{name}: {problem}")
    padding = "; padding below -1024 clipped to -1024" if found.lowest < PADDING_HU else ""
    return Check("hounsfield", "pass", f"{found.lowest:g} to {found.highest:g} HU{padding}")


def _range_problem(found: Survey) -> str:
    low, high = found.lowest, found.highest
    values = f"{_NOT_HU} (values {low:g} to {high:g})"
    if high <= PADDING_HU:
        return (
            f"every voxel is at or below -1024 (values {low:g} to {high:g}): rescale slope and intercept were probably "
            "applied twice; read the file as it came (CT-RATE version 2 is already in HU)"
        )
    if low == high:
        return f"every voxel is {low:g}: the image is empty"
    if low >= -1 and high <= 1:
        return f"{values}: normalised intensities or a mask; give the CT before normalisation"
    if low >= 0:
        what = "8-bit picture intensities" if high <= 255 else "stored values without rescale slope and intercept"
        return f"{values}: no value is negative, as in {what}; give the CT in HU (air is -1000)"
    if high > _HIGHEST_HU:
        return f"{values}: nothing in a CT is that dense; check slope and intercept"
    if low > _AIR_HU:
        return f"{values}: air (-1000) is missing, as after clipping to a soft-tissue window; give the unclipped CT"
    return ""


def _shift_problem(found: Survey) -> str:
    """A wrong offset moves the whole body: soft tissue is then not where soft tissue is."""
    tissue, lower, higher = found.share(-200, 300), found.share(-1224, -724), found.share(824, 1324)
    if tissue < _LEAST_TISSUE and found.lowest < -1500 and lower > _LEAST_TISSUE:
        return (
            f"{_NOT_HU}: the body lies near -1024 and the air near {found.lowest:g}: rescale slope and intercept were "
            "applied twice; read the file as it came (CT-RATE version 2 is already in HU)"
        )
    if higher > _LEAST_TISSUE and found.share(-1000, -300) < 0.001:
        return (
            f"{_NOT_HU}: the body lies near 1024 and no air near -1000: stored values without rescale slope and "
            "intercept; apply them once"
        )
    if tissue < _LEAST_TISSUE:
        return f"{_NOT_HU}: {tissue:.1%} of the voxels are soft tissue (-200 to 300 HU); give the CT in HU, unmasked"
    return ""


def to_hu(array: Shaped[np.ndarray, "i j k"], lowest: float) -> Shaped[np.ndarray, "i j k"]:
    """Clipped at -1024: int16 where all values are whole, else float32. Clips int16 and float32 arrays in place.

    lowest: the lowest value of the array, so that nothing is done where nothing lies below -1024.
    """
    kept = np.int16 if array.dtype.kind in "iu" or _whole(array) else np.float32
    if array.dtype == kept:
        return np.maximum(array, PADDING_HU, out=array) if lowest < PADDING_HU else array
    hu = np.empty_like(array, kept)
    for source, target in zip(_slabs(array), _slabs(hu), strict=True):
        target[...] = np.maximum(source, PADDING_HU)
    return hu


def _whole(array: Shaped[np.ndarray, "i j k"]) -> bool:
    """Whether all values are whole numbers; stops at the first slab that holds others."""
    return all(np.array_equal(slab, np.rint(slab)) for slab in _slabs(array))


def _slabs(array: Shaped[np.ndarray, "i j k"]) -> list[np.ndarray]:
    """Views of the array along its slowest axis in memory, a few slices each."""
    slowest = int(np.argmax(np.abs(array.strides)))
    return list(np.array_split(array, max(1, array.shape[slowest] // 4), axis=slowest))
