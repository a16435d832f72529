"""Hiatal hernia: a pouch of the stomach above the diaphragm, behind the heart and before the spine and the aorta."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Box, Grid, Point
from rect_data.phantom.paint import coverage, local_mm, noise, tube_distance
from rect_data.phantom.parts import LUNGS, Part
from rect_data.phantom.scene import Scene, Tube

LABEL: Final = "Hiatal hernia"
GAS_HU: Final = -960.0
FAT_HU: Final = -98.0
_YIELDING: Final = (Part.MEDIASTINUM, Part.OESOPHAGUS, Part.STOMACH, Part.ABDOMEN, Part.FAT, *LUNGS)
"""What a pouch pushes aside; heart, aorta, spine, liver and pleural fluid give it its shape instead."""

_SOFT_MM: Final = 1.6


@dataclass(frozen=True, kw_only=True, slots=True)
class Pouch:
    """A pouch in physical mm: centre (z, y, x), half axes, thickness of its wall, height of its folds, fat around it,
    share of its content that is gas, and HU of the rest."""

    centre: Point
    radii: Point
    wall_mm: float
    folds_mm: float
    fat_mm: float
    gas: float
    content_hu: float


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints one pouch with its neck through the hiatus and adds its Fact.

    Its voxels are Part.STOMACH, whatever its size: it is stomach, above the diaphragm or below. size_mm is the longest
    in-plane diameter of what was painted, wall included.
    """
    hiatus = scene.landmarks["hiatus"]
    pouch = _pouch(hiatus, rng)
    reach = tuple(r + 14 for r in pouch.radii)
    box = scene.grid.around(pouch.centre, (reach[0], reach[1], reach[2]))
    size, gas = float("nan"), False
    if box is not None:
        distance = np.maximum(_distance(scene.grid, box, pouch, hiatus), _held_off(scene, box))
        gas = _paint(scene, box, distance, pouch, rng)
        size = longest_mm(distance < 0, scene.grid)
    details = ("with air-fluid level",) if gas else ()
    scene.facts.append(Fact(label=LABEL, kind="hiatal hernia", side="midline", size_mm=size, details=details))


def _pouch(hiatus: np.ndarray, rng: np.random.Generator) -> Pouch:
    """Mostly small, with gas over fluid in three of five; the others are full of food or fluid, or collapsed."""
    wide = float(np.clip(rng.lognormal(np.log(42), 0.28), 27, 72)) / 2
    deep, tall = wide * rng.uniform(0.75, 0.95), wide * rng.uniform(0.8, 1.15)
    aside = rng.normal(0, 4, 2)
    gas, folds = rng.uniform(0.25, 0.65), rng.uniform(1.0, 4.0)
    holds = rng.random()
    return Pouch(
        centre=(
            float(hiatus[0] + 0.7 * tall + 4),
            float(hiatus[1] - 0.3 * deep + aside[0]),
            float(hiatus[2] + aside[1]),
        ),
        radii=(float(tall), float(deep), float(wide)),
        wall_mm=float(rng.uniform(2.8, 4.5)),
        folds_mm=float(folds if holds < 0.8 else folds + 4),
        fat_mm=float(rng.uniform(0.5, 6)),
        gas=float(gas) if holds < 0.6 else 0.0,
        content_hu=float(rng.uniform(8, 38)),
    )


def _distance(grid: Grid, box: Box, pouch: Pouch, hiatus: np.ndarray) -> Float32[np.ndarray, "a b c"]:
    """Signed distance in mm to the outside of the pouch and of its neck, which runs to the stomach under the hiatus."""
    z, y, x = local_mm(grid, box, pouch.centre)
    rz, ry, rx = (np.float32(r) for r in pouch.radii)
    bulge = 1 + np.float32(0.05) * np.sin(z / 9 + y / 11) + np.float32(0.05) * np.sin(x / 10 - z / 13)
    norm = np.sqrt((z / rz) ** 2 + (y / ry) ** 2 + (x / rx) ** 2) / bulge
    out = ((norm - 1) * np.float32(min(pouch.radii))).astype(np.float32)
    line = np.stack([np.array(pouch.centre), hiatus, hiatus + np.array([-24.0, -10.0, 14.0])])
    neck = tube_distance(grid, Tube(points=line, radii=np.array([10.0, 9.0, 10.0]), kind="neck"), 12.0)
    if neck is not None:
        both = [slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, neck[0], strict=True)]
        here, there = (
            tuple(slice(s.start - o.start, s.stop - o.start) for s, o in zip(both, at, strict=True))
            for at in (box, neck[0])
        )
        out[here] = np.minimum(out[here], neck[1][there])
    return out


def _held_off(scene: Scene, box: Box) -> Float32[np.ndarray, "a b c"]:
    """Signed distance in mm to the room that neighbours leave: marked lesions and what does not yield."""
    from scipy import ndimage

    room = np.isin(scene.parts[box], _YIELDING)
    for lesions in scene.instances.values():
        room &= lesions[box] == 0
    return (np.float32(1.5) - ndimage.distance_transform_edt(room, sampling=scene.grid.spacing_mm)).astype(np.float32)


def _paint(
    scene: Scene, box: Box, distance: Float32[np.ndarray, "a b c"], pouch: Pouch, rng: np.random.Generator
) -> bool:
    """Fat, wall, content and gas in front of it; whether gas shows over a level."""
    z, y, x = local_mm(scene.grid, box, pouch.centre)
    fat = coverage(distance - np.float32(pouch.fat_mm), _SOFT_MM) * scene.lung(box)
    scene.blend(box, fat, FAT_HU, Part.MEDIASTINUM)
    scene.blend(box, coverage(distance, _SOFT_MM), 42.0 + 0.15 * scene.traits.contrast, Part.STOMACH)
    ripple = np.sin(6 * np.arctan2(y, x) + z / 5) + np.sin(11 * np.arctan2(y, x) - z / 7)
    inner = distance + np.float32(pouch.wall_mm) + np.float32(pouch.folds_mm / 2) * np.maximum(ripple, 0)
    food = noise(distance.shape, scene.grid.spacing_mm, 4.0, rng)
    scene.blend(box, coverage(inner, _SOFT_MM), np.float32(pouch.content_hu) + 7 * food)
    if pouch.gas == 0:
        return False
    depth = np.broadcast_to(y, distance.shape)
    above = depth[(inner < 0) & (z > -pouch.radii[0])]
    level = np.float32(np.quantile(above, pouch.gas)) if above.size else np.float32(0)
    gas = coverage(inner, _SOFT_MM) * coverage(depth - level, 1.0)
    scene.blend(box, gas, GAS_HU)
    return bool((gas > 0.9).sum() > 20 and ((inner < -1) & (y > level + 1)).any())


def longest_mm(mask: Bool[np.ndarray, "a b c"], grid: Grid) -> float:
    """Longest in-plane diameter of a mask in mm, 0 where it is empty."""
    if not mask.any():
        return 0.0
    plane = np.argwhere(mask[int(np.argmax(mask.sum((1, 2))))]) * np.array(grid.spacing_mm[1:])
    angles = np.arange(36) * np.pi / 36
    widths = np.ptp(plane @ np.stack([np.cos(angles), np.sin(angles)]), axis=0)
    return float(widths.max() + min(grid.spacing_mm[1:]))
