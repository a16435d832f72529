"""The texture of aerated lung: density by breath and gravity, mottling, fissures as faint lines, an azygos lobe."""

from typing import Final

import numpy as np
from jaxtyping import Float32

from rect_data.phantom.anatomy.thorax import BASE_HU, fissures
from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Box
from rect_data.phantom.paint import noise, stroke, upsample
from rect_data.phantom.scene import Scene, Tube

_FISSURE_HU: Final = 105.0
"""A fissure is two layers of pleura, a few tenths of a millimetre: it fills about an eighth of a voxel."""


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Gives both lungs their density and texture."""
    box = _box(scene)
    field = _density(scene, box, rng)
    field += _fissure_lines(scene, box, rng)
    if scene.traits.azygos:
        field += _azygos_line(scene, box)
    fine = upsample(field, _size(box))
    fine *= scene.lung(box)
    scene.hu[box] += fine
    if scene.traits.azygos:
        _azygos_vein(scene)
        scene.facts.append(Fact(label="", kind="azygos lobe", side="right", lobes=("right upper lobe",)))


def _box(scene: Scene) -> Box:
    """The voxels around both lungs; rows and columns start at even numbers."""
    lung, slices = scene.lobes > 0, []
    for axis in range(3):
        found = np.flatnonzero(lung.any(tuple(a for a in range(3) if a != axis)))
        first, last = (int(found[0]), int(found[-1])) if len(found) else (0, 1)
        slices.append(slice(first - first % 2, last + 1))
    return slices[0], slices[1], slices[2]


def _density(scene: Scene, box: Box, rng: np.random.Generator) -> Float32[np.ndarray, "d a b"]:
    """HU to add to even lung, at every second row and column. Full inspiration leaves about -890 between the vessels;
    less breath and the lower (posterior) lung are denser, by 30 to 60 HU from front to back."""
    breath, traits = 1 - scene.traits.inspiration, scene.traits
    base = -896.0 + 150 * breath**1.1 - 25 * traits.hyperinflation + float(rng.normal(0, 16)) - BASE_HU
    slope = float(rng.uniform(0.16, 0.3)) + 0.35 * breath
    y = scene.y[box][:, ::2, ::2]
    dz, dy, dx = scene.grid.spacing_mm
    coarse = (dz, 2 * dy, 2 * dx)
    out = np.float32(slope) * np.clip(y - 5, -90, 90) + np.float32(base)
    out += float(rng.uniform(5, 11)) * noise(y.shape, coarse, 22.0, rng)
    out += float(rng.uniform(5, 9)) * noise(y.shape, coarse, 6.0, rng)
    grain = rng.standard_normal(y.shape, dtype=np.float32)
    out += np.float32(rng.uniform(15, 22)) * (grain + np.float32(0.3) * (grain * grain - 1))
    return np.asarray(out)


def _fissure_lines(scene: Scene, box: Box, rng: np.random.Generator) -> Float32[np.ndarray, "d a b"]:
    """HU that the fissures add; they are incomplete in most people, so the lines fade in places."""
    z, y, x = (np.ascontiguousarray(axis[box][:, ::2, ::2]) for axis in (scene.z, scene.y, scene.x))
    oblique, horizontal = fissures(z, y, x, scene.traits)
    dz, dy, dx = scene.grid.spacing_mm
    blur = np.float32(0.45 * dz + dy)
    lines = np.maximum(1 - np.float32(0.68) * np.abs(oblique) / blur, 0)
    minor = np.maximum(1 - np.abs(horizontal) / (blur + np.float32(0.5 * dz)), 0) * np.float32(0.7)
    lines = np.maximum(lines, minor * ((oblique > 0) & (x < 0)))
    whole = np.clip(noise(z.shape, (dz, 2 * dy, 2 * dx), 25.0, rng) + 1, 0.15, 1)
    return np.asarray(lines * whole * np.float32(_FISSURE_HU))


def _azygos_x(z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Reference x of the azygos fissure: it bows to the right, the more the higher."""
    return np.asarray(-(23 + 0.2 * np.maximum(z - 12, 0) + 15 * (1 - ((y - 25) / 32) ** 2)))


def _azygos_line(scene: Scene, box: Box) -> Float32[np.ndarray, "d a b"]:
    """HU that four layers of pleura add, cut at a right angle by a slice: they show better than a fissure."""
    z, y, x = (axis[box][:, ::2, ::2] for axis in (scene.z, scene.y, scene.x))
    near = np.maximum(1 - np.abs(x - _azygos_x(z, y)) / np.float32(2 * scene.grid.spacing_mm[2]), 0)
    return np.asarray(2.6 * _FISSURE_HU * near * ((np.abs(y - 25) < 34) & (z > 12)), np.float32)


def _azygos_vein(scene: Scene) -> None:
    """The vein at the lower edge of its fissure."""
    y = np.linspace(-6.0, 56.0, 9)
    points = np.stack([np.full_like(y, 12.0), y, _azygos_x(np.full_like(y, 12.0), y)], 1)
    stroke(
        scene,
        Tube(points=scene.pose.physical(points), radii=np.full(len(y), 3.4), kind="azygos vein"),
        42.0 + scene.traits.contrast,
    )


def _size(box: Box) -> tuple[int, int, int]:
    d, h, w = (s.stop - s.start for s in box)
    return d, h, w
