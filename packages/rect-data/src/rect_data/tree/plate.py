"""One crop a label, cut out where drawing the finding changes the chest most."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import UInt8

from rect_core.findings import LABELS
from rect_core.masks import replacing
from rect_data.phantom import findings
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.draw import draw_anatomy
from rect_data.phantom.generate import generate
from rect_data.phantom.parts import Part
from rect_data.tree.sheet import LUNG, MEDIASTINUM, window

if TYPE_CHECKING:
    import PIL.Image

SOFT: Final = (
    "Medical material",
    "Arterial wall calcification",
    "Cardiomegaly",
    "Pericardial effusion",
    "Coronary artery wall calcification",
    "Hiatal hernia",
    "Lymphadenopathy",
    "Pleural effusion",
)
"""Labels that are shown in the mediastinal window; the others in the lung window."""

_REACH: Final = 40
_ZOOM: Final = 3
_CAPTION: Final = 20
_TRIED: Final = 6
_GROUND: Final = (15, 17, 21)
_SMALL: Final = ("Lung nodule", "Coronary artery wall calcification", "Arterial wall calcification")


def label_plate(path: Path, config: PhantomConfig, *, columns: int = 6) -> None:
    """Writes a PNG with one crop a label, in the order of LABELS: of its first few cases the one that shows most.

    Pillow draws it: pip install 'rect-data[pictures]'.
    """
    from PIL import Image

    tiles = [named(label, crop(label, k, config)) for k, label in enumerate(LABELS)]
    wide, high = tiles[0].size
    sheet = Image.new("RGB", (wide * columns, high * -(-len(tiles) // columns)), _GROUND)
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * wide, i // columns * high))
    with replacing(path) as file:
        sheet.save(file, "PNG", optimize=True)


def crop(label: str, first: int, config: PhantomConfig) -> UInt8[np.ndarray, "a a"]:
    """About 12 cm of the clearest of the cases first, first + 18, ..., each with this label alone."""
    tried = [_changed(label, first + j * len(LABELS), config) for j in range(_TRIED)]
    _, index, (d, h, w) = max(tried)
    hu = generate(index, config, labels=(label,)).volume.hu[d]
    gray = window(hu, MEDIASTINUM if label in SOFT else LUNG)
    return np.pad(gray, _REACH)[h : h + 2 * _REACH, w : w + 2 * _REACH]


def named(label: str, plane: UInt8[np.ndarray, "a a"]) -> "PIL.Image.Image":
    """An enlarged crop under its name."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(plane).resize((2 * _REACH * _ZOOM, 2 * _REACH * _ZOOM), Image.Resampling.BICUBIC)
    tile = Image.new("RGB", (picture.width + 4, picture.height + _CAPTION + 4), _GROUND)
    tile.paste(picture, (2, _CAPTION + 2))
    ImageDraw.Draw(tile).text((4, 3), label, font=ImageFont.load_default(size=13), fill=(235, 238, 242))
    return tile


def _changed(label: str, index: int, config: PhantomConfig) -> tuple[float, int, tuple[int, int, int]]:
    """How much the finding changes the picture, the case, and where; a large heart is all its own change."""
    from scipy import ndimage

    scene, seed = draw_anatomy(index, config, (label,))
    before = scene.hu.copy()
    findings.draw_labels(scene, seed)
    change = np.minimum(np.abs(scene.hu - before), 500)
    if not change.any():
        change = np.isin(scene.parts, Part.HEART).astype(np.float32)
    smooth = ndimage.uniform_filter(change, (1, 9, 9))
    d = int(smooth.max(axis=(1, 2)).argmax() if label in _SMALL else smooth.sum(axis=(1, 2)).argmax())
    spread = ndimage.uniform_filter(change[d], 9 if label in _SMALL else 45)
    h, w = np.unravel_index(int(spread.argmax()), spread.shape)
    return float(spread.max()), index, (d, int(h), int(w))
