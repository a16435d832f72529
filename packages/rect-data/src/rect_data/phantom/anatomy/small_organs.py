"""What lies in the fat of the mediastinum beside vessels and heart: thymus, lymph nodes, thyroid and oesophagus."""

from typing import Final

import numpy as np

from rect_data.phantom.facts import Fact
from rect_data.phantom.paint import coverage, ellipsoid, stroke
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube

_CLEAR_THYMUS: Final = 0.4
_STATIONS: Final = (
    *((14, -4, -15), (24, 4, -17), (38, 0, -15), (10, -12, 22), (4, 2, 24), (26, -38, 16), (16, -42, 20), (-20, 18, 2)),
    *((-28, 22, -6), (-22, 8, -44), (-14, 16, 38), (46, -20, 8), (54, 12, 14), (-70, 32, -8)),
)
"""Places of normal nodes: lower paratracheal, aortopulmonary, prevascular, subcarinal, hilar, oesophageal."""


def _paint(scene: Scene, at: np.ndarray, radii: tuple[float, float, float], hu: float, soft_mm: float = 1.8) -> None:
    """An ellipsoid (all in real mm) on whatever belongs to the mediastinum there."""
    found = ellipsoid(scene.grid, (at[0], at[1], at[2]), radii)
    if found is not None:
        box, distance = found
        alpha = coverage(distance, soft_mm) * (scene.parts[box] == Part.MEDIASTINUM)
        scene.blend(box, alpha.astype(np.float32), hu, Part.MEDIASTINUM)


def draw_thymus(scene: Scene, rng: np.random.Generator) -> None:
    """Two lobes before the great vessels; fat replaces them with age (Araki et al. 2016,
    doi:10.1007/s00330-015-3796-y)."""
    much, hu = scene.traits.thymus, rng.uniform(30, 48)
    places = scene.pose.physical(np.array([(8.0, -51.0, 11.0), (8.0, -51.0, -8.0)]))
    for at, tall, wide in zip(places, (32, 27), (16, 11), strict=True):
        size = 0.45 + 0.6 * much
        density = hu - 110 * float(np.clip(0.75 - 1.5 * much, 0, 0.8))
        _paint(scene, at, (tall * size, 10 * size, wide * size), density, 3.0)
    if much > _CLEAR_THYMUS:
        scene.facts.append(Fact(label="", kind="thymic tissue", side="midline"))


def draw_nodes(scene: Scene, rng: np.random.Generator) -> None:
    """Normal nodes are common: short axes mostly below 7 mm, now and then 9 (Glazer et al. 1985,
    doi:10.2214/ajr.144.2.261)."""
    count = len(_STATIONS)
    centres = scene.pose.physical(np.array(_STATIONS) + rng.normal(0, 1.5, (count, 3)))
    shown, short = rng.random(count) < 0.55, np.clip(rng.gamma(6, 0.8, count), 2.5, 9.0) / 2
    longer, hu = rng.uniform(1.1, 1.8, count), rng.uniform(28, 48, count)
    for i in np.flatnonzero(shown):
        _paint(scene, centres[i], (short[i] * longer[i], short[i], short[i] * min(longer[i], 1.3)), float(hu[i]))


def draw_thyroid(scene: Scene, rng: np.random.Generator) -> None:
    """Its lower poles beside the trachea are bright by their iodine."""
    hu = rng.uniform(88, 122) + 0.35 * scene.traits.contrast
    low, tall = rng.uniform(116, 126, 2), rng.uniform(14, 22, 2)
    for at, half in zip(
        scene.pose.physical(np.array([(low[0], -1.0, -17.0), (low[1], -1.0, 18.0)])), tall, strict=True
    ):
        found = ellipsoid(scene.grid, (at[0], at[1], at[2]), (float(half), 8.5, 7.5))
        if found is not None:
            scene.blend(found[0], coverage(found[1], 1.8), hu, Part.MEDIASTINUM)


def draw_oesophagus(scene: Scene, rng: np.random.Generator) -> None:
    """A flat tube of muscle, empty but for a little air here and there."""
    hu = rng.uniform(32, 42) + 0.1 * scene.traits.contrast
    tube = scene.tubes["oesophagus"][0]
    for aside in (-1.9, 1.9):
        points = tube.points + np.array([0.0, 0.0, aside])
        stroke(scene, Tube(points=points, radii=tube.radii - 0.9, kind="wall"), hu, Part.OESOPHAGUS)
    for start in np.sort(rng.integers(0, len(tube.points) - 6, 3)):
        length, width = int(rng.integers(2, 6)), float(rng.uniform(0.6, 2.6))
        if rng.random() < 0.45:
            some = slice(int(start), int(start) + length)
            stroke(
                scene, Tube(points=tube.points[some], radii=np.full(length, width), kind="air"), -900.0, Part.OESOPHAGUS
            )
