"""The body's outline: skin, fat, breasts, and the muscles around the rib cage with the fat between them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32

from rect_data.phantom.anatomy.thorax import spine_y
from rect_data.phantom.anatomy.wall import ANGLES, HEIGHTS, Lattice, Polar, Table, arm, oval, ramp, rim
from rect_data.phantom.paint import coverage
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

FAT_HU: Final = -104.0
MUSCLE_HU: Final = 52.0
_SKIN_HU, _GLAND_HU, _SKIN_MM = 40.0, 36.0, 2.0
_EDGE_MM: Final = 1.7
_SLAB: Final = 6

_DEGREES: Final = (0.0, 20.0, 45.0, 65.0, 85.0, 100.0, 118.0, 135.0, 150.0, 165.0, 180.0)
_LEVELS: Final = (-230.0, -150.0, -90.0, -40.0, 0.0, 35.0, 65.0, 90.0, 130.0)
_MUSCLE: Final = (
    (11.0, 13.0, 12.0, 13.0, 15.0, 16.0, 19.0, 28.0, 40.0, 46.0, 42.0),
    (12.0, 12.0, 13.0, 14.0, 16.0, 17.0, 20.0, 26.0, 33.0, 41.0, 39.0),
    (15.0, 13.0, 14.0, 15.0, 17.0, 20.0, 25.0, 27.0, 28.0, 38.0, 37.0),
    (16.0, 16.0, 18.0, 18.0, 20.0, 28.0, 36.0, 33.0, 30.0, 37.0, 36.0),
    (17.0, 21.0, 27.0, 28.0, 34.0, 47.0, 50.0, 42.0, 36.0, 37.0, 35.0),
    (19.0, 25.0, 35.0, 46.0, 60.0, 66.0, 58.0, 46.0, 40.0, 38.0, 35.0),
    (21.0, 27.0, 38.0, 62.0, 84.0, 84.0, 64.0, 48.0, 42.0, 40.0, 36.0),
    (20.0, 22.0, 40.0, 75.0, 100.0, 96.0, 70.0, 50.0, 44.0, 40.0, 36.0),
    (14.0, 14.0, 22.0, 60.0, 100.0, 100.0, 76.0, 50.0, 44.0, 42.0, 38.0),
)
"""Thickness of the chest wall without its subcutaneous fat in mm, from the pleura to the outer muscles."""

_FAT: Final = (
    (1.25, 1.35, 1.35, 1.2, 1.15, 1.2, 1.3, 1.2, 1.0, 0.8, 0.6),
    (1.1, 1.2, 1.2, 1.1, 1.05, 1.1, 1.1, 1.0, 0.8, 0.65, 0.5),
    (0.7, 0.85, 0.9, 0.9, 1.0, 1.0, 0.9, 0.75, 0.6, 0.5, 0.45),
    (0.5, 0.7, 0.85, 0.95, 1.1, 1.0, 0.8, 0.65, 0.55, 0.5, 0.5),
    (0.45, 0.6, 0.75, 0.95, 1.1, 0.95, 0.75, 0.6, 0.55, 0.55, 0.55),
    (0.45, 0.5, 0.6, 0.8, 0.9, 0.85, 0.7, 0.6, 0.6, 0.65, 0.7),
    (0.4, 0.45, 0.5, 0.6, 0.7, 0.7, 0.65, 0.6, 0.65, 0.75, 0.8),
    (0.4, 0.4, 0.45, 0.5, 0.5, 0.5, 0.5, 0.55, 0.65, 0.75, 0.8),
    (0.4, 0.4, 0.45, 0.5, 0.5, 0.5, 0.5, 0.55, 0.65, 0.75, 0.8),
)
"""Subcutaneous fat as a factor of `Traits.fat_mm`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layers:
    """Signed distances in mm on a lattice: to the rim of the rib cage, the outer muscles, the skin, the fat of axilla
    and neck, and the erector spinae; height of the breast over the chest; and smooth noise of unit variance."""

    rim: Float32[np.ndarray, "c a b"]
    muscle: Float32[np.ndarray, "c a b"]
    skin: Float32[np.ndarray, "c a b"]
    axilla: Float32[np.ndarray, "c a b"]
    erector: Float32[np.ndarray, "c a b"]
    breast: Float32[np.ndarray, "c a b"]
    noise: Float32[np.ndarray, "c a b"]


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints skin, fat, breasts and muscles. All that lies inside the rib cage is fat until the organs are drawn."""
    lattice = Lattice.of(scene)
    layers = _layers(scene, lattice, rng)
    gland = float(np.clip(rng.normal(0.75 - scene.patient.age / 110, 0.25), -0.2, 0.9))
    for first in range(0, scene.grid.shape[0], _SLAB):
        slab = slice(first, first + _SLAB)
        _paint(scene, lattice, layers, slab, gland)


def _layers(scene: Scene, lattice: Lattice, rng: np.random.Generator) -> Layers:
    z, y, x = lattice.pick(scene)
    polar = Polar.of(z, y, x)
    cage = rim(scene.patient)
    muscle = _muscle(scene, cage, rng)
    breast = _breast(scene, rng)
    skin = muscle + _fat(scene, rng) + breast
    wall = polar.distance(cage)
    side, noise = np.abs(x), _noise(z.shape, rng)
    turn = np.degrees(polar.angle) - 84
    flesh = _arms(scene, z, y, side)
    shell = np.minimum(polar.distance(muscle), flesh + 0.5 * np.float32(scene.traits.fat_mm) + 2)
    along = np.sqrt(((z - 32) / 58) ** 2 + ((wall - 18) / 19) ** 2 + (turn / 31) ** 2)
    outward = np.sqrt(((z - 14) / 46) ** 2 + ((wall - 40) / 34) ** 2 + (turn / 11) ** 2)
    nape = np.sqrt(((z - 122) / 34) ** 2 + ((y + 2 + 0.1 * side) / 17) ** 2 + ((side - 88) / 44) ** 2)
    pocket = np.minimum(np.maximum((along - 1) * 17, shell + 11), np.minimum((outward - 1) * 18, (nape - 1) * 15))
    back = y - spine_y(z, scene.traits.kyphosis).astype(np.float32) - 50
    loin = np.clip((-60 - z) / 120, 0, 1)
    erector = np.sqrt(((side - 30 - 4 * loin) / (25 + 7 * loin)) ** 2 + (back / (14 + 6 * loin)) ** 2)
    return Layers(
        rim=wall,
        muscle=shell,
        skin=np.minimum(polar.distance(skin), flesh),
        axilla=np.maximum(pocket + 3 * noise, 13 - wall).astype(np.float32),
        erector=((erector - 1) * 17).astype(np.float32),
        breast=polar.look(breast),
        noise=noise,
    )


def _arms(scene: Scene, z: np.ndarray, y: np.ndarray, side: np.ndarray) -> Float32[np.ndarray, "c a b"]:
    """Signed distance to the skin of both upper arms."""
    points, radii = arm(scene.traits)
    radii = radii * (0.82 if scene.patient.sex == "F" else 1.0) + 0.5 * scene.traits.fat_mm
    out = np.full(z.shape, np.float32(99))
    for a, b, first, last in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
        along = (b - a).astype(np.float32)
        off = [v - np.float32(o) for v, o in zip((z, y, side), a, strict=True)]
        t = np.clip(sum(o * v for o, v in zip(off, along, strict=True)) / (along @ along), 0, 1)
        apart = np.sqrt(sum((o - t * v) ** 2 for o, v in zip(off, along, strict=True)))
        np.minimum(out, apart - np.float32(first) - t * np.float32(last - first), out=out)
    return out


def _noise(shape: tuple[int, ...], rng: np.random.Generator) -> Float32[np.ndarray, "c a b"]:
    from scipy import ndimage

    fine, coarse = (
        ndimage.gaussian_filter(rng.standard_normal(shape, dtype=np.float32), sigma)
        for sigma in ((0.6, 0.5, 0.5), (2.0, 2.5, 2.5))
    )
    return 0.7 * fine / np.float32(fine.std()) + 0.7 * coarse / np.float32(coarse.std())


def _muscle(scene: Scene, cage: Table, rng: np.random.Generator) -> Table:
    """Radii of the outer muscles: the rib cage's wall, and higher up the shoulders and the neck."""
    male = 1.0 if scene.patient.sex == "M" else 0.86
    strength = float(np.clip(rng.normal(1.05 - max(0, scene.patient.age - 45) / 220, 0.08), 0.75, 1.3)) * male
    wall = cage + 11 + (ramp(_LEVELS, _DEGREES, _MUSCLE) - 11) * (0.3 + 0.7 * strength)
    drop = 1.0 if scene.traits.arms_down else 0.0
    width = np.interp(HEIGHTS, [45, 60, 80, 105, 130], [0, 168, 190, 196 - 36 * drop, 200 - 85 * drop])
    middle, depth = (np.interp(HEIGHTS, [50, 90, 130], row) for row in ([24, 30, 38], [40, 50, 44]))
    shoulders = oval(middle, depth, width)
    high = HEIGHTS > 60
    neck = oval(np.full(len(HEIGHTS), 30.0), np.where(high, 60.0, 1.0), np.where(high, 60.0, 1.0))
    return np.asarray(np.maximum(np.maximum(_low(wall), shoulders), neck))


def _low(wall: Table) -> Table:
    """The trunk up to the shoulders: above them it narrows to nothing."""
    return np.asarray(wall * np.interp(HEIGHTS, [88, 125], [1.0, 0.55])[:, None])


def _fat(scene: Scene, rng: np.random.Generator) -> Table:
    """Thickness of subcutaneous fat and skin, uneven by a tenth, with folds in the obese."""
    from scipy import ndimage

    uneven = ndimage.gaussian_filter(rng.standard_normal((len(HEIGHTS), len(ANGLES))), (5.0, 7.0))
    uneven *= 0.12 / uneven.std()
    belly = 1 + 0.5 * scene.patient.build * np.clip((-90 - HEIGHTS) / 90, 0, 1)[:, None]
    return 2.5 + scene.traits.fat_mm * ramp(_LEVELS, _DEGREES, _FAT) * belly * (1 + uneven)


def _breast(scene: Scene, rng: np.random.Generator) -> Table:
    """Height of the breasts over the chest wall in mm, flat and spread to the sides for she lies on her back."""
    size = float(np.clip(rng.normal(18 + 24 * scene.patient.build, 8), 6, 52))
    height, angle = rng.normal(-48, 6), rng.normal(0.86, 0.06)
    if scene.patient.sex == "M":
        return np.zeros((len(HEIGHTS), len(ANGLES)))
    z, turn = HEIGHTS[:, None] - height, ANGLES[None] - angle
    inside = 1 - (z / (52 + 0.5 * size)) ** 2 - (turn / (0.42 + 0.006 * size)) ** 2
    return size * np.maximum(inside, 0) ** 0.8


def _paint(scene: Scene, lattice: Lattice, layers: Layers, slab: slice, gland: float) -> None:
    wall, muscle, skin, noise = (lattice.fill(v, slab) for v in (layers.rim, layers.muscle, layers.skin, layers.noise))
    hu, parts = scene.hu[slab], scene.parts[slab]
    fat = np.float32(FAT_HU) + 5 * noise
    hu += coverage(skin, _EDGE_MM) * (np.float32(_SKIN_HU) - hu)
    hu += coverage(skin + np.float32(_SKIN_MM), _EDGE_MM) * (fat - hu)
    parts[skin < 0] = Part.FAT
    if scene.patient.sex == "F":
        _paint_breast(scene, lattice.fill(layers.breast, slab), muscle, skin, noise, slab, gland)
    streaks = _streaks(wall, muscle, noise, scene.patient.build)
    np.minimum(streaks, lattice.fill(layers.axilla, slab), out=streaks)
    np.minimum(streaks, np.abs(lattice.fill(layers.erector, slab)) - np.float32(0.5) - 0.4 * noise, out=streaks)
    lean = coverage(muscle, _EDGE_MM) * (1 - coverage(streaks, _EDGE_MM)) * coverage(-wall - 1, _EDGE_MM)
    hu += lean * (np.float32(MUSCLE_HU) + 4 * noise - hu)
    parts[(muscle < 0) & (wall > 0)] = Part.MUSCLE


def _streaks(wall: np.ndarray, muscle: np.ndarray, noise: np.ndarray, build: float) -> Float32[np.ndarray, "d h w"]:
    """Signed distance to the fat between muscles: over the ribs, and halfway through the outer muscles."""
    width = np.float32(0.9 * build) + np.float32(0.6) * noise
    over_ribs = np.abs(wall - 12.5) - width
    halfway = np.abs((wall + muscle) / 2 - 7 + 1.5 * noise) - width
    halfway[wall - muscle < 24] = 9.0
    return np.asarray(np.minimum(over_ribs, halfway))


def _paint_breast(
    scene: Scene, height: np.ndarray, muscle: np.ndarray, skin: np.ndarray, noise: np.ndarray, slab: slice, gland: float
) -> None:
    """Strands of gland in the fat; gland: how much of the breast's middle they fill."""
    inside = (height > 3) & (muscle > 0) & (skin < 0)
    scene.parts[slab][inside] = Part.BREAST
    deep = np.minimum(np.minimum(-skin - 5, muscle - 2) / 6, 1) + np.minimum(height / 12, 1) - 2
    alpha = np.clip(1.7 * noise + 2.2 * deep + 3 * np.float32(gland) - 1.9, 0, 1) * inside
    scene.hu[slab] += alpha * np.float32(0.85) * (np.float32(_GLAND_HU) - scene.hu[slab])
