"""The overview picture of a prediction: axial and coronal slices with outlined findings and a legend."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from rect_core.types import MaskCrop, WeightsStatus
from rect_core.volume import Volume
from rect_vlm.render.choose import choose_slices, shown, view_box, voxels_of
from rect_vlm.render.lesion import lesion_crop
from rect_vlm.render.panel import Layer, View, panel
from rect_vlm.render.plane import AXIS, Box, Plane, flat_crop, house_index
from rect_vlm.render.sheet import GAP, Entry, Sheet
from rect_vlm.render.style import colour_of, name_of
from rect_vlm.render.window import WINDOWS, Window, WindowName

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["lesion_crop", "overlay"]

WIDTH = 1744
COLUMNS = 4
SLICES: dict[Plane, int] = {"axial": 8, "coronal": 4}
ONE_PLANE = 12
TALLEST = 620
"""Pixels that a panel may be high: a chest-abdomen scan must not outgrow the page."""


def overlay(
    volume: Volume,
    crops: Mapping[str, MaskCrop],
    *,
    title: str,
    status: WeightsStatus,
    window: WindowName = "lung",
    plane: Plane | None = None,
    slices: Sequence[int] | None = None,
    finding: str | None = None,
    lungs_box: Box | None = None,
) -> "PIL.Image.Image":
    """Slices with translucent outlined masks, about 1800 pixels wide, the patient's right on the left.

    crops: finding -> mask; a finding with an empty mask is listed as not outlined. title: the case id. plane: this one
    alone, twelve slices of it. slices: these, as numbers along the stored axis counted from 0, with `plane`.
    finding: this one alone. lungs_box: half-open (d, h, w) ranges of the lungs, which empty slots are spread through.
    An unknown finding raises KeyError; a slice outside the scan, or slices without a plane, ValueError.
    """
    drawn = {finding: crops[finding]} if finding else dict(crops)
    picked = _pick(volume, drawn, plane, slices, lungs_box)
    box = view_box(volume, drawn, lungs_box)
    rows = [(p.capitalize(), _row(volume, drawn, p, i, box, WINDOWS[window])) for p, i in picked.items()]
    return Sheet(
        title=title,
        subtitle=WINDOWS[window].label,
        status=status,
        rows=rows,
        columns=COLUMNS,
        legend=[_entry(volume, name, drawn) for name in drawn],
        notes=_notes(drawn, picked),
    ).draw()


def _pick(
    volume: Volume,
    crops: Mapping[str, MaskCrop],
    plane: Plane | None,
    slices: Sequence[int] | None,
    lungs_box: Box | None,
) -> dict[Plane, tuple[int, ...]]:
    if slices is not None:
        if plane is None or not slices:
            raise ValueError(f"slices {tuple(slices)} need a plane and at least one number: give plane='axial', say")
        return {plane: tuple(house_index(volume, plane, number) for number in slices)}
    counts = SLICES if plane is None else {plane: ONE_PLANE}
    return {p: choose_slices(volume, crops, p, n, lungs_box) for p, n in counts.items()}


def _row(
    volume: Volume, crops: Mapping[str, MaskCrop], plane: Plane, indices: Sequence[int], box: Box, window: Window
) -> list["PIL.Image.Image"]:
    row, column = (a for a in range(3) if a != AXIS[plane])
    height_mm, width_mm = ((box[a][1] - box[a][0]) * volume.spacing_mm[a] for a in (row, column))
    scale = min((WIDTH - GAP * (COLUMNS - 1)) / COLUMNS / width_mm, TALLEST / height_mm)
    view = View(plane=plane, box=box, window=window, px_per_mm=scale)
    by_size = sorted(crops, key=lambda name: -int(np.count_nonzero(crops[name].labels)))
    return [
        panel(volume, view, index, [_layer(crops, name, plane, index, box) for name in by_size]) for index in indices
    ]


def _layer(crops: Mapping[str, MaskCrop], name: str, plane: Plane, index: int, box: Box) -> Layer:
    mask: Bool[np.ndarray, "r c"] = flat_crop(crops[name], plane, index, box) > 0
    return Layer(mask=mask, colour=colour_of(name, tuple(crops)))


def _entry(volume: Volume, name: str, crops: Mapping[str, MaskCrop]) -> Entry:
    voxels = voxels_of(crops[name])
    ids, ml = int(np.count_nonzero(voxels)), int(voxels.sum()) * volume.voxel_ml
    amount = f"{ml:.0f} ml" if ml >= 10 else f"{ml:.1f} ml" if ml >= 0.05 else "< 0.1 ml"
    note = f"{ids} {'lesion' if ids == 1 else 'lesions'}, {amount}" if ids else "not outlined"
    return Entry(colour=colour_of(name, tuple(crops)), name=name_of(name), note=note)


def _notes(crops: Mapping[str, MaskCrop], picked: Mapping[Plane, tuple[int, ...]]) -> list[str]:
    seen, total = shown(crops, picked)
    extent = f"These slices cut {seen} of {total} lesions. " if seen < total else ""
    marks = "R and L mark the patient's right and left" if set(picked) - {"sagittal"} else "A and P mark front and back"
    return [f"{extent}{marks}. Slice numbers count from 0 along the stored axis; positions are RAS+ mm."]
