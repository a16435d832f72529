"""The contact sheet: every case at its full resolution with its name and labels, for a person to judge."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Int16, UInt8

from rect_core.findings import LABELS, LOCALIZED
from rect_core.masks import read_mask, replacing
from rect_core.read import read_volume
from rect_data.ct_rate import lesion_path, volume_path

if TYPE_CHECKING:
    import PIL.Image

LUNG: Final = (-600.0, 1500.0)
MEDIASTINUM: Final = (40.0, 400.0)
"""Centre and width of the two windows every chest CT is read in."""

_CAPTION, _INK, _GROUND, _SIZE = 44, (235, 238, 242), (15, 17, 21), 13


def window(hu: Int16[np.ndarray, "..."], centre_width: tuple[float, float]) -> UInt8[np.ndarray, "..."]:
    """HU as gray values."""
    centre, width = centre_width
    gray = (hu.astype(np.float32) - (centre - width / 2)) * (255 / width)
    return np.asarray(np.clip(gray, 0, 255).astype(np.uint8))


def panels(
    hu: Int16[np.ndarray, "d h w"], spacing_mm: tuple[float, float, float], at: tuple[int, int]
) -> UInt8[np.ndarray, "a b"]:
    """Axial slice at[0] in both windows and coronal slice at[1] in the lung window, side by side; the patient's right
    is on the left, one pixel a voxel in the plane."""
    stretch = spacing_mm[0] / spacing_mm[2]
    rows = np.clip((np.arange(int(len(hu) * stretch)) / stretch).astype(np.int64), 0, len(hu) - 1)
    coronal = window(hu[::-1, at[1]][rows], LUNG)
    axial = np.concatenate([window(hu[at[0]], LUNG), window(hu[at[0]], MEDIASTINUM)], axis=1)
    out = np.zeros((max(len(axial), len(coronal)), axial.shape[1] + coronal.shape[1]), np.uint8)
    out[: len(axial), : axial.shape[1]] = axial
    out[: len(coronal), axial.shape[1] :] = coronal
    return out


def contact_sheet(
    path: Path, root: Path, records: Sequence[dict[str, Any]], *, most: int = 24, columns: int = 2
) -> None:
    """Writes a PNG of the first `most` cases of a tree, at the slice with most lesion, else through the middle.

    Pillow draws it: pip install 'rect-data[pictures]'.
    """
    from PIL import Image

    tiles = [_tile(root, record) for record in records[:most]]
    wide, high = max(t.width for t in tiles), max(t.height for t in tiles)
    rows = -(-len(tiles) // columns)
    sheet = Image.new("RGB", (wide * columns, high * rows), _GROUND)
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * wide, i // columns * high))
    with replacing(path) as file:
        sheet.save(file, "PNG", optimize=True)


def _tile(root: Path, record: dict[str, Any]) -> "PIL.Image.Image":
    from PIL import Image, ImageDraw, ImageFont

    name = record["VolumeName"].removesuffix(".nii.gz")
    volume = read_volume(root / volume_path(name))
    gray = panels(volume.hu, volume.spacing_mm, _busiest(root, name, volume))
    tile = Image.new("RGB", (gray.shape[1] + 8, gray.shape[0] + _CAPTION), _GROUND)
    tile.paste(Image.fromarray(gray), (4, _CAPTION))
    draw, font = ImageDraw.Draw(tile), ImageFont.load_default(size=_SIZE)
    labels = [label for label, value in zip(LABELS, record["labels"], strict=True) if value]
    draw.text((6, 4), f"{name}   (patient's right on the left)", font=font, fill=_INK)
    draw.text((6, 22), ", ".join(labels) or "none of the 18", font=font, fill=(250, 204, 92))
    return tile


def _busiest(root: Path, name: str, volume: Any) -> tuple[int, int]:
    """The (d, h) slices with the most voxels of any of the five findings."""
    count = np.zeros(volume.shape, bool)
    for finding in LOCALIZED:
        count |= read_mask(root / lesion_path(name, finding), volume) > 0
    if not count.any():
        return volume.shape[0] * 5 // 9, volume.shape[1] // 2
    return int(count.sum(axis=(1, 2)).argmax()), int(count.sum(axis=(0, 2)).argmax())
