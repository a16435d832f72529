"""Right and left lung: aerated pieces, told apart by millimetres, with vessels, nodules and masses filled."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool

from rect_core.anatomy.coarse import AIR_HU, Coarse
from rect_core.anatomy.lung_air import lung_like
from rect_core.anatomy.morphology import closed, erode, pieces, spread
from rect_core.anatomy.region_map import bounding_box
from rect_core.errors import ScanError

_MIN_LUNG_ML: Final = 150.0
_MIN_PIECE_ML: Final = 3.0
_EROSIONS_MM: Final = (0.0, 3.1, 4.5, 6.2, 9.2, 12.2, 15.3, 18.3, 21.5)
_MIN_LEFT: Final = 0.05
_MIN_SHARE: Final = 0.12
_APART_MM: Final = 50.0
_TWO_LUNGS: Final = 0.25
_SMALL_SHARE: Final = 0.4
_FULL_SLICE: Final = 0.6
_SPREAD_STEPS: Final = 60
_NEAR_STEPS: Final = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Lungs:
    """Both lungs on the coarse grid; a missing one is empty, and a warning says so."""

    right: Bool[np.ndarray, "z y x"]
    left: Bool[np.ndarray, "z y x"]
    warnings: tuple[str, ...]


def find_lungs(
    coarse: Coarse, air: Bool[np.ndarray, "z y x"], airway: Bool[np.ndarray, "z y x"], midline: float
) -> Lungs:
    """Lungs from the air inside the body, the airway taken out. No lung at all raises ScanError."""
    voxel_ml = float(np.prod(coarse.spacing_mm)) / 1000.0
    aerated = _aerated(coarse, air & ~airway, voxel_ml)
    if aerated.sum() * voxel_ml < _MIN_LUNG_ML:
        raise ScanError(
            "regions", f"only {aerated.sum() * voxel_ml:.0f} ml of lung found: give a chest CT or a region map"
        )
    right, left, warnings = _sides(aerated, coarse, midline)
    right, left = fill(right, airway, coarse, right=True) & ~left, fill(left, airway, coarse, right=False) & ~right
    left &= ~right
    return Lungs(right=right, left=left, warnings=warnings + _unequal(right, left, voxel_ml))


def _aerated(coarse: Coarse, air: Bool[np.ndarray, "z y x"], voxel_ml: float) -> Bool[np.ndarray, "z y x"]:
    from scipy import ndimage

    found, sizes = pieces(air)
    out = np.zeros_like(air)
    boxes = ndimage.find_objects(found)
    for index in range(1, int((sizes * voxel_ml >= _MIN_PIECE_ML).sum()) + 1):
        box = boxes[index - 1]
        piece = found[box] == index
        if lung_like(coarse.hu[box], piece, float(sizes[index - 1]) * voxel_ml):
            out[box] |= piece
    return out


def _sides(
    aerated: Bool[np.ndarray, "z y x"], coarse: Coarse, midline: float
) -> tuple[Bool[np.ndarray, "z y x"], Bool[np.ndarray, "z y x"], tuple[str, ...]]:
    """Right and left from the first erosion that leaves two large pieces side by side. Increasing x leads left."""
    total = float(aerated.sum())
    sx = coarse.spacing_mm[2]
    for radius in _EROSIONS_MM:
        found, sizes = pieces(erode(aerated, radius, coarse.spacing_mm) if radius else aerated)
        if sizes.sum() < _MIN_LEFT * total:
            break
        large = [k for k in range(1, min(len(sizes), 6) + 1) if sizes[k - 1] >= _MIN_SHARE * sizes.sum()]
        at = [float(np.nonzero(found == k)[2].mean()) for k in large]
        if len(large) >= 2 and (max(at) - min(at)) * sx >= _APART_MM and min(at) < midline < max(at):
            middle = (max(at) + min(at)) / 2
            seeds = np.zeros(aerated.shape, np.uint8)
            for k, x in zip(large, at, strict=True):
                seeds[found == k] = 1 if x < middle else 2
            right, left = _spread(seeds, aerated, coarse)
            return right, left, ()
    return _one_side(aerated, midline, sx)


def _spread(
    seeds: np.ndarray, aerated: Bool[np.ndarray, "z y x"], coarse: Coarse
) -> tuple[Bool[np.ndarray, "z y x"], Bool[np.ndarray, "z y x"]]:
    """Both seeds grown at one speed inside the aerated lung. Pieces that neither reaches go to the nearer seed when a
    thin wall is all that parts them (a fissure's fluid), else to none: gas under the diaphragm lies deeper."""
    right, left = seeds == 1, seeds == 2
    for inside, steps in ((aerated, _SPREAD_STEPS), (np.ones_like(aerated), _NEAR_STEPS), (aerated, _SPREAD_STEPS)):
        for _ in range(steps):
            free = inside & ~right & ~left
            to_right, to_left = spread(right) & free, spread(left) & free
            if not (to_right.any() or to_left.any()):
                break
            right, left = right | to_right, left | (to_left & ~to_right)
    return right & aerated, left & aerated


def _one_side(
    aerated: Bool[np.ndarray, "z y x"], midline: float, sx: float
) -> tuple[Bool[np.ndarray, "z y x"], Bool[np.ndarray, "z y x"], tuple[str, ...]]:
    """One lung alone lies where most of it lies; the other is absent and said to be. With more than a quarter on either
    side of the spine it is taken for two lungs that nothing parts, and cut at the spine."""
    at = np.nonzero(aerated)[2]
    left = np.broadcast_to(np.arange(aerated.shape[2]) > midline, aerated.shape)
    if _TWO_LUNGS <= float((at > midline).mean()) <= 1 - _TWO_LUNGS:
        return aerated & ~left, aerated & left, ("the lungs touch widely: they are divided at the spine",)
    offset_mm = (float(at.mean()) - midline) * sx
    side, other = ("right", "left") if offset_mm < 0 else ("left", "right")
    text = (
        f"only one aerated lung found, taken as the {side} one for it lies {abs(offset_mm):.0f} mm {side} of the "
        f"spine; the {other} lung's regions are absent: removed, collapsed or wholly opaque?"
    )
    none = np.zeros_like(aerated)
    return (aerated, none, (text,)) if side == "right" else (none, aerated, (text,))


def fill(
    side: Bool[np.ndarray, "z y x"], airway: Bool[np.ndarray, "z y x"], coarse: Coarse, *, right: bool
) -> Bool[np.ndarray, "z y x"]:
    """One lung with the tissue that belongs to it: gaps under 16 mm (vessels, nodules, the hilum's notches), what is
    then enclosed on all sides (masses; a dome of the diaphragm, open below, is not), and dents of the chest wall, which
    is convex there: up to some 80 mm wide (masses and consolidation at the pleura) where the slice shows most of the
    lung, 40 mm near apex and base. Wider opacities, effusions at the base and masses at the mediastinum stay outside:
    nothing in their HU tells them from what they touch."""
    if not side.any():
        return side
    box = tuple(slice(max(0, a - 10), b + 10) for a, b in bounding_box(side))
    inside, spacing = side[box], coarse.spacing_mm
    area = inside.sum(axis=(1, 2))
    full_slices = (area > _FULL_SLICE * area.max())[:, None, None]
    dents = closed(inside, 25.0, spacing, flat=True) | full_slices & closed(inside, 60.0, spacing, flat=True)
    dents &= _at_chest_wall(inside, right=right) & (coarse.hu[box] >= AIR_HU)
    out = dents | _filled(closed(inside, 8.0, spacing) | inside | airway[box])  # a bronchus is a wall, too
    full = side.copy()
    full[box] = out & ~airway[box]
    return full


def _filled(mask: Bool[np.ndarray, "z y x"]) -> Bool[np.ndarray, "z y x"]:
    """The mask and the pieces of its outside that reach no end of the array."""
    outside, sizes = pieces(~mask)
    reach = np.zeros(len(sizes) + 1, bool)
    for axis in range(3):
        for end in (0, -1):
            reach[np.take(outside, end, axis=axis).ravel()] = True
    return np.asarray(mask | ~reach[outside])


def _at_chest_wall(inside: Bool[np.ndarray, "z y x"], *, right: bool) -> Bool[np.ndarray, "z y x"]:
    """Lateral of the lung's own middle in each slice and without lung beside or behind: a dent of the chest wall, where
    the dome of the diaphragm has lung on both of these sides."""
    x = np.arange(inside.shape[2])
    middle = (inside.sum(axis=1) * x).sum(axis=1) / np.maximum(inside.sum(axis=(1, 2)), 1)
    outer = x[None] < middle[:, None] if right else x[None] > middle[:, None]
    outward = inside if right else inside[:, :, ::-1]
    beside = np.logical_or.accumulate(outward, axis=2)[:, :, :: 1 if right else -1]
    behind = np.logical_or.accumulate(inside[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(outer[:, None] & ~(beside & behind))


def _unequal(right: Bool[np.ndarray, "z y x"], left: Bool[np.ndarray, "z y x"], voxel_ml: float) -> tuple[str, ...]:
    sizes = {"right": float(right.sum()) * voxel_ml, "left": float(left.sum()) * voxel_ml}
    small, large = sorted(sizes, key=lambda side: sizes[side])
    if sizes[small] == 0 or sizes[small] >= _SMALL_SHARE * sizes[large]:
        return ()
    return (
        f"the {small} lung region holds {sizes[small]:.0f} ml and the {large} one {sizes[large]:.0f} ml: fluid, "
        f"collapse or consolidation at the {small} chest wall may lie outside its lung region",
    )
