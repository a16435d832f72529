"""Trachea and main bronchi: followed from above as round holes, then grown until the growth explodes into a lung."""

from typing import Final

import numpy as np
from jaxtyping import Bool

from rect_core.anatomy.coarse import Coarse
from rect_core.anatomy.morphology import dilate

_SEED_HU: Final = -700.0
_AREA_MM2: Final = (40.0, 750.0)
_STEP_MM: Final = 12.0
_MIN_LENGTH_MM: Final = 30.0
_LIMIT_ML: Final = 110.0
_THRESHOLDS: Final = tuple(range(-950, -549, 25))


def find_airway(coarse: Coarse, air: Bool[np.ndarray, "z y x"], midline: float) -> Bool[np.ndarray, "z y x"]:
    """The lumen of trachea and main bronchi; empty where no trachea is found.

    air: air inside the body; midline: x index of the body's middle.
    """
    trachea = _trace(coarse, air, midline)
    if not trachea.any():
        return trachea
    grown = _grow(coarse, air, trachea)
    return np.asarray(dilate(grown, 1.01 * max(coarse.spacing_mm[1:]), coarse.spacing_mm, flat=True) & air)


def _trace(coarse: Coarse, air: Bool[np.ndarray, "z y x"], midline: float) -> Bool[np.ndarray, "z y x"]:
    """The longest chain of round holes near the midline, one a slice, each close to the one above it."""
    from scipy import ndimage

    sz, sy, sx = coarse.spacing_mm
    flat = np.zeros((3, 3, 3), bool)
    flat[1] = ndimage.generate_binary_structure(2, 1)
    holes, count = ndimage.label(air & (coarse.hu < _SEED_HU), structure=flat)
    areas = np.bincount(holes.ravel(), minlength=count + 1) * sy * sx
    chains: list[tuple[float, float, float, tuple[int, ...]]] = []  # z, y mm, x mm of the end; its holes
    boxes = ndimage.find_objects(holes)
    right_size = [k for k in range(count, 0, -1) if _AREA_MM2[0] <= areas[k] <= _AREA_MM2[1]]
    for k in right_size:
        box = boxes[k - 1]
        high, wide = (box[1].stop - box[1].start) * sy, (box[2].stop - box[2].start) * sx
        y, x = (box[1].start + box[1].stop - 1) / 2 * sy, (box[2].start + box[2].stop - 1) / 2 * sx
        if max(high, wide) > 2.5 * min(high, wide) or areas[k] < 0.5 * high * wide or abs(x - midline * sx) > 45:
            continue
        z = float(box[0].start)
        above = [c for c in chains if 1 <= c[0] - z <= max(1, 6 / sz) and np.hypot(c[1] - y, c[2] - x) <= _STEP_MM]
        best = max(above, key=lambda c: len(c[3]), default=(z, y, x, ()))
        chains.append((z, y, x, (*best[3], k)))
    longest = max(chains, key=lambda c: len(c[3]), default=(0.0, 0.0, 0.0, ()))[3]
    if len(longest) * sz < _MIN_LENGTH_MM:
        return np.zeros_like(air)
    return np.isin(holes, longest)


def _grow(
    coarse: Coarse, air: Bool[np.ndarray, "z y x"], trachea: Bool[np.ndarray, "z y x"]
) -> Bool[np.ndarray, "z y x"]:
    """The trachea with what joins it below a rising threshold, up to the last step before the volume explodes."""
    from scipy import ndimage

    box = _around(trachea, coarse.spacing_mm)
    hu, inside, seed = coarse.hu[box], air[box], trachea[box]
    voxel_ml = float(np.prod(coarse.spacing_mm)) / 1000.0
    best = seed
    before = float(seed.sum()) * voxel_ml
    for threshold in _THRESHOLDS:
        found, count = ndimage.label(inside & ((hu < threshold) | seed))
        touched = np.zeros(count + 1, bool)
        touched[found[seed]] = True
        grown = touched[found]
        ml = float(grown.sum()) * voxel_ml
        if ml > _LIMIT_ML or ml > 1.35 * before + 12.0:
            break
        best, before = grown, ml
    out = trachea.copy()
    out[box] |= best
    return out


def _around(mask: Bool[np.ndarray, "z y x"], spacing_mm: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    """The box that main bronchi can reach: 70 mm below the trachea's end, 70 mm to each side."""
    reach = (70.0, 50.0, 70.0)
    found = np.nonzero(mask)
    z, y, x = (
        slice(max(0, int(at.min() - r / s)), int(at.max() + r / s) + 1)
        for at, r, s in zip(found, reach, spacing_mm, strict=True)
    )
    return z, y, x
