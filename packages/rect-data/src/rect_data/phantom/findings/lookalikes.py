"""What normal chests show and beginners take for disease; none of it deserves one of the 18 labels."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.facts import Fact
from rect_data.phantom.findings.place import anywhere, on_vessel
from rect_data.phantom.findings.shapes import SOFT_HU, Lump, crop, haze, sealed, sized
from rect_data.phantom.grid import Box
from rect_data.phantom.paint import noise, stroke
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube

_GRANULOMA, _DEPENDENT, _VESSEL, _MOTION, _MICRO, _CAP = 0.12, 0.25, 0.3, 0.12, 0.2, 0.2
_MOVING: Final = (Part.RIGHT_LUNG, Part.LEFT_LUNG, Part.HEART, Part.PERICARDIUM, Part.LIVER, Part.SPLEEN, Part.STOMACH)


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints each with a small chance of its own, whatever the labels are."""
    chance = rng.random(6)
    if chance[0] < _CAP:
        _apical_cap(scene, rng)
    if chance[1] < _DEPENDENT:
        _dependent_density(scene, rng)
    if chance[2] < _VESSEL:
        _vessel_end_on(scene, rng)
    if chance[3] < _MICRO:
        for _ in range(int(rng.integers(1, 5))):
            _ball(scene, rng, float(rng.uniform(1.2, 2.8)), float(rng.uniform(0, 60)), (1.5, 40.0))
    if chance[4] < _GRANULOMA:
        _granuloma(scene, rng)
    if chance[5] < _MOTION:
        _motion(scene, rng)


def _ball(scene: Scene, rng: np.random.Generator, diameter_mm: float, hu: float, depth_mm: tuple[float, float]) -> str:
    """A tiny round body; returns the lobe, or "" where it found no place."""
    place = anywhere(scene, rng, depth_mm=depth_mm)
    body = None if place is None else sized(scene.grid, place.point_mm, Lump.of(rng), diameter_mm)
    if place is None or body is None:
        return ""
    scene.blend(body.box, np.where(scene.lung(body.box), body.alpha, np.float32(0)), hu)
    return place.lobe


def _granuloma(scene: Scene, rng: np.random.Generator) -> None:
    """A healed, calcified granuloma: dense all through, so benign (Fleischner Society 2017,
    doi:10.1148/radiol.2017161659)."""
    diameter = float(rng.uniform(3, 7))
    lobe = _ball(scene, rng, diameter, float(rng.uniform(350, 900)), (4.0, 60.0))
    if lobe:
        scene.facts.append(
            Fact(label="", kind="calcified granuloma", side=lobe.split()[0], lobes=(lobe,), size_mm=diameter)
        )


def _dependent_density(scene: Scene, rng: np.random.Generator) -> None:
    """Hazy lung along the lowest pleura of a patient who lies on the back; gone when prone (Hansell 2008)."""
    thick, hu, start = float(rng.uniform(5, 12)), float(rng.uniform(-720, -560)), float(rng.uniform(58, 70))
    band = (scene.y[:, ::4, ::4] > start - 8) & (scene.lobes[:, ::4, ::4] > 0) & (scene.z[:, ::4, ::4] < 20)
    rows, slices = np.flatnonzero(band.any((0, 2))), np.flatnonzero(band.any((1, 2)))
    wet = scene.traits.effusion_ml
    if not len(rows) or any(wet):
        return
    behind = slice(4 * int(rows[0]), min(4 * int(rows[-1]) + 4, scene.grid.shape[1]))
    box = (slice(int(slices[0]), int(slices[-1]) + 1), behind, slice(0, scene.grid.shape[2]))
    grid = crop(scene.grid, box)
    uneven = np.float32(thick) * np.exp(0.3 * noise(grid.shape, grid.spacing_mm, 14.0, rng))
    alpha = np.clip(1.35 - scene.depth_mm()[box] / uneven, 0, 1)
    alpha *= np.clip((scene.y[box] - np.float32(start)) / 12, 0, 1) * np.clip((20 - scene.z[box]) / 25, 0, 1)
    haze(scene, box, np.where(scene.lung(box), alpha, np.float32(0)).astype(np.float32, copy=False), hu)
    scene.facts.append(Fact(label="", kind="dependent density", side="bilateral"))


def _vessel_end_on(scene: Scene, rng: np.random.Generator) -> None:
    """A prominent vessel along the body's axis: a dot in one slice that goes on in the next ones."""
    bend, thick = rng.normal(0, 0.8, (5, 2)), float(rng.uniform(1.7, 2.4))
    found = on_vessel(scene, rng, radius_mm=(1.0, 2.4))
    if found is None:
        return
    start = np.asarray(found[0].point_mm)
    rise = np.linspace(-18, 18, 5)
    points = start + np.concatenate([rise[:, None], bend * (np.abs(rise) > 0)[:, None]], axis=1)
    tube = Tube(points=points, radii=thick * np.array([0.4, 0.8, 1.0, 0.8, 0.4]), kind="vessel")
    if _in_lung(scene, points):
        stroke(scene, tube, 42.0 + 0.8 * scene.traits.contrast)


def _in_lung(scene: Scene, points_mm: Float[np.ndarray, "n 3"]) -> bool:
    at = np.rint(scene.grid.index(points_mm)).astype(np.int64)
    inside = ((at >= 0) & (at < np.array(scene.grid.shape))).all()
    return bool(inside) and bool((scene.lobes[tuple(at.T)] > 0).all())


def _apical_cap(scene: Scene, rng: np.random.Generator) -> None:
    """Thin soft tissue over the tops of the lungs, an ageing change: an apical cap (Hansell 2008)."""
    thick, hu = float(rng.uniform(1, 3.2)), float(rng.uniform(-250, SOFT_HU))
    sparse = scene.lobes[:, ::4, ::4] > 0
    slices = np.flatnonzero(sparse.any((1, 2)))
    if not len(slices) or slices[-1] == len(scene.lobes) - 1:
        return
    deep = max(2, round(20 / scene.grid.spacing_mm[0]))
    _, rows, columns = (slice(0, n) for n in scene.grid.shape)
    box: Box = (slice(int(slices[-1]) - deep, int(slices[-1]) + 1), rows, columns)
    grid = crop(scene.grid, box)
    uneven = np.float32(thick) * np.exp(0.3 * noise(grid.shape, grid.spacing_mm, 10.0, rng))
    fade = np.linspace(0, 1, deep + 1, dtype=np.float32)[:, None, None]
    alpha = np.clip(0.5 + (uneven * fade - scene.depth_mm()[box]) / np.float32(2.5), 0, 1)
    alpha = np.where(scene.lung(box), alpha, np.float32(0)).astype(np.float32, copy=False)
    scene.blend(box, sealed(scene, box, alpha), hu)


def _motion(scene: Scene, rng: np.random.Generator) -> None:
    """Breathing or the heartbeat doubles contours in a few slices over the diaphragm."""
    shift, high = float(rng.uniform(2.0, 4.0)), float(rng.uniform(15, 35))
    angle, strength = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.35, 0.5))
    heart = scene.landmarks["heart"][0]
    low = float(heart) - float(rng.uniform(0, 35))
    box = scene.grid.box((low, -1e4, -1e4), (low + high, 1e4, 1e4))
    if box is None or box[0].stop - box[0].start < 3:
        return
    here = scene.hu[box]
    steps = [
        round(shift * part / s)
        for part, s in zip((np.sin(angle), np.cos(angle)), scene.grid.spacing_mm[1:], strict=True)
    ]
    moved: Float32[np.ndarray, "d h w"] = np.roll(here, steps, axis=(1, 2))
    fade = np.sin(np.linspace(0, np.pi, len(here), dtype=np.float32))[:, None, None] * np.float32(strength)
    here += np.where(np.isin(scene.parts[box], _MOVING), fade * (moved - here), np.float32(0))
    scene.facts.append(Fact(label="", kind="motion artefact"))
