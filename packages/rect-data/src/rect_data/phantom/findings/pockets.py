"""Devices that lie in a pocket under the skin of the chest, with a line into the great veins: pacemakers and ports."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.anatomy.heart_shape import Heart
from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.lines import caval_line
from rect_data.phantom.findings.metal import LABEL, METAL_HU, TOP_HU, curve, wire
from rect_data.phantom.grid import Box, Point
from rect_data.phantom.paint import coverage, local_mm
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

_SOFT_MM: Final = 1.2
_SKIN_EDGE_HU: Final = -160.0
_OUTSIDE: Final = (Part.OUTSIDE, Part.TABLE)
_ATRIUM: Final = (-52.0, -34.0, -30.0)
_VENTRICLE: Final = ((-62.0, -22.0, -22.0), (-84.0, -38.0, 4.0), (-93.0, -55.0, 34.0))
"""Reference mm of the tip of an atrial lead and of the way of a ventricular one, from the middle of the atrium."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slab:
    """A flat box with round corners: physical centre, unit vectors across, up and through as rows, half lengths along
    them, and radii in mm of its corners seen from the front and of its edges."""

    centre: Float[np.ndarray, " 3"]
    frame: Float[np.ndarray, "3 3"]
    half: Point
    corner_mm: float
    edge_mm: float

    def distance(self, scene: Scene) -> tuple[Box, Float32[np.ndarray, "a b c"]] | None:
        """Box around the slab and the signed distance to its surface in mm; None outside the scan."""
        middle = (float(self.centre[0]), float(self.centre[1]), float(self.centre[2]))
        box = scene.grid.around(middle, float(np.linalg.norm(self.half)) + 8)
        if box is None:
            return None
        z, y, x = local_mm(scene.grid, box, middle)
        across, up, through = (
            np.abs(r[0] * z + r[1] * y + r[2] * x) - np.float32(h)
            for r, h in zip(self.frame.astype(np.float32), self.half, strict=True)
        )
        front = _rounded(across, up, self.corner_mm)
        return box, _rounded(front, through, self.edge_mm)


def _rounded(one: np.ndarray, other: np.ndarray, radius_mm: float) -> Float32[np.ndarray, "a b c"]:
    """Signed distance to what lies inside two surfaces, rounded where they meet."""
    r = np.float32(radius_mm)
    apart = np.sqrt(np.maximum(one + r, 0) ** 2 + np.maximum(other + r, 0) ** 2)
    return np.asarray(apart + np.minimum(np.maximum(one, other) + r, 0) - r, np.float32)


def pacemaker(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A generator in front of a pectoral muscle, more often the left, with one or two leads through the subclavian vein
    and the superior vena cava into the right heart."""
    side = "left" if rng.random() < 0.8 else "right"
    sign, leads = (1.0 if side == "left" else -1.0), int(rng.choice([1, 2], p=[0.3, 0.7]))
    half = (22.5 * rng.uniform(0.9, 1.1), 20 * rng.uniform(0.9, 1.15), rng.uniform(3.5, 5.0))
    pocket = _pocket(scene, (rng.uniform(60, 72), sign * rng.uniform(66, 78)), half[2] + 4)
    if pocket is None or "svc" not in scene.tubes:
        return None
    centre, frame = pocket
    header = centre + frame[1] * (half[1] + 2)
    can = Slab(centre=centre, frame=frame, half=half, corner_mm=11.0, edge_mm=3.0)
    _cover(scene, can)
    _solid(
        scene,
        Slab(centre=header, frame=frame, half=(half[0] * 0.7, 4.5, half[2] * 0.8), corner_mm=3.0, edge_mm=2.0),
        280.0,
    )
    _solid(scene, can, TOP_HU)
    heart = Heart.of(scene)
    ends = [np.array([_ATRIUM]), np.array(_VENTRICLE)][2 - leads :]
    for k, end in enumerate(ends):
        shift = np.array([0.0, 1.5, 1.0]) * k
        way = np.concatenate([[header], caval_line(scene, side) + shift, scene.pose.physical(heart.placed(end))])
        smooth = curve(way)
        wire(scene, [smooth], 0.8, 0.4 * METAL_HU)
        wire(scene, [smooth[-3:]], 1.1, METAL_HU)
    return Fact(label=LABEL, kind="pacemaker", side=side)


def port(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A port: a chamber of plastic with a metal cup under the skin, more often on the right, and a catheter through the
    jugular or subclavian vein to where the superior vena cava meets the atrium."""
    side = "right" if rng.random() < 0.75 else "left"
    sign = -1.0 if side == "right" else 1.0
    half = (12.5, 12.5, rng.uniform(4.5, 6.0))
    pocket = _pocket(scene, (rng.uniform(52, 68), sign * rng.uniform(56, 72)), half[2] + 5)
    metal, jugular, density = rng.random() < 0.6, rng.random() < 0.5, rng.uniform(500, 1000)
    if pocket is None or "svc" not in scene.tubes:
        return None
    centre, frame = pocket
    _cover(scene, Slab(centre=centre, frame=frame, half=half, corner_mm=12.5, edge_mm=3.0))
    for less, hu in ((0.0, 380.0), (1.5, TOP_HU if metal else 700.0), (2.5, 40.0)):
        wide = half[0] - 3 * less
        _solid(
            scene, Slab(centre=centre, frame=frame, half=(wide, wide, half[2] - less), corner_mm=wide, edge_mm=1.5), hu
        )
    vein = caval_line(scene, side, jugular=jugular)[int(jugular) :]
    way = np.concatenate([_tunnel(scene, centre + frame[1] * 11, vein[0]), vein])
    wire(scene, [curve(way)], 1.2, float(density))
    return Fact(label=LABEL, kind="port catheter", side=side)


def _pocket(
    scene: Scene, place: tuple[float, float], depth_mm: float
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, "3 3"]] | None:
    """Physical centre of a pocket over the muscle at reference (z, x), at least depth_mm under the skin, and a frame:
    unit vectors across, up and inward. None where the scan does not show it."""
    up, across = np.array([[18.0, 0.0], [-18.0, 0.0]]), np.array([[0.0, 12.0], [0.0, -12.0]])
    middle = scene.pose.physical(np.array([[place[0], -40.0, place[1]]]))[0, [0, 2]]
    skin = [_skin(scene, middle + step) for step in (np.zeros(2), *up, *across)]
    if any(s is None for s in skin):
        return None
    at = np.array([s for s in skin if s is not None])
    rise, run = at[1] - at[2], at[3] - at[4]
    inward = np.cross(rise, run)
    inward *= np.sign(inward[1]) / np.linalg.norm(inward)
    rise -= (rise @ inward) * inward
    rise /= np.linalg.norm(rise)
    return at[0] + inward * max(depth_mm, min(_fat_mm(scene, at[0], inward) - depth_mm + 4, 30.0)), np.stack(
        [np.cross(inward, rise), rise, inward]
    )


def _skin(scene: Scene, place: np.ndarray) -> np.ndarray | None:
    """The first point of the body from the front at physical (z, x)."""
    index = scene.grid.index(np.array([[place[0], 0.0, place[1]]]))[0]
    d, _, w = np.rint(index).astype(int)
    if not (0 <= d < scene.grid.shape[0] and 0 <= w < scene.grid.shape[2]):
        return None
    body = np.flatnonzero(~np.isin(scene.parts[d, :, w], _OUTSIDE))
    return scene.grid.point(np.array([[d, body[0], w]]))[0] if len(body) else None


def _tunnel(scene: Scene, start: np.ndarray, end: np.ndarray) -> Float[np.ndarray, "n 3"]:
    """A way under the skin between two physical points."""
    way = start + np.linspace(0, 1, 6)[:-1, None] * (end - start)
    for point in way[1:]:
        skin = _skin(scene, point[[0, 2]])
        if skin is not None:
            point[1] = max(point[1], skin[1] + 6)
    return np.asarray(way)


def _fat_mm(scene: Scene, skin: np.ndarray, inward: np.ndarray) -> float:
    """Depth of the first muscle or bone under the skin."""
    steps = np.arange(0.0, 60.0, 1.5)
    at = np.rint(scene.grid.index(skin + steps[:, None] * inward)).astype(int)
    at = at[((at >= 0) & (at < scene.grid.shape)).all(1)]
    deep = np.flatnonzero(~np.isin(scene.parts[tuple(at.T)], (*_OUTSIDE, Part.FAT, Part.BREAST)))
    deep = deep[deep > 2]  # the skin itself may count as muscle
    return float(steps[deep[0]]) if len(deep) else 30.0


def _cover(scene: Scene, slab: Slab) -> None:
    """Fat and skin over a slab that bulges the skin."""
    found = slab.distance(scene)
    if found is not None:
        box, distance = found
        outside = np.isin(scene.parts[box], _OUTSIDE) | (scene.hu[box] < _SKIN_EDGE_HU)
        for depth, hu in ((6.0, 10.0), (4.0, -100.0)):
            scene.blend(box, coverage(distance - np.float32(depth), _SOFT_MM) * outside, hu, Part.FAT)


def _solid(scene: Scene, slab: Slab, hu: float) -> None:
    """Paints a slab; its voxels keep their owners, for a device is no part of the body's own."""
    found = slab.distance(scene)
    if found is not None:
        scene.blend(found[0], coverage(found[1], _SOFT_MM), hu)
