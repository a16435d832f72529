"""Tubes of plastic in the chest: central venous catheters, tracheostomy tubes, nasogastric tubes and chest tubes."""

from typing import Final

import numpy as np
from jaxtyping import Float

from rect_data.phantom.anatomy.thorax import cavity
from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.metal import LABEL, curve, wire
from rect_data.phantom.paint import coverage, tube_distance
from rect_data.phantom.scene import Scene, Tube

_JUGULAR: Final = {
    "right": ((124.0, -4.0, -30.0), (98.0, -8.0, -27.0), (72.0, -14.0, -24.0)),
    "left": ((124.0, -4.0, 30.0), (96.0, -8.0, 27.0), (74.0, -18.0, 18.0), (56.0, -28.0, 0.0)),
}
_SUBCLAVIAN: Final = {
    "right": ((92.0, -34.0, -64.0), (88.0, -22.0, -44.0), (74.0, -16.0, -28.0)),
    "left": ((92.0, -34.0, 64.0), (88.0, -22.0, 44.0), (74.0, -20.0, 20.0), (56.0, -28.0, 0.0)),
}
"""Reference mm along the veins from the neck or the shoulder to the superior vena cava."""


def caval_line(scene: Scene, side: str, *, jugular: bool = False) -> Float[np.ndarray, "n 3"]:
    """Physical points of the way of a line from a side's vein down the superior vena cava to its end."""
    cava = scene.tubes["svc"][0].points
    cava = cava[np.argsort(-cava[:, 0])]
    veins = np.array((_JUGULAR if jugular else _SUBCLAVIAN)[side])
    way = scene.pose.physical(veins)
    way = way[way[:, 0] > cava[0, 0] + 5]
    return np.concatenate([way, cava]) if len(way) else cava


def central_line(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A central venous catheter from a jugular or subclavian vein, its tip in the superior vena cava."""
    side = "right" if rng.random() < 0.7 else "left"
    jugular, radius, hu, cut = rng.random() < 0.7, rng.uniform(1.0, 1.5), rng.uniform(400, 900), rng.uniform(0.5, 1.0)
    if "svc" not in scene.tubes:
        return None
    line = curve(caval_line(scene, side, jugular=jugular))
    cava = scene.tubes["svc"][0].points[:, 0]
    line = line[line[:, 0] >= cava.max() - cut * np.ptp(cava)]
    if len(line) < 2 or not wire(scene, [line], float(radius), float(hu)):
        return None
    return Fact(label=LABEL, kind="central venous catheter", side=side)


def tracheostomy(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A tracheostomy tube: through the skin above the sternum into the trachea, its tip well above the carina."""
    trachea = next((t for t in scene.tubes.get("airway", []) if t.order == 0), None)
    tip, radius = rng.uniform(36, 52), rng.uniform(4.6, 5.4)
    if trachea is None:
        return None
    line = curve(trachea.points[np.argsort(-trachea.points[:, 0])])
    height = line[:, 0] - scene.landmarks["carina"][0]
    inside = line[(height >= tip) & (height <= 98)]
    entry = scene.pose.physical(np.array([[114.0, -32.0, 0.0], [110.0, -16.0, 0.0]]))
    if len(inside) < 3:
        return None
    way = curve(np.concatenate([entry, inside[2:]]))
    shown = hollow(scene, way, float(radius), 1.7, 480.0, -1000.0)
    return Fact(label=LABEL, kind="tracheostomy tube", side="midline") if shown else None


def nasogastric(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A nasogastric tube down the oesophagus into the stomach, with a stripe that shows on radiographs."""
    gullet = scene.tubes.get("oesophagus", [])
    radius, beyond = rng.uniform(1.9, 2.6), rng.uniform(30, 60)
    if not gullet:
        return None
    points = gullet[0].points[np.argsort(-gullet[0].points[:, 0])]
    stomach = points[-1] + np.array([[-0.35, -0.2, 0.4], [-0.9, -0.5, 0.8]]) * beyond
    shown = hollow(scene, curve(np.concatenate([points, stomach])), float(radius), 0.9, 260.0, -700.0, stripe=True)
    return Fact(label=LABEL, kind="nasogastric tube", side="midline") if shown else None


def chest_tube(scene: Scene, rng: np.random.Generator) -> Fact | None:
    """A chest tube through the lateral chest wall, along the pleura up and back; on the side of an effusion where there
    is one."""
    right, left = scene.traits.effusion_ml
    side = "right" if (right > left or (right == left and rng.random() < 0.5)) else "left"
    sign, radius, entry = (-1.0 if side == "right" else 1.0), rng.uniform(3.5, 5.0), rng.uniform(-35, -10)
    heights = entry + np.array([-6.0, 0.0, 14.0, 40.0, 66.0])
    angles = np.radians([0.0, 0.0, 14.0, 38.0, 52.0])
    depths = np.array([-45.0, -2.0, 7.0, 7.0, 8.0])
    points = [_on_wall(z, sign, angle, depth) for z, angle, depth in zip(heights, angles, depths, strict=True)]
    way = curve(scene.pose.physical(np.array(points)))
    shown = hollow(scene, way, float(radius), 1.7, 350.0, -850.0, stripe=True)
    return Fact(label=LABEL, kind="chest tube", side=side) if shown else None


def _on_wall(z: float, sign: float, angle: float, depth_mm: float) -> tuple[float, float, float]:
    """Reference point depth_mm inside the rib cage at a height and an angle behind the side."""
    reach = np.arange(20.0, 220.0, 1.0)
    y, x = 5 + reach * np.sin(angle), sign * reach * np.cos(angle)
    at = reach[int(np.argmin(np.abs(cavity(np.full(len(reach), z), y, x) + depth_mm)))]
    return z, float(5 + at * np.sin(angle)), float(sign * at * np.cos(angle))


def hollow(
    scene: Scene,
    line: Float[np.ndarray, "n 3"],
    radius_mm: float,
    wall_mm: float,
    hu: float,
    lumen_hu: float,
    *,
    stripe: bool = False,
) -> bool:
    """Paints a tube with a wall and a lumen, and a dense stripe in the wall where asked for; whether any of it shows.
    Voxels keep their owners."""
    for radius, value in ((radius_mm, hu), (radius_mm - wall_mm, lumen_hu)):
        found = tube_distance(scene.grid, Tube(points=line, radii=np.full(len(line), radius), kind="tube"))
        if found is None:
            return False
        scene.blend(found[0], coverage(found[1], 1.5), value)
    if stripe:
        wire(scene, [line + np.array([0.0, -0.5, 0.5]) * (radius_mm - wall_mm / 2)], 0.6, 3000.0)
    return True
