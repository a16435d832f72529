"""The mediastinum: its fatty envelope, oesophagus, azygos vein, thymus, thyroid and small lymph nodes."""

from typing import Final

import numpy as np

from rect_data.phantom.anatomy.blood import Blood
from rect_data.phantom.anatomy.bronchial_map import BRONCHI
from rect_data.phantom.anatomy.courses import Course, lay, smooth
from rect_data.phantom.anatomy.heart_shape import Heart
from rect_data.phantom.anatomy.small_organs import draw_nodes, draw_oesophagus, draw_thymus, draw_thyroid
from rect_data.phantom.anatomy.thorax import cavity, dome_z, spine_y
from rect_data.phantom.grid import Box, Grid
from rect_data.phantom.paint import coverage, noise, stroke, tube_distance, upsample
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube

_FAT_HU: Final = -101.0
_ROUND_MM: Final = 5.5
_REACH_MM: Final = 20.0
_LOW, _HIGH = (-150.0, -90.0, -92.0), (126.0, 92.0, 132.0)


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Lays all vessels of the mediastinum, paints fat around them and heart, then what lies in it beside them."""
    heart = Heart.of(scene)
    lay(scene, heart, rng)
    _fat(scene, heart, rng)
    draw_thymus(scene, rng)
    draw_nodes(scene, rng)
    draw_thyroid(scene, rng)
    for tube in scene.tubes["azygos"]:
        stroke(scene, tube, Blood.of(scene).lower, Part.MEDIASTINUM)
    draw_oesophagus(scene, rng)


def _fat(scene: Scene, heart: Heart, rng: np.random.Generator) -> None:
    """Fills the envelope with fat, and whatever lies between the lungs in front of the spine."""
    box = _box(scene)
    z, y, x = scene.z[box], scene.y[box], scene.x[box]
    size = (z.shape[0], z.shape[1], z.shape[2])
    half = (z[:, ::2, ::2], y[:, ::2, ::2], x[:, ::2, ::2])
    inner = np.maximum(cavity(*half) + 1.0, 0.8 * (dome_z(half[1], half[2], scene.traits) + 1 - half[0])).astype(
        np.float32
    )
    envelope = np.maximum(_envelope(scene, box, heart, half), inner)
    alpha = coverage(upsample(envelope.astype(np.float32), size), 2.0)
    between = coverage(upsample(inner, size), 2.0) * (y < spine_y(z, scene.traits.kyphosis) - 4) * ~scene.lung(box)
    alpha = np.maximum(alpha, between) * _soft(scene, box)
    hu = _FAT_HU + 8 * noise(size, scene.grid.spacing_mm, 2.2, rng)
    scene.blend(box, alpha.astype(np.float32), hu, Part.MEDIASTINUM)


def _box(scene: Scene) -> Box:
    corners = scene.pose.physical(
        np.array([(z, y, x) for z in (_LOW[0], _HIGH[0]) for y in (_LOW[1], _HIGH[1]) for x in (_LOW[2], _HIGH[2])])
    )
    low, high = corners.min(0), corners.max(0)
    box = scene.grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    if box is None:
        raise ValueError("the scan misses the mediastinum")
    return box


def _soft(scene: Scene, box: Box) -> np.ndarray:
    """Where there is no bone."""
    parts = scene.parts[box]
    return np.asarray((parts != Part.SPINE) & (parts != Part.RIB) & (parts != Part.STERNUM) & (parts != Part.SHOULDER))


def _envelope(scene: Scene, box: Box, heart: Heart, half: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Signed distance to a smooth surface around all organs of the mediastinum, which also fills the hollows between
    them; at every second voxel in the plane."""
    build = scene.patient.build
    total = np.zeros(half[0].shape, np.float32)
    grid = _half_grid(scene.grid, box)
    for tube in _contents(scene):
        found = tube_distance(grid, tube, _REACH_MM)
        if found is not None:
            inner, distance = found
            total[inner] += np.exp(-np.maximum(distance, -40) / np.float32(_ROUND_MM)) * (distance < _REACH_MM - 0.5)
    z, y, x = half
    pads = 0.5 + 0.7 * build
    right, left = heart.placed(np.array([(-101.0, -52.0, -27.0), (-106.0, -60.0, 60.0)]))
    shapes = [
        heart.sac(z, y, x) - 1.5,
        _blob(half, right, (15 * pads, 17 * pads, 19 * pads)),
        _blob(half, left, (13 * pads, 15 * pads, 20 * pads)),
        _wedge(half, build),
    ]
    for shape in shapes:
        total += np.exp(-np.maximum(shape, -40) / np.float32(_ROUND_MM))
    return np.asarray(-_ROUND_MM * np.log(np.maximum(total, 1e-9)) - (0.5 + 2.5 * build))


def _contents(scene: Scene) -> list[Tube]:
    """All tubes of the mediastinum, and the airways to come."""
    kinds = ("aorta", "arch vessels", "svc", "ivc", "azygos", "oesophagus", "pulmonary artery")
    tubes = [tube for kind in kinds for tube in scene.tubes[kind]]
    airways = [trunk for trunk in BRONCHI if trunk.order < 2]
    lines = [np.array([(*point, trunk.radius_mm + 2) for point in trunk.course]) for trunk in airways]
    return tubes + smooth(scene, [Course("airway", line, 1.0) for line in lines])


def _half_grid(grid: Grid, box: Box) -> Grid:
    d, h, w = (s.stop - s.start for s in box)
    sz, sy, sx = grid.spacing_mm
    first = grid.point(np.array([[s.start for s in box]]))[0]
    return Grid(
        shape=(d, (h + 1) // 2, (w + 1) // 2),
        spacing_mm=(sz, 2 * sy, 2 * sx),
        origin_mm=(float(first[0]), float(first[1]), float(first[2])),
    )


def _wedge(at: tuple[np.ndarray, np.ndarray, np.ndarray], build: float) -> np.ndarray:
    """The fat behind the sternum, narrower toward the front."""
    z, y, x = at
    half = 2 + 3 * build + (0.22 + 0.12 * build) * np.clip(y + 86, 0, 55)
    ends = np.maximum(np.abs(z - 12) - (44 + 12 * build), y + 22)
    return np.asarray(np.maximum(np.abs(x - 4) - half, ends))


def _blob(
    at: tuple[np.ndarray, np.ndarray, np.ndarray], centre: np.ndarray, radii: tuple[float, float, float]
) -> np.ndarray:
    norm = np.sqrt(sum(((a - np.float32(c)) / np.float32(r)) ** 2 for a, c, r in zip(at, centre, radii, strict=True)))
    return np.asarray((norm - 1) * np.float32(min(radii)))
