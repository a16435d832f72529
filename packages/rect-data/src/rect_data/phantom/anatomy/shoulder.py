"""Sternum, clavicles, scapulae and humeri."""

import numpy as np
from jaxtyping import Float

from rect_data.phantom.anatomy.wall import ANGLES, CENTRE_Y, HEIGHTS, Table, arm
from rect_data.phantom.grid import Box
from rect_data.phantom.paint import coverage, tube_distance
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube
from rect_data.phantom.traits import Traits

_CORTEX_HU, _EDGE_MM = 600.0, 1.6
_ACROMION = ((104.0, 26.0, 140.0), (106.0, 44.0, 143.0), (94.0, 62.0, 122.0), (78.0, 78.0, 88.0))
_CORACOID = ((86.0, 28.0, 121.0), (92.0, 10.0, 119.0), (88.0, -2.0, 124.0))


def draw(scene: Scene, cage: Table, marrow: float) -> None:
    """Paints the bones of the front and of the shoulders. cage: radii of the rim of the rib cage; marrow: HU."""
    _sternum(scene, cage, marrow)
    _scapulae(scene, marrow)
    for side in (-1.0, 1.0):
        for line, radii, rind in _long_bones(cage, scene.traits):
            points = scene.pose.physical(line * np.array([1.0, 1.0, side]))
            tube = Tube(points=points, radii=radii, kind="bone")
            found = tube_distance(scene.grid, tube)
            if found is not None:
                bone(scene, found[0], found[1], 0.6 * marrow - 20, Part.SHOULDER, rind)


def bone(scene: Scene, box: Box, distance: np.ndarray, marrow: float, part: Part, rind_mm: float = 1.4) -> None:
    """Paints cortex around marrow."""
    inside = coverage(distance.astype(np.float32) + np.float32(rind_mm), _EDGE_MM)
    hu = np.float32(_CORTEX_HU) + inside * np.float32(marrow - _CORTEX_HU)
    scene.blend(box, coverage(distance.astype(np.float32), _EDGE_MM), hu, part)


def on_wall(cage: Table, z: float, degrees: float, out_mm: float) -> tuple[float, float, float]:
    """Reference point of the left side, out_mm outside the rim."""
    row = int(np.argmin(np.abs(HEIGHTS - z)))
    radius = float(np.interp(np.radians(degrees), ANGLES, cage[row])) + out_mm
    return z, CENTRE_Y - radius * float(np.cos(np.radians(degrees))), radius * float(np.sin(np.radians(degrees)))


def _long_bones(cage: Table, traits: Traits) -> list[tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"], float]]:
    """Clavicle, humerus, acromion and coracoid of the left side: points, radii and thickness of the cortex."""
    humerus, _ = arm(traits)
    end = on_wall(cage, 55.0, 17.0, 15.0)
    middle = on_wall(cage, 70.0, 38.0, 20.0)
    clavicle = np.array([end, middle, (88.0, -2.0, 104.0), (102.0, 26.0, 138.0)])
    return [
        (clavicle, np.array([9.0, 6.0, 5.5, 6.5]), 1.8),
        (humerus, np.array([22.0, 14.0, 11.0]), 2.4),
        (np.array(_ACROMION), np.array([6.0, 7.0, 5.0, 3.0]), 1.4),
        (np.array(_CORACOID), np.array([7.0, 5.5, 5.0]), 1.4),
    ]


def _sternum(scene: Scene, cage: Table, marrow: float) -> None:
    """Manubrium, body and xiphoid: a plate before the rim at the front."""
    line = [on_wall(cage, z, 0.0, out) for z in (-130.0, -40.0, 60.0) for out in (0.0, 24.0)]
    front, margin = scene.pose.physical(np.array(line)), np.array([4.0, 6.0, 44.0])
    low, high = front.min(0) - margin, front.max(0) + margin
    box = scene.grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    if box is None:
        return
    z, y, x = scene.z[box], scene.y[box], np.abs(scene.x[box])
    wide = np.interp(z, [-128, -100, -96, -70, 0, 8, 12, 40, 56, 60], [4, 8, 15, 17, 13.5, 15, 19, 29, 27, 22])
    thick = np.interp(z, [-128, -100, -90, 6, 14, 50, 58], [2.5, 3, 5, 5.5, 7, 8, 7])
    middle = CENTRE_Y - np.interp(z, HEIGHTS, cage[:, 0]) - 4.5 - thick
    ends = np.maximum(z - 57 - 0.12 * np.minimum(x, 20), -126 - z)
    joint = np.minimum(np.abs(z - 8), np.abs(z + 97)) - 1.0
    plate = (np.hypot(np.maximum(x / wide, 0) ** 2, (y - middle - 0.006 * x * x) / thick) - 1) * thick
    distance = np.maximum(np.maximum(plate, ends), -joint).astype(np.float32)
    bone(scene, box, distance, marrow, Part.STERNUM)


def _scapulae(scene: Scene, marrow: float) -> None:
    """Blades that glide on the back of the rib cage; raised arms turn them to the side."""
    for side in (-1.0, 1.0):
        ends = [(-72.0, 20.0, side * 60.0), (104.0, 125.0, side * 170.0), (20.0, 125.0, side * 60.0)]
        corners = scene.pose.physical(np.array(ends))
        low, high = corners.min(0), corners.max(0)
        box = scene.grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        if box is not None:
            _scapula(scene, box, marrow)


def _scapula(scene: Scene, box: Box, marrow: float) -> None:
    z, y, x = scene.z[box], scene.y[box], np.abs(scene.x[box])
    height = np.clip((z + 58) / 140, 0, 1)
    lateral_x, lateral_y = 116 + 20 * height**1.3, 78 - 40 * height**1.2
    medial_x, medial_y = 108 - 36 * height**0.8, 88 + 4 * height
    along_x, along_y = lateral_x - medial_x, lateral_y - medial_y
    length = np.hypot(along_x, along_y) + 1e-3
    t = ((x - medial_x) * along_x + (y - medial_y) * along_y) / length
    off = ((x - medial_x) * along_y - (y - medial_y) * along_x) / length
    bow = 7 * np.clip(t / length, 0, 1) * (1 - np.clip(t / length, 0, 1))
    thick = 1.6 + 3.6 * np.exp(-(((t - length) / 7) ** 2)) + 1.2 * np.exp(-((t / 5) ** 2))
    flat = np.abs(off + bow) - thick
    distance = np.maximum(np.maximum(flat, np.maximum(-t - 1, t - length - 3)), np.maximum(z - 84, -58 - z))
    bone(scene, box, distance.astype(np.float32), marrow, Part.SHOULDER, 1.1)
