"""The pleural cavities: rib cage, diaphragm, spine and mediastinum give the lungs their shape, fissures their lobes."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.grid import Box
from rect_data.phantom.paint import coverage, upsample
from rect_data.phantom.parts import LOBES, Part
from rect_data.phantom.scene import Scene
from rect_data.phantom.traits import Traits

TOP_Z: Final = 116.0
"""Reference z of the apices: no lung lies above."""

_Z: Final = (-185, -150, -110, -70, -30, 0, 30, 60, 80, 95, 105, 112, 116)
_HALF_WIDTH: Final = (128, 134, 137, 137, 134, 128, 117, 101, 87, 75, 64, 54, 42)
_FLAT: Final = (0, 0, 0, 0, 0, 0, 0, 12, 22, 30, 35, 38, 39)
"""Half the width over which front and back run straight: the apices round off about x = 39, not about the midline."""
_FRONT: Final = (-74, -82, -88, -89, -87, -83, -73, -52, -32, -14, 0, 12, 26)
_BACK: Final = (87, 92, 96, 97, 95, 91, 85, 76, 69, 62, 55, 47, 36)
_SPINE_Y: Final = (54, 58, 63, 67, 69, 69, 66, 60, 54, 49, 45, 42, 40)
_SQUARE: Final = 0.35
_WIDEST: Final = 0.57
"""Where between front and back the chest is widest."""
_STEP: Final = 0.25
_LOW: Final = -220.0
BASE_HU: Final = -868.0
"""Of the even lung that `parenchyma` gives its density and texture."""

_CORE_Z: Final = (-180, -110, -70, -40, -15, 10, 35, 60, 90, 116)
_CORE_Y: Final = (-95, -70, -50, -30, -10, 10, 28, 42, 60)
_CORE_RIGHT: Final = (
    (10, 14, 20, 26, 28, 24, 8, 2, 4),
    (6, 10, 18, 28, 33, 27, 6, 0, 2),
    (2, 5, 16, 30, 36, 28, 5, -3, 0),
    (0, 2, 14, 30, 37, 31, 9, 0, 2),
    (0, 1, 11, 28, 34, 34, 15, 4, 4),
    (0, 2, 12, 26, 30, 26, 14, 8, 6),
    (9, 13, 22, 28, 28, 18, 11, 9, 8),
    (16, 18, 22, 29, 27, 17, 11, 9, 8),
    (20, 24, 28, 30, 28, 21, 14, 12, 10),
    (24, 26, 28, 28, 26, 24, 20, 18, 14),
)
_CORE_LEFT: Final = (
    (14, 18, 24, 30, 30, 26, 18, 14, 12),
    (10, 16, 24, 32, 34, 27, 18, 14, 12),
    (7, 11, 22, 32, 36, 28, 18, 15, 12),
    (5, 9, 20, 33, 38, 34, 20, 16, 12),
    (4, 7, 18, 31, 37, 36, 24, 18, 12),
    (4, 7, 18, 28, 32, 30, 24, 19, 12),
    (10, 15, 24, 29, 30, 28, 24, 20, 12),
    (17, 20, 25, 30, 30, 26, 19, 16, 10),
    (20, 24, 28, 31, 31, 26, 18, 14, 10),
    (24, 26, 28, 29, 28, 26, 22, 18, 14),
)
"""Reach of the mediastinum to either side (mm) by height and depth: wide at the hila, a seam behind the sternum, and on
the right almost none in front of the spine, where the azygo-oesophageal recess lets the lung in."""


def _table(values: tuple[int, ...]) -> Float32[np.ndarray, " n"]:
    return np.asarray(np.interp(np.arange(_LOW, -_LOW, _STEP), _Z, values), np.float32)


def _core(rows: tuple[tuple[int, ...], ...]) -> Float32[np.ndarray, "a b"]:
    """One row a millimetre of z and one column a millimetre of y from -200 to 200, smooth."""
    axis = np.arange(-200.0, 201.0)
    along = np.stack([np.interp(axis, _CORE_Y, row) for row in rows])
    out = np.stack([np.interp(axis, _CORE_Z, column) for column in along.T], 1)
    bell = np.exp(-((np.arange(-18, 19) / 7.0) ** 2) / 2)
    for _ in range(2):
        out = np.stack([np.convolve(np.pad(row, 18, "edge"), bell / bell.sum(), "valid") for row in out.T])
    return out.astype(np.float32)


_WIDTHS, _FLATS, _FRONTS, _BACKS = (_table(values) for values in (_HALF_WIDTH, _FLAT, _FRONT, _BACK))
_RIGHT_CORE, _LEFT_CORE = _core(_CORE_RIGHT), _core(_CORE_LEFT)


def spine_y(z: np.ndarray, kyphosis: float) -> np.ndarray:
    """Reference y of the centres of the vertebral bodies at heights z."""
    curve = np.cos(np.clip((z + 10) / 130, -1, 1) * np.pi / 2)
    return np.asarray(np.interp(z, _Z, _SPINE_Y) + kyphosis * 8 * curve)


def cavity(z: np.ndarray, y: np.ndarray, x: np.ndarray, wider_mm: float = 0.0) -> np.ndarray:
    """Approximate signed distance (mm, negative inside) to the inner surface of the rib cage, moved out by wider_mm."""
    at = np.clip((np.asarray(z, np.float32) - _LOW) / _STEP, 0, len(_WIDTHS) - 1).astype(np.int16)
    more, flat = np.float32(wider_mm), _FLATS[at]
    a = _WIDTHS[at] - flat + more
    front, back = _FRONTS[at], _BACKS[at]
    depth = y - front - np.float32(_WIDEST) * (back - front)
    b = np.where(depth < 0, np.float32(_WIDEST), np.float32(1 - _WIDEST)) * (back - front) + more
    u = np.maximum(np.abs(x) - flat, 0) / a
    v = depth / b
    u2, v2 = u * u, v * v
    r = np.sqrt(np.maximum(u2 + v2 - np.float32(_SQUARE) * np.minimum(u2, 2) * np.minimum(v2, 2), np.float32(1e-6)))
    return np.asarray((r - 1) * r / np.sqrt(u2 / (a * a) + v2 / (b * b) + np.float32(1e-9)))


def dome_z(y: np.ndarray, x: np.ndarray, traits: Traits) -> np.ndarray:
    """Height of the diaphragm: a dome on each side, lower on the left, that falls steeply to the ribs, most at the
    back: the costophrenic recess."""
    lift, flat = 60 * (0.8 - traits.inspiration), traits.hyperinflation
    u, v = x * np.float32(1 / 135), (y - np.float32(5)) * np.float32(1 / 89)
    u2, v2 = u * u, v * v
    edge = np.clip(2 * np.sqrt(u2 + v2 - np.float32(_SQUARE) * u2 * v2) - 1, 0, 1.3) ** 2
    edge *= 38 + 17 * np.clip(v, -1, 1)
    edge += 9 * np.minimum(((y + 12) * np.float32(1 / 80)) ** 2, 2)
    out = []
    for side, centre, top in (("right", -62.0, -89.0), ("left", 66.0, -100.0)):
        raised = 28 * traits.loss if traits.losing.startswith(side) else 0.0
        drop = edge + 10 * np.minimum(((x - np.float32(centre)) * np.float32(1 / 62)) ** 2, 2)
        out.append(np.float32(top + lift + raised - 14 * flat) - np.float32(1 - 0.6 * flat) * drop)
    left = np.clip(x * np.float32(1 / 40) + np.float32(0.5), 0, 1)
    return np.asarray(out[0] + left * (out[1] - out[0]), np.float32)


def gap(z: np.ndarray, y: np.ndarray, x: np.ndarray, traits: Traits) -> np.ndarray:
    """Signed distance to the mediastinum's core and the spine between the lungs, negative inside them."""
    right, left = _sides(z, y)
    sides = np.maximum(-x - right, x - left) * np.float32(0.85)
    at = np.clip((np.asarray(z, np.float32) - _LOW) / _STEP, 0, len(_WIDTHS) - 1).astype(np.int16)
    centre = spine_y(np.arange(_LOW, -_LOW, _STEP), traits.kyphosis).astype(np.float32)[at]
    behind, beside = y - centre, np.abs(x)
    body = np.sqrt(beside * beside + behind * behind) - 21
    arch = (beside - 16 - np.float32(0.8) * behind) * np.float32(0.78)
    arch = np.maximum(arch, -8 - behind)
    blunt = np.maximum(10 - np.abs(body - arch), 0)
    spine = np.minimum(body, arch) - blunt * blunt * np.float32(1 / 40)
    return np.asarray(np.minimum(sides, spine), np.float32)


def fissures(z: np.ndarray, y: np.ndarray, x: np.ndarray, traits: Traits) -> tuple[np.ndarray, np.ndarray]:
    """Signed heights over the oblique and over the horizontal fissure (the latter counts on the right alone). A lobe
    with volume loss draws its fissure after it."""
    shift = {lobe: 38 * traits.loss if traits.losing == lobe else 0.0 for lobe in LOBES}
    wave = 3 * np.sin(x * np.float32(1 / 31)) + 2 * np.sin(y * np.float32(1 / 23))
    on_right = np.asarray(x) < 0
    down = np.where(
        on_right,
        np.float32(shift["right lower lobe"] - 0.5 * shift["right middle lobe"]),
        np.float32(shift["left lower lobe"] - shift["left upper lobe"] - 4),
    )
    beside = np.abs(x)
    oblique = z - (np.float32(-32) + np.float32(1.12) * y - np.float32(0.0012) * (beside - 70) ** 2 + wave - down)
    level = np.float32(-29.2 + shift["right upper lobe"] - shift["right middle lobe"])
    horizontal = z - (level + np.float32(0.12) * beside - np.float32(0.15) * y + wave)
    return oblique.astype(np.float32), horizontal.astype(np.float32)


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints both lungs as even parenchyma and numbers their lobes."""
    box = _around(scene)
    size = tuple(s.stop - s.start for s in box)
    shape = (size[0], size[1], size[2])
    z, y, x = (np.ascontiguousarray(axis[box][:, ::2, ::2]) for axis in (scene.z, scene.y, scene.x))
    inside = np.maximum(cavity(z, y, x), -gap(z, y, x, scene.traits))
    inside = np.maximum(inside, np.float32(0.6) * (dome_z(y, x, scene.traits) - z))
    inside = np.maximum(inside, z - np.float32(TOP_Z))
    alpha = coverage(upsample(inside.astype(np.float32, copy=False), shape), 1.8)
    scene.blend(box, alpha, BASE_HU)
    lung = alpha >= 0.5
    core_right, core_left = _sides(z, y)
    right = lung & (upsample(2 * x + core_right - core_left, shape) < 0)
    parts = scene.parts[box]
    parts[right], parts[lung & ~right] = Part.RIGHT_LUNG, Part.LEFT_LUNG
    oblique, horizontal = (upsample(field, shape) > 0 for field in fissures(z, y, x, scene.traits))
    on_right = np.uint8(3) - oblique * (np.uint8(1) + horizontal)
    scene.lobes[box] = np.where(right, on_right, np.uint8(5) - oblique) * lung


def _around(scene: Scene) -> Box:
    """The voxels that may hold lung; rows and columns start at even numbers."""
    corners = np.stack(np.meshgrid((-185.0, TOP_Z), (-90.0, 98.0), (-140.0, 140.0)), -1).reshape(-1, 3)
    at = scene.pose.physical(corners)
    low, high = at.min(0) - 10, at.max(0) + 10
    box = scene.grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    if box is None:
        raise ValueError("the field of view misses the chest")
    return box[0], slice(box[1].start & ~1, box[1].stop), slice(box[2].start & ~1, box[2].stop)


def _sides(z: np.ndarray, y: np.ndarray) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Reach of the mediastinum's core to the right and to the left at each height and depth."""
    flat = (np.clip(z, -200, 200) + 200.5).astype(np.int32) * len(_RIGHT_CORE)
    flat += (np.clip(y, -200, 200) + 200.5).astype(np.int32)
    return _RIGHT_CORE.ravel()[flat], _LEFT_CORE.ravel()[flat]
