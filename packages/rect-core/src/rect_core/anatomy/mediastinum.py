"""What lies between the lungs: the heart by its bulk, and the rest of the mediastinum."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_core.anatomy.coarse import Coarse
from rect_core.anatomy.morphology import closed, dilate, hull, opened, pieces

_CARINA_SPAN_MM: Final = 40.0
_BELOW_CARINA_MM: Final = 15.0
_BEFORE_SPINE_MM: Final = 25.0
_BESIDE_SPINE_MM: Final = 20.0
_BULK_MM: Final = 20.0
_FAT_HU: Final = -40.0
_MIN_HEART_ML: Final = 150.0


def between_lungs(
    coarse: Coarse,
    right: Bool[np.ndarray, "z y x"],
    left: Bool[np.ndarray, "z y x"],
    front: Float[np.ndarray, " z"],
) -> Bool[np.ndarray, "z y x"]:
    """Inside the convex outline of both lungs but in neither, between the middles of the two, in slices that show both;
    to 20 mm behind the front of the spine."""
    _, y, x = (np.arange(n) for n in right.shape)
    both = np.asarray(right.any(axis=(1, 2)) & left.any(axis=(1, 2)))
    inner = (x[None] > _middle_of(right)[:, None]) & (x[None] < _middle_of(left)[:, None]) & both[:, None]
    before = y[None] < front[:, None] + _BESIDE_SPINE_MM / coarse.spacing_mm[1]
    outline = hull(right | left, coarse.spacing_mm)
    return np.asarray(outline & ~right & ~left & inner[:, None] & before[:, :, None])


def _middle_of(lung: Bool[np.ndarray, "z y x"]) -> Float[np.ndarray, " z"]:
    area = np.maximum(lung.sum(axis=(1, 2)), 1)
    return np.asarray((lung.sum(axis=1) * np.arange(lung.shape[2])).sum(axis=1) / area)


def find_heart(
    coarse: Coarse,
    between: Bool[np.ndarray, "z y x"],
    airway: Bool[np.ndarray, "z y x"],
    front: Float[np.ndarray, " z"],
) -> Bool[np.ndarray, "z y x"]:
    """The heart with its great roots: the largest bulk, at least 40 mm thick, of what lies between the lungs from 15 mm
    below the carina down, 25 mm before the spine. Without an airway to give the carina, or under 150 ml: empty.

    between: soft tissue between the lungs above the diaphragm, without bone.
    """
    empty = np.zeros_like(between)
    top = carina(airway, coarse)
    if top is None:
        return empty
    y = np.arange(between.shape[1])
    room = (
        between
        & (coarse.hu > _FAT_HU)
        & (y[None] < front[:, None] - _BEFORE_SPINE_MM / coarse.spacing_mm[1])[:, :, None]
    )
    room[max(0, int(top - _BELOW_CARINA_MM / coarse.spacing_mm[0])) :] = False
    found, sizes = pieces(
        opened(closed(room, 5.0, coarse.spacing_mm, flat=True), _BULK_MM, coarse.spacing_mm, flat=True)
    )
    if not len(sizes) or sizes[0] * float(np.prod(coarse.spacing_mm)) / 1000.0 < _MIN_HEART_ML:
        return empty
    return dilate(found == 1, 6.0, coarse.spacing_mm, flat=True) & room


def carina(airway: Bool[np.ndarray, "z y x"], coarse: Coarse) -> float | None:
    """z index of the carina: the highest slice where the airway spans 40 mm from side to side, or else its lowest
    slice; None without an airway."""
    if not airway.any():
        return None
    x = np.arange(airway.shape[2])
    columns = np.asarray(airway.any(axis=1))
    shown = np.asarray(columns.any(axis=1))
    span = np.where(columns, x, -1).max(axis=1) - np.where(columns, x, len(x)).min(axis=1) + 1
    wide = np.flatnonzero(shown & (span * coarse.spacing_mm[2] >= _CARINA_SPAN_MM))
    return float(wide.max()) if len(wide) else float(np.flatnonzero(shown).min())
