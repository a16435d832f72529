"""What lies under the diaphragm: liver, stomach with its gas, spleen, kidneys, colon, and the fat between them."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.anatomy.thorax import dome_z, spine_y
from rect_data.phantom.anatomy.wall import Lattice, Polar, rim
from rect_data.phantom.grid import Box
from rect_data.phantom.paint import coverage, tube_distance
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene, Tube

_EDGE_MM: Final = 1.7
_DIAPHRAGM_MM: Final = 2.6
_GAS_HU: Final = -985.0
_ALL: Final = slice(None)
_SLAB: Final = 8
_ORDER: Final = ("liver", "spleen", "kidney", "stomach", "colon")
_PARTS: Final = {
    "liver": Part.LIVER,
    "spleen": Part.SPLEEN,
    "kidney": Part.ABDOMEN,
    "stomach": Part.STOMACH,
    "colon": Part.ABDOMEN,
}
_VESSELS: Final = (
    ((-104, 24, -20), (-112, 20, -50), (-128, 14, -80), (-142, 8, -106)),
    ((-104, 22, -20), (-118, -2, -38), (-138, -28, -52)),
    ((-104, 20, -18), (-114, -10, 0), (-124, -34, 26)),
    ((-176, 4, -16), (-158, 6, -42), (-150, 16, -76), (-140, 34, -100)),
    ((-158, 6, -42), (-146, -18, -74), (-128, -30, -92)),
    ((-158, 6, -42), (-148, -30, -8), (-136, -46, 18)),
)
"""Reference points of hepatic veins and portal branches."""

Field = Float32[np.ndarray, "c a b"]


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints diaphragm, fat and organs below the domes, enhanced where the scan has contrast."""
    low = np.flatnonzero(scene.z.reshape(len(scene.z), -1).min(axis=1) < -15)
    if not len(low):
        return
    last = int(low[-1]) + 1
    lattice = Lattice.of(scene, last)
    z, y, x = lattice.pick(scene)
    wall = Polar.of(z, y, x).distance(rim(scene.patient))
    below = np.maximum(np.float32(0.75) * (z - dome_z(y, x, scene.traits)), wall)
    noise = _noise(z.shape, rng)
    organs = _organs(scene, z, y, x, below + np.float32(_DIAPHRAGM_MM), noise, rng)
    tissue, gas = _tissue(scene, rng), _gas_levels(scene, rng)
    for first in range(0, last, _SLAB):
        slab = slice(first, min(first + _SLAB, last))
        box = (slab, _ALL, _ALL)
        inside, texture = lattice.fill(below, slab), lattice.fill(noise, slab)
        scene.blend(box, coverage(inside, _EDGE_MM), 46.0, Part.ABDOMEN)
        scene.blend(box, coverage(inside + np.float32(_DIAPHRAGM_MM), _EDGE_MM), -101 + 5 * texture)
        for name in _ORDER:
            distance = lattice.fill(organs[name], slab)
            scene.blend(box, coverage(distance, _EDGE_MM), tissue[name] + 3 * texture, _PARTS[name])
            if name in gas:
                _fill_hollow(scene, box, distance, texture, gas[name], name)
    _vessels(scene, tissue["vessel"])


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Field:
    """Smooth noise of unit variance."""
    from scipy import ndimage

    out = ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), (1.0, 1.0, 1.0))
    return np.asarray(out / np.float32(out.std() + 1e-6))


def _tissue(scene: Scene, rng: np.random.Generator) -> dict[str, float]:
    """HU: a liver below 40 is fatty (Boyce et al. 2010, hepatic steatosis on low-dose CT), as in one of two
    obese patients."""
    fatty = rng.uniform(8, 45) if rng.random() < 0.9 * scene.patient.build - 0.15 else 0.0
    iodine = scene.traits.contrast * float(rng.uniform(0.08, 0.3))
    return {
        "liver": float(rng.normal(60, 4) - fatty + iodine),
        "spleen": float(rng.normal(50, 3) + 1.3 * iodine),
        "kidney": float(33 + 1.8 * iodine),
        "stomach": float(38 + 0.4 * iodine),
        "colon": float(35 + 0.3 * iodine),
        "vessel": float(rng.normal(43, 2) + 1.4 * iodine),
    }


def _gas_levels(scene: Scene, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Height of the gas in hollow organs, as physical y (the patient lies supine), and HU of what lies under it."""
    stomach, colon = scene.pose.physical(np.array([[-130.0, 6.0, 60.0], [-170.0, -45.0, 92.0]]))[:, 1]
    food = float(rng.uniform(5, 28) if rng.random() < 0.6 else rng.uniform(30, 60))
    return {
        "stomach": (float(stomach + rng.uniform(-52, 12)), food),
        "colon": (float(colon + rng.uniform(-25, 18)), -10.0),
    }


def _organs(
    scene: Scene, z: Field, y: Field, x: Field, below: Field, noise: Field, rng: np.random.Generator
) -> dict[str, Field]:
    """Signed distance in mm to each organ. below: to the inner side of the diaphragm and of the belly's wall."""
    size, left, fill = rng.uniform(0.92, 1.1), rng.uniform(-22, 18), rng.uniform(0.7, 1.2)
    warp = 2.5 * noise
    notch = np.hypot(x - 4, y - spine_y(z, scene.traits.kyphosis).astype(np.float32) + 26) - 31
    kidney = np.minimum(
        _oval(z, y, x, (-214.0, 50.0, 58.0), (40.0, 24.0, 27.0)),
        _oval(z, y, x, (-226.0, 52.0, -58.0), (40.0, 24.0, 27.0)),
    )
    right = _oval(z, y, x, (-150.0, -4.0, -62.0), (95.0, 86.0, 84.0 * size))
    liver = _union(right, _oval(z, y, x, (-132.0, -42.0, 18.0 + left / 2.0), (42.0, 34.0, 62.0 + left / 2.0)), 14.0)
    fundus = _oval(z, y, x, (-124.0, 20.0, 62.0), (36.0, 36.0 * fill, 36.0 * fill))
    stomach = _union(fundus, _oval(z, y, x, (-172.0, -14.0, 56.0), (48.0, 30.0 * fill, 28.0)), 12.0)
    colon = _oval(z, y, x, (rng.uniform(-215.0, -150.0), -46.0, 90.0), (22.0, 23.0, 25.0)) + warp
    spleen = _oval(z, y, x, (-142.0, 48.0, 100.0), (46.0 * size, 42.0, 30.0))
    stomach = np.maximum(np.maximum(stomach + warp, below + 3), -notch)
    inside = below + np.float32(1.0)
    return {
        "liver": np.maximum.reduce([liver + warp, inside, -notch, 3 - kidney, 2 - stomach]),
        "spleen": np.maximum.reduce([spleen + warp, inside + 1, 2 - stomach, 4 - kidney]),
        "kidney": np.maximum(kidney, below + 6),
        "stomach": stomach,
        "colon": np.maximum(colon, np.maximum(below + 3, 3 - stomach)),
    }


def _oval(z: Field, y: Field, x: Field, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Field:
    parts = [(a - np.float32(c)) / np.float32(r) for a, c, r in zip((z, y, x), centre, radii, strict=True)]
    return np.asarray((np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2) - 1) * np.float32(min(radii)))


def _union(a: Field, b: Field, soft_mm: float) -> Field:
    """Both bodies, with a smooth seam."""
    blend = np.clip(0.5 + 0.5 * (b - a) / soft_mm, 0, 1).astype(np.float32)
    return np.asarray((b + blend * (a - b) - soft_mm * blend * (1 - blend)).astype(np.float32))


def _fill_hollow(
    scene: Scene,
    box: Box,
    distance: Float32[np.ndarray, "d h w"],
    texture: Float32[np.ndarray, "d h w"],
    gas: tuple[float, float],
    name: str,
) -> None:
    """Content inside a wall of 3.5 mm: fluid and food, and gas where it rises to."""
    level, content = gas
    inner = distance + np.float32(3.5)
    rough = 9.0 if name == "stomach" else 45.0
    scene.blend(box, coverage(inner, _EDGE_MM), content + np.float32(rough) * texture)
    _, y, _ = scene.grid.axes_mm
    scene.blend(box, coverage(np.maximum(inner, y - np.float32(level)), _EDGE_MM), _GAS_HU)


def _vessels(scene: Scene, hu: float) -> None:
    for line in _VESSELS:
        points: Float[np.ndarray, "n 3"] = scene.pose.physical(np.array(line, np.float64))
        tube = Tube(points=points, radii=np.linspace(5.0, 1.8, len(line)), kind="liver vessel")
        found = tube_distance(scene.grid, tube, 2.0)
        if found is not None:
            box, distance = found
            scene.blend(box, coverage(distance, 2.5) * (scene.parts[box] == Part.LIVER), hu)
