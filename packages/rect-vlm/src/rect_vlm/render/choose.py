"""Which slices and which part of a scan a picture shows."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int64

from rect_core.types import MaskCrop
from rect_core.volume import Volume
from rect_vlm.render.plane import AXIS, Box, Plane

BODY_HU = -600
COARSE = 96
MARGIN_MM = (25.0, 60.0, 60.0)
"""What is shown around the lungs: enough of the chest wall, little of the table and of the belly."""
GAP_MM = 8.0
SHOWN = 0.25
"""A slice shows a lesion when it holds at least this share of the lesion's largest cut."""


def view_box(volume: Volume, crops: Mapping[str, MaskCrop], lungs_box: Box | None) -> Box:
    """Half-open ranges around the body, no more than a margin around the lungs where they are known, and always around
    all masks."""
    steps = [max(1, n // COARSE) for n in volume.shape]
    coarse = volume.hu[:: steps[0], :: steps[1], :: steps[2]] > BODY_HU
    ranges: list[tuple[int, int]] = []
    for axis, step in enumerate(steps):
        hit = np.flatnonzero(coarse.any(axis=tuple(a for a in range(3) if a != axis)))
        first, stop = (int(hit[0]) * step - step, int(hit[-1]) * step + 2 * step) if len(hit) else (0, 10**9)
        if lungs_box:
            margin = round(MARGIN_MM[axis] / volume.spacing_mm[axis])
            first, stop = max(first, lungs_box[axis][0] - margin), min(stop, lungs_box[axis][1] + margin)
        for crop in crops.values():
            if crop.labels.size:
                first = min(first, crop.start[axis])
                stop = max(stop, crop.start[axis] + crop.labels.shape[axis])
        ranges.append((max(0, first), min(volume.shape[axis], stop)))
    return ranges[0], ranges[1], ranges[2]


def choose_slices(
    volume: Volume, crops: Mapping[str, MaskCrop], plane: Plane, count: int, lungs_box: Box | None
) -> tuple[int, ...]:
    """House indices of at most `count` slices, from superior, anterior or right.

    First those that show lesions: the slice of the largest cut of each lesion that no chosen slice shows yet, findings
    taking turns, larger lesions first, neighbours of chosen slices last; then slices spread evenly through the lungs,
    or through the scan.
    """
    axis = AXIS[plane]
    chosen: list[int] = []
    lesions = _turns(crops, axis)
    for gap in (GAP_MM / volume.spacing_mm[axis], 0.0):
        for start, areas in lesions:
            best = start + int(areas.argmax())
            seen = any(_shows(areas, index - start) or abs(index - best) < gap for index in chosen)
            if len(chosen) < count and not seen:
                chosen.append(best)
    chosen += _spread(chosen, count - len(chosen), lungs_box[axis] if lungs_box else (0, volume.shape[axis]))
    return tuple(sorted(chosen, reverse=plane == "axial"))


def shown(crops: Mapping[str, MaskCrop], slices: Mapping[Plane, tuple[int, ...]]) -> tuple[int, int]:
    """(lesions that at least one of these slices cuts, all lesions)."""
    seen = total = 0
    for crop in crops.values():
        ids: set[int] = set()
        for plane, indices in slices.items():
            axis = AXIS[plane]
            inside = [i - crop.start[axis] for i in indices if 0 <= i - crop.start[axis] < crop.labels.shape[axis]]
            ids.update(*(np.unique(crop.labels.take(i, axis=axis)).tolist() for i in inside))
        seen += len(ids - {0})
        total += int(np.count_nonzero(voxels_of(crop)))
    return seen, total


def areas_of(crop: MaskCrop, axis: int) -> Int64[np.ndarray, "n k"]:
    """Voxels of each instance id (columns, 0 is background) in each slice of the crop's box (rows)."""
    top = int(crop.labels.max(initial=0)) + 1
    rows = [np.bincount(crop.labels.take(i, axis=axis).ravel(), minlength=top) for i in range(crop.labels.shape[axis])]
    table = np.stack(rows) if rows else np.zeros((0, top), np.int64)
    table[:, 0] = 0
    return table.astype(np.int64)


def voxels_of(crop: MaskCrop) -> Int64[np.ndarray, " k"]:
    """Voxels of each instance id; 0 for the background."""
    return np.asarray(areas_of(crop, 0).sum(axis=0), np.int64)


def _turns(crops: Mapping[str, MaskCrop], axis: int) -> list[tuple[int, Int64[np.ndarray, " n"]]]:
    """(first index, area a slice) of every lesion: each finding's largest, then each finding's second, and so on."""
    ranked: list[tuple[int, int, int, Int64[np.ndarray, " n"]]] = []
    for crop in crops.values():
        table = areas_of(crop, axis)
        totals = table.sum(axis=0)
        order = [int(k) for k in np.argsort(-totals, kind="stable") if totals[k]]
        ranked += [(turn, -int(totals[k]), crop.start[axis], table[:, k]) for turn, k in enumerate(order)]
    ranked.sort(key=lambda row: row[:2])
    return [(start, areas) for _, _, start, areas in ranked]


def _shows(areas: Int64[np.ndarray, " n"], local: int) -> bool:
    return 0 <= local < len(areas) and bool(areas[local] >= SHOWN * areas.max())


def _spread(taken: list[int], count: int, span: tuple[int, int]) -> list[int]:
    """`count` indices inside a span, each as far as possible from those taken and from the span's ends."""
    added: list[int] = []
    candidates = np.arange(*span)
    for _ in range(count):
        used = np.array([span[0] - 1, span[1], *taken, *added])
        distance = np.abs(candidates[:, None] - used[None, :]).min(axis=1)
        if not len(distance) or distance.max() < 1:
            break
        added.append(int(candidates[int(distance.argmax())]))
    return added
