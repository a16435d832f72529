"""One crop a label, cut out where drawing the finding changes the chest most, of a case that shows it well."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from jaxtyping import Float32, UInt8

from rect_core.findings import LABEL_OF_LOCALIZED, LABELS
from rect_core.masks import replacing
from rect_data.phantom import findings
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.draw import draw_anatomy
from rect_data.phantom.generate import generate
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene
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

THIN: Final = ("Emphysema", "Mosaic attenuation pattern")
"""Labels of lung that is too dark in places: they are read in a narrower lung window."""

NARROW: Final = (-780.0, 800.0)
"""Its centre and width, HU."""

CASES: Final[Mapping[str, int]] = dict(
    zip(LABELS, (18, 19, 38, 57, 22, 5, 42, 61, 44, 63, 10, 83, 30, 31, 32, 33, 88, 89), strict=True)
)
"""Numbers of cases in which each label, drawn alone, looks as it mostly does in patients."""

_REACH_MM: Final[Mapping[str, float]] = {
    "Cardiomegaly": 165.0,
    "Pericardial effusion": 90.0,
    "Pleural effusion": 90.0,
    "Mosaic attenuation pattern": 90.0,
}
"""Half the width of a crop; of the others it is _USUAL_MM."""

_USUAL_MM: Final = 60.0
_SIDE: Final = 240
_CAPTION: Final = 20
_GROUND: Final = (15, 17, 21)
_SMALL: Final = (
    *("Lung nodule", "Lymphadenopathy", "Bronchiectasis"),
    *("Coronary artery wall calcification", "Arterial wall calcification"),
)


def label_plate(path: Path, config: PhantomConfig, *, columns: int = 6) -> None:
    """Writes a PNG with one crop a label, in the order of LABELS, each of its case of CASES.

    Pillow draws it: pip install 'rect-data[pictures]'.
    """
    from PIL import Image

    tiles = [named(label, crop(label, CASES[label], config)) for label in LABELS]
    wide, high = tiles[0].size
    sheet = Image.new("RGB", (wide * columns, high * -(-len(tiles) // columns)), _GROUND)
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % columns * wide, i // columns * high))
    with replacing(path) as file:
        sheet.save(file, "PNG", optimize=True)


def crop(label: str, index: int, config: PhantomConfig) -> UInt8[np.ndarray, "a a"]:
    """12 cm and more of a case with this label alone, around its finding; one pixel a voxel in the plane."""
    d, h, w = _middle(label, index, config)
    volume = generate(index, config, labels=(label,)).volume
    gray = window(volume.hu[d], MEDIASTINUM if label in SOFT else NARROW if label in THIN else LUNG)
    reach = round(_REACH_MM.get(label, _USUAL_MM) / volume.spacing_mm[2])
    return np.pad(gray, reach)[h : h + 2 * reach, w : w + 2 * reach]


def named(label: str, plane: UInt8[np.ndarray, "a a"]) -> "PIL.Image.Image":
    """An enlarged crop under its name."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.fromarray(plane).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    tile = Image.new("RGB", (picture.width + 4, picture.height + _CAPTION + 4), _GROUND)
    tile.paste(picture, (2, _CAPTION + 2))
    ImageDraw.Draw(tile).text((4, 3), label, font=ImageFont.load_default(size=13), fill=(235, 238, 242))
    return tile


def _middle(label: str, index: int, config: PhantomConfig) -> tuple[int, int, int]:
    """The voxel around which the finding shows best. A case is drawn on the grid that it is written on."""
    from scipy import ndimage

    scene, seed = draw_anatomy(index, config, (label,))
    before = scene.hu.copy()
    findings.draw_labels(scene, seed)
    if label == "Cardiomegaly":
        return _of_heart(scene)
    change = _change(scene, label, np.abs(scene.hu - before))
    smooth = ndimage.uniform_filter(change, (1, 9, 9))
    d = int(smooth.max(axis=(1, 2)).argmax() if label in _SMALL else smooth.sum(axis=(1, 2)).argmax())
    spread = ndimage.uniform_filter(change[d], 9 if label in _SMALL else 45)
    h, w = np.unravel_index(int(spread.argmax()), spread.shape)
    return d, int(h), int(w)


def _change(scene: Scene, label: str, change: Float32[np.ndarray, "d h w"]) -> Float32[np.ndarray, "d h w"]:
    """Where the finding is: its mask, or by how many HU it changed the picture."""
    finding = next((name for name, own in LABEL_OF_LOCALIZED.items() if own == label), "")
    if finding in scene.instances:
        return np.asarray(scene.instances[finding] > 0, np.float32)
    return np.asarray(np.minimum(change, np.float32(500)))


def _of_heart(scene: Scene) -> tuple[int, int, int]:
    """The slice where the heart is widest, around the middle of the chest."""
    heart = np.isin(scene.parts, Part.HEART)
    d = int((heart.any(axis=1).sum(axis=1)).argmax())
    _, h, w = scene.grid.index(scene.pose.physical(np.zeros((1, 3))))[0]
    return d, int(h), int(w)
