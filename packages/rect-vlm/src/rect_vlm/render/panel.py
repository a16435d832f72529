"""One slice as a picture: gray values, translucent masks with outlines, marks, and a scale bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from rect_core.volume import Volume
from rect_vlm.render.plane import MARKS, Box, Plane, flat, position, size_px, stored_index
from rect_vlm.render.style import INK, PANEL, Colour, write
from rect_vlm.render.window import Window

if TYPE_CHECKING:
    import PIL.Image

HALF = 112
"""Gray value that counts as inside when a mask is scaled: a little below one half, so that thin parts stay."""


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What a picture shows: a plane, half-open (d, h, w) ranges, a window and a scale."""

    plane: Plane
    box: Box
    window: Window
    px_per_mm: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A mask on one slice: [r c] as displayed. fill: opacity inside 0..1; line: outline in pixels."""

    mask: Bool[np.ndarray, "r c"]
    colour: Colour
    fill: float = 0.28
    line: float = 2.0


def panel(volume: Volume, view: View, index: int, layers: Sequence[Layer]) -> "PIL.Image.Image":
    """One slice with its masks and marks, in RGB."""
    picture = paint(volume, view, index, layers)
    annotate(picture, volume, view, index, type_px=16)
    return picture


def paint(volume: Volume, view: View, index: int, layers: Sequence[Layer]) -> "PIL.Image.Image":
    """One slice with its masks, in RGB: fills first, then outlines in the order of the layers."""
    from PIL import Image

    size = size_px(volume, view.plane, view.box, view.px_per_mm)
    gray = view.window.gray(flat(volume.hu, view.plane, index, view.box))
    smooth = Image.Resampling.BICUBIC
    picture = Image.fromarray(np.ascontiguousarray(gray)).resize(size, smooth).convert("RGB")
    stencils = [(layer.colour, *_stencils(layer, size)) for layer in layers if layer.mask.any()]
    for colour, at, inside, _ in stencils:
        picture.paste(colour, at, inside)
    for colour, at, _, outline in stencils:
        picture.paste(colour, at, outline)
    return picture


def _stencils(layer: Layer, size: tuple[int, int]) -> tuple[tuple[int, int], "PIL.Image.Image", "PIL.Image.Image"]:
    """Where to paste a mask, and the opacities of its inside and outline, drawn at twice the size for smooth edges."""
    from PIL import Image, ImageChops, ImageFilter

    at, extent, part = _part(layer.mask, size)
    source = Image.fromarray(np.ascontiguousarray(layer.mask).astype(np.uint8) * 255)
    double = (extent[0] * 2, extent[1] * 2)
    mask = source.resize(double, Image.Resampling.BILINEAR, box=part).point([0] * HALF + [255] * (256 - HALF))
    core = mask
    for _ in range(round(2 * layer.line)):
        core = core.filter(ImageFilter.MinFilter(3))
    inside = mask.point([round(i * layer.fill) for i in range(256)])
    return at, inside.reduce(2), ImageChops.subtract(mask, core).reduce(2)


def _part(
    mask: Bool[np.ndarray, "r c"], size: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int], tuple[float, float, float, float]]:
    """The whole pixels of a picture around a mask (corner, size), and the same rectangle in the mask's own pixels."""
    corners: list[tuple[int, int, float]] = []
    for axis, pixels in ((1, size[0]), (0, size[1])):
        hit = np.flatnonzero(mask.any(axis=1 - axis))
        scale = pixels / mask.shape[axis]
        first = max(0, int((int(hit[0]) - 1) * scale) - 1)
        last = min(pixels, int((int(hit[-1]) + 2) * scale) + 2)
        corners.append((first, last, scale))
    (x0, x1, sx), (y0, y1, sy) = corners
    return (x0, y0), (x1 - x0, y1 - y0), (x0 / sx, y0 / sy, x1 / sx, y1 / sy)


def annotate(picture: "PIL.Image.Image", volume: Volume, view: View, index: int, *, type_px: int) -> None:
    """Writes the slice's number and place, the side marks and a scale bar onto a picture."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture, "RGBA")
    (width, height), pad = picture.size, type_px // 2
    label = f"slice {stored_index(volume, view.plane, index)}  ·  {position(volume, view.plane, index)}"
    write(draw, (pad, pad), label, type_px)
    left, right = MARKS[view.plane]
    write(draw, (pad, height // 2), left, round(type_px * 1.4), anchor="lm")
    write(draw, (width - pad, height // 2), right, round(type_px * 1.4), anchor="rm")
    bar_mm = 50 if 50 * view.px_per_mm < width / 2 else 10
    bar = round(bar_mm * view.px_per_mm)
    y, x = height - pad - 2, width - pad
    write(draw, (x - bar // 2, y - pad), f"{bar_mm // 10} cm", round(type_px * 0.9), anchor="ms")
    draw.line([(x - bar, y), (x, y)], fill=PANEL, width=5)
    draw.line([(x - bar, y), (x, y)], fill=INK, width=3)
