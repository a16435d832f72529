"""Spine, ribs and sternum: dense voxels told from contrast-filled vessels by where they lie."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_core.anatomy.coarse import Coarse
from rect_core.anatomy.morphology import closed, dilate, hull

_SPINE_HALF_MM: Final = 30.0
_IN_FRONT_MM: Final = 52.0
_BEHIND_MM: Final = 45.0
_MIRROR_MM: Final = 5.0
_MAX_TILT: Final = 0.5
_SMOOTH_MM: Final = 25.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Skeleton:
    """Bones on the coarse grid. middle: x index of the spine in each slice; front: y index of its front."""

    spine: Bool[np.ndarray, "z y x"]
    ribs: Bool[np.ndarray, "z y x"]
    middle: Float[np.ndarray, " z"]
    front: Float[np.ndarray, " z"]


def find_skeleton(
    coarse: Coarse,
    body: Bool[np.ndarray, "z y x"],
    bone: Bool[np.ndarray, "z y x"],
    lungs: Bool[np.ndarray, "z y x"],
) -> Skeleton:
    """Spine: dense voxels near the midline from 52 mm before to 45 mm behind the back of the lungs, that are dense on
    the mirrored side too (a contrast-filled aorta on its left is not). Ribs and sternum: the other dense voxels outside
    the lungs' convex outline, scapulae and arms among them. Below and above the lungs both go on from the nearest slice
    with lung."""
    sz = coarse.spacing_mm[0]
    frame = _frame(lungs, coarse)
    depth = frame.depth_mm[None] - _carried(frame.back_mm, sz)[:, None, None]
    rear = (depth > -15.0) & (depth < _BEHIND_MM)
    side_mm = _middle(bone & rear & ~lungs, frame, sz)
    offset = frame.side_mm[None] - side_mm[:, None, None]
    beyond = np.where(np.isfinite(frame.back_mm), _BEHIND_MM, 2 * _BEHIND_MM)[:, None, None]  # the loin is hollow
    box = (depth > -_IN_FRONT_MM) & (depth < beyond) & (np.abs(offset) <= _SPINE_HALF_MM)
    x = np.arange(lungs.shape[2])
    partner = np.clip(np.rint(x - 2 * offset / coarse.spacing_mm[2]), 0, len(x) - 1).astype(np.int64)
    mirrored = np.take_along_axis(bone, partner, axis=2)
    both = bone & dilate(mirrored, _MIRROR_MM, coarse.spacing_mm, flat=True) & box
    spine = closed(both, 9.0, coarse.spacing_mm, flat=True) & box & body & ~lungs
    inner = hull(lungs, coarse.spacing_mm, offset_mm=-3.0) | _within_ribs(lungs, coarse)
    ribs = closed(bone & ~inner & ~spine, 4.5, coarse.spacing_mm, flat=True) & body & ~lungs & ~spine & ~inner
    rows = np.asarray(spine.any(axis=2))
    front = _carried(np.where(rows.any(axis=1), rows.argmax(axis=1), np.nan), sz)
    columns = np.asarray(spine.any(axis=1))
    ends = (columns.argmax(axis=1) + len(x) - 1 - columns[:, ::-1].argmax(axis=1)) / 2
    middle = _carried(np.where(columns.any(axis=1), ends, np.nan), sz, float(np.nonzero(lungs)[2].mean()))
    return Skeleton(spine=spine, ribs=ribs, middle=middle, front=front)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Frame:
    """In-plane axes of a body that may be turned on its back: mm toward the back and mm toward the left of each pixel,
    and how far back the lungs reach in each slice (mean of both, NaN without)."""

    depth_mm: Float[np.ndarray, "y x"]
    side_mm: Float[np.ndarray, "y x"]
    back_mm: Float[np.ndarray, " z"]
    lungs_mm: float


def _frame(lungs: Bool[np.ndarray, "z y x"], coarse: Coarse) -> _Frame:
    """The turn is the slope of the line that touches the backs of both lungs; with one lung the body lies straight."""
    _, sy, sx = coarse.spacing_mm
    y, x = np.arange(lungs.shape[1])[:, None] * sy, np.arange(lungs.shape[2])[None] * sx
    middle = float(np.nonzero(lungs)[2].mean()) * sx
    sides = [side for side in (lungs & (x < middle), lungs & (x >= middle)) if side.any()]
    slope = _slope(sides, sy, sx) if len(sides) == 2 else 0.0
    depth = y - slope * (x - middle)
    backs = [np.where(side, depth, -np.inf).max(axis=(1, 2)) for side in sides]
    known = [np.where(np.isfinite(back), back, np.nan) for back in backs]
    mean = np.where(np.isnan(known), 0.0, known).sum(axis=0) / np.maximum(np.isfinite(known).sum(axis=0), 1)
    shown = np.isfinite(known).any(axis=0)
    return _Frame(
        depth_mm=depth,
        side_mm=x + slope * (y - float(mean[shown].mean())),
        back_mm=np.where(shown, mean, np.nan),
        lungs_mm=middle,
    )


def _slope(sides: list[Bool[np.ndarray, "z y x"]], sy: float, sx: float) -> float:
    ends = []
    for side in sides:
        _, y, x = np.nonzero(side)
        rear = y >= np.percentile(y, 97)
        ends.append((float(y[rear].mean()) * sy, float(x[rear].mean()) * sx))
    (right_y, right_x), (left_y, left_x) = ends
    return float(np.clip((left_y - right_y) / max(left_x - right_x, 1.0), -_MAX_TILT, _MAX_TILT))


def _within_ribs(lungs: Bool[np.ndarray, "z y x"], coarse: Coarse) -> Bool[np.ndarray, "z y x"]:
    """In the lower half of the lungs and below, the lungs' outline as seen from above less 6 mm: the rib cage does not
    narrow toward the upper abdomen, and what is dense inside it there is contrast in an organ."""
    slices = np.flatnonzero(lungs.any(axis=(1, 2)))
    low = np.arange(lungs.shape[0]) < (slices[0] + slices[-1]) / 2
    outline = hull(np.asarray(lungs.any(axis=0, keepdims=True)), coarse.spacing_mm, offset_mm=-6.0)
    return np.asarray(outline & low[:, None, None])


def _middle(bone: Bool[np.ndarray, "z y x"], frame: _Frame, sz: float) -> Float[np.ndarray, " z"]:
    """Place of the spine toward the left in mm: the median of the rear bones within 40 mm of the lungs' middle."""
    near = bone & (np.abs(frame.side_mm - frame.lungs_mm) <= 40.0)[None]
    found = [float(np.median(frame.side_mm[plane])) if plane.any() else np.nan for plane in near]
    return _carried(np.array(found), sz, frame.lungs_mm)


def _carried(values: Float[np.ndarray, " z"], sz: float, missing: float = 0.0) -> Float[np.ndarray, " z"]:
    """Running median over 50 mm with the gaps filled from their neighbours; `missing` where nothing is known."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.full(len(values), missing)
    filled = np.interp(np.arange(len(values)), known, values[known])
    reach = max(1, round(_SMOOTH_MM / sz))
    padded = np.pad(filled, reach, mode="edge")
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1), axis=1))
