"""One lesion up close, in three planes."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from rect_core.types import Lesion, MaskCrop, WeightsStatus
from rect_core.volume import Volume
from rect_vlm.render.choose import areas_of
from rect_vlm.render.panel import Layer, View, annotate, paint
from rect_vlm.render.plane import AXIS, Box, Plane, flat_crop
from rect_vlm.render.sheet import Entry, Sheet
from rect_vlm.render.style import PANEL, colour_of, name_of
from rect_vlm.render.window import WINDOWS, WindowName

if TYPE_CHECKING:
    import PIL.Image

PANEL_PX = 560
FIELD_MM = 120.0
"""Width that a panel shows of the patient: about three times the scale of the montage; wider for a wider lesion."""


def lesion_crop(
    volume: Volume, crop: MaskCrop, lesion: Lesion, *, status: WeightsStatus, window: WindowName = "lung"
) -> "PIL.Image.Image":
    """The largest axial, coronal and sagittal cut of one lesion with its outline, and what it measures.

    Other lesions of the same finding have a thinner, darker outline. A lesion that the mask does not hold raises
    KeyError.
    """
    planes: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
    areas = {plane: _area(crop, lesion, AXIS[plane]) for plane in planes}
    extent = [(int(np.flatnonzero(a)[0]), int(np.flatnonzero(a)[-1]) + 1) for a in areas.values()]
    field = max(FIELD_MM, *(1.25 * (b - a) * mm for (a, b), mm in zip(extent, volume.spacing_mm, strict=True)))
    box = _box(volume, crop, extent, field)
    panels = [
        _panel(volume, crop, lesion, plane, crop.start[AXIS[plane]] + int(area.argmax()), box, field, window)
        for plane, area in areas.items()
    ]
    colour = colour_of(lesion.finding, (lesion.finding,))
    return Sheet(
        title=f"{volume.case_id}: {lesion.id.replace('_', ' ')}",
        subtitle=WINDOWS[window].label,
        status=status,
        rows=[("Axial, coronal, sagittal", panels)],
        columns=3,
        legend=[Entry(colour=colour, name=_caption(lesion), note=_place(lesion))],
        legend_columns=1,
        notes=["A thin outline is another lesion of this finding. Slice numbers count from 0 along the stored axis."],
    ).draw()


def _panel(
    volume: Volume,
    crop: MaskCrop,
    lesion: Lesion,
    plane: Plane,
    index: int,
    box: Box,
    field: float,
    window: WindowName,
) -> "PIL.Image.Image":
    ids = flat_crop(crop, plane, index, box)
    colour = colour_of(lesion.finding, (lesion.finding,))
    dim = (round(colour[0] * 0.7), round(colour[1] * 0.7), round(colour[2] * 0.7))
    others = Layer(mask=(ids > 0) & (ids != lesion.instance), colour=dim, fill=0.0, line=1.0)
    this = Layer(mask=ids == lesion.instance, colour=colour, fill=0.0, line=2.0)
    view = View(plane=plane, box=box, window=WINDOWS[window], px_per_mm=PANEL_PX / field)
    square = _framed(paint(volume, view, index, [others, this]))
    annotate(square, volume, view, index, type_px=18)
    return square


def _framed(picture: "PIL.Image.Image") -> "PIL.Image.Image":
    """On a square ground: near the edge of the scan there is less to show, and whole voxels may stand out a little."""
    from PIL import Image

    square = Image.new("RGB", (PANEL_PX, PANEL_PX), PANEL)
    square.paste(picture, ((PANEL_PX - picture.width) // 2, (PANEL_PX - picture.height) // 2))
    return square


def _area(crop: MaskCrop, lesion: Lesion, axis: int) -> Int64[np.ndarray, " n"]:
    """Voxels of one lesion in each slice of its mask's box."""
    table = areas_of(crop, axis)
    if lesion.instance >= table.shape[1] or not table[:, lesion.instance].any():
        raise KeyError(f"{lesion.id} has no voxel in its mask: give the mask that the lesion was measured on")
    return table[:, lesion.instance]


def _box(volume: Volume, crop: MaskCrop, extent: list[tuple[int, int]], field: float) -> Box:
    """A cube of `field` mm around the lesion, cut at the scan's edges."""
    ranges = []
    for axis, (low, high) in enumerate(extent):
        centre, half = crop.start[axis] + (low + high) / 2, field / volume.spacing_mm[axis] / 2
        first = max(0, int(np.floor(centre - half + 0.5)))
        ranges.append((first, min(volume.shape[axis], max(first + 1, int(np.floor(centre + half + 0.5))))))
    return ranges[0], ranges[1], ranges[2]


def _caption(lesion: Lesion) -> str:
    size = [f"{x:.1f}" for x in (lesion.diameter_mm, lesion.short_axis_mm) if not np.isnan(x)]
    parts = [name_of(lesion.finding), " x ".join(size) + " mm" if size else "size undefined"]
    ml = lesion.volume_ml
    parts.append("volume undefined" if np.isnan(ml) else f"{ml:.0f} ml" if ml >= 10 else f"{ml:.2f} ml")
    return ", ".join(parts)


def _place(lesion: Lesion) -> str:
    first, last = min(lesion.slices), max(lesion.slices)
    slices = f"slice {first}" if first == last else f"slices {first}-{last}"
    side = "" if lesion.region.startswith(lesion.side) else f"{lesion.side}, "
    return f"{side}{lesion.region}, {slices}"
