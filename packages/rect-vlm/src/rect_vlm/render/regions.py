"""The region map of a scan as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import UInt8

from rect_core.findings import REGIONS
from rect_core.volume import Volume
from rect_vlm.render.choose import choose_slices, view_box
from rect_vlm.render.panel import Layer, View, panel
from rect_vlm.render.plane import AXIS, Box, Plane, flat
from rect_vlm.render.sheet import GAP, Entry, Sheet
from rect_vlm.render.style import Colour, write
from rect_vlm.render.window import MEDIASTINUM

if TYPE_CHECKING:
    import PIL.Image

REGION_COLOURS: Final[tuple[Colour, ...]] = (
    (86, 180, 233), (52, 128, 200), (28, 84, 158), (0, 200, 150), (0, 150, 112), (0, 106, 80), (240, 228, 66),
    (213, 60, 60), (255, 122, 92), (122, 110, 230), (196, 140, 80), (204, 121, 167), (150, 220, 255), (150, 245, 210),
    (245, 245, 245), (190, 200, 210), (120, 126, 138), (150, 84, 30), (230, 159, 0), (84, 88, 98),
)  # fmt: skip
"""Cool hues for the lungs, warm ones for heart and vessels, grays for bone and wall; the numbers tell them apart."""

WIDTH = 1744
COLUMNS = 4
COUNT = 4
SMALLEST = 500
"""Pixels of a region on a slice below which it gets no number there."""


def region_picture(
    volume: Volume, labels: UInt8[np.ndarray, "d h w"], *, lungs_box: Box | None = None
) -> "PIL.Image.Image":
    """Four axial and four coronal slices with the 20 regions in colour and numbered, and a legend of those present.

    labels: 0..20 on the scan's voxels; another shape raises ValueError.
    """
    if labels.shape != volume.shape:
        raise ValueError(f"regions have {labels.shape} voxels but the scan {volume.case_id!r} has {volume.shape}")
    box = view_box(volume, {}, lungs_box)
    planes: tuple[Plane, ...] = ("axial", "coronal")
    rows = [(p.capitalize(), _row(volume, labels, p, box, lungs_box)) for p in planes]
    seen = {int(value) for plane in labels for value in np.unique(plane)}
    names = enumerate(REGIONS, start=1)
    return Sheet(
        title=volume.case_id,
        subtitle=f"regions, {MEDIASTINUM.label}",
        status="clinical-data",
        rows=rows,
        columns=COLUMNS,
        legend=[
            Entry(colour=REGION_COLOURS[n - 1], name=f"{n}  {name}" + ("" if n in seen else " (absent)"))
            for n, name in names
        ],
        notes=["R and L mark the patient's right and left. Slice numbers count from 0 along the stored axis."],
    ).draw()


def _row(
    volume: Volume, labels: UInt8[np.ndarray, "d h w"], plane: Plane, box: Box, lungs_box: Box | None
) -> list["PIL.Image.Image"]:
    column = max(a for a in range(3) if a != AXIS[plane])
    width_mm = (box[column][1] - box[column][0]) * volume.spacing_mm[column]
    scale = (WIDTH - GAP * (COLUMNS - 1)) / COLUMNS / width_mm
    view = View(plane=plane, box=box, window=MEDIASTINUM, px_per_mm=scale)
    indices = choose_slices(volume, {}, plane, COUNT, lungs_box)
    return [_numbered(volume, labels, view, index) for index in indices]


def _numbered(volume: Volume, labels: UInt8[np.ndarray, "d h w"], view: View, index: int) -> "PIL.Image.Image":
    from PIL import ImageDraw

    cut = flat(labels, view.plane, index, view.box)
    values = [int(v) for v in np.unique(cut) if v]
    layers = [Layer(mask=cut == v, colour=REGION_COLOURS[v - 1], fill=0.38, line=1.0) for v in values]
    picture = panel(volume, view, index, layers)
    draw = ImageDraw.Draw(picture, "RGBA")
    scale = (picture.width / cut.shape[1], picture.height / cut.shape[0])
    for v, layer in zip(values, layers, strict=True):
        if np.count_nonzero(layer.mask) * scale[0] * scale[1] >= SMALLEST:
            row, column = _inside(layer)
            write(draw, (round((column + 0.5) * scale[0]), round((row + 0.5) * scale[1])), str(v), 14, anchor="mm")
    return picture


def _inside(layer: Layer) -> Sequence[int]:
    """A pixel of the mask near its middle."""
    pixels = np.argwhere(layer.mask)
    nearest = np.abs(pixels - np.median(pixels, axis=0)).sum(axis=1).argmin()
    return [int(x) for x in pixels[nearest]]
