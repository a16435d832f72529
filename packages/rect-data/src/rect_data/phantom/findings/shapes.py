"""Irregular bodies: lumpy balls of an exact size, patches of an exact volume, and haze that fills air in part."""

from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from einops import reduce, repeat
from jaxtyping import Bool, Float, Float32

from rect_data.phantom.grid import Box, Grid, Point
from rect_data.phantom.paint import coverage
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

SOFT_HU: Final = 30.0
_FINE_MM: Final = (0.45, 1.5)
_SEEN_HU: Final = 160.0
_REACH: Final = 0.75
_FAR_MM: Final = np.float32(99.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lump:
    """A near-spherical body: half axes relative to its radius, and low bumps as waves over its surface."""

    axes: Float[np.ndarray, " 3"]
    turn: float
    waves: Float[np.ndarray, "k 3"]
    heights: Float[np.ndarray, " k"]

    @classmethod
    def of(cls, rng: np.random.Generator, flattest: float = 0.78, bumps: float = 0.035) -> "Lump":
        """A random one. flattest: least ratio of its axes; bumps: height of the waves as a share of the radius."""
        axes = np.array([rng.uniform(flattest, 1.05), rng.uniform(flattest, 1.0), 1.0])
        waves, heights = rng.normal(0, 2.6, (5, 3)), bumps * rng.normal(0, 1, 5)
        return cls(axes=axes, turn=float(rng.uniform(0, pi)), waves=waves, heights=heights)

    def distance(self, z: np.ndarray, y: np.ndarray, x: np.ndarray, radius_mm: float) -> Float32[np.ndarray, "d h w"]:
        """Approximate signed distance in mm (negative inside) of points relative to the centre."""
        c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        v, u = c * y + s * x, c * x - s * y
        parts = [p / np.float32(a) for p, a in zip((z, v, u), self.axes, strict=True)]
        far = np.sqrt(parts[0] ** 2 + parts[1] ** 2 + parts[2] ** 2)
        lift = np.zeros((1, 1, 1), np.float32)
        scale = 1 / np.maximum(far, np.float32(1e-3))
        for wave, height in zip(self.waves.astype(np.float32), self.heights, strict=True):
            along = (wave[0] * parts[0] + wave[1] * parts[1] + wave[2] * parts[2]) * scale
            lift = lift + np.float32(height) * np.sin(along + np.float32(height * 50))
        out: Float32[np.ndarray, "d h w"] = far - np.float32(radius_mm) * (1 + lift)
        return out


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A small body on the voxels of a box: what share of each voxel it fills, and the radius that gave it its size."""

    box: Box
    alpha: Float32[np.ndarray, "d h w"]
    radius_mm: float


def sized(
    grid: Grid, centre_mm: Point, lump: Lump, diameter_mm: float, keep: Bool[np.ndarray, "d h w"] | None = None
) -> Body | None:
    """A lump whose longest in-plane diameter is diameter_mm, whatever `keep` (voxels of the whole grid) cuts off it.
    None where it leaves the grid or where `keep` lets nothing of that size stand."""
    reach = _REACH * diameter_mm + max(grid.spacing_mm)
    box = grid.around(centre_mm, reach)
    if box is None or not _whole(grid, centre_mm, reach):
        return None
    cut, (z, y, x), steps = _fine(grid, box, centre_mm, diameter_mm)
    outside = None if keep is None else _spread(~keep[box], steps)
    radius = diameter_mm / 2
    for _ in range(4):
        distance = lump.distance(z, y, x, radius)
        if outside is not None:
            distance[outside] = _FAR_MM
        length = feret_mm(distance < 0, (cut[1], cut[2]))
        if length == 0 or radius > 0.95 * _REACH * diameter_mm:
            return None
        if abs(length - diameter_mm) < 0.3:
            break
        radius *= float(np.clip(diameter_mm / length, 0.7, 1.4))
    share = reduce(
        coverage(distance, min(cut)), "(d a) (h b) (w c) -> d h w", "mean", a=steps[0], b=steps[1], c=steps[2]
    )
    return Body(box=box, alpha=share.astype(np.float32, copy=False), radius_mm=radius)


def core_of(grid: Grid, body: Body, centre_mm: Point, lump: Lump, share: float) -> Float32[np.ndarray, "d h w"]:
    """Share of each voxel of a body's box in the same lump made smaller."""
    cut, (z, y, x), steps = _fine(grid, body.box, centre_mm, 2 * share * body.radius_mm)
    filled = coverage(lump.distance(z, y, x, share * body.radius_mm), min(cut))
    out: Float32[np.ndarray, "d h w"] = reduce(
        filled, "(d a) (h b) (w c) -> d h w", "mean", a=steps[0], b=steps[1], c=steps[2]
    )
    inside: Float32[np.ndarray, "d h w"] = np.minimum(out, body.alpha)
    return inside


def feret_mm(mask: Bool[np.ndarray, "d h w"], spacing_mm: tuple[float, float]) -> float:
    """Longest diameter of a mask in any axial slice, in mm; 0 of an empty one."""
    d, h, w = np.nonzero(mask)
    if not len(d):
        return 0.0
    turns = np.arange(12) * (pi / 12)
    along = np.outer(h * spacing_mm[0], np.cos(turns)) + np.outer(w * spacing_mm[1], np.sin(turns))
    first = np.flatnonzero(np.diff(d, prepend=-1))
    width = np.maximum.reduceat(along, first) - np.minimum.reduceat(along, first)
    return float(width.max()) + sum(spacing_mm) / 2


def crop(grid: Grid, box: Box) -> Grid:
    """The grid of a box alone."""
    shape = tuple(s.stop - s.start for s in box)
    origin = grid.point(np.array([[s.start for s in box]]))[0]
    return Grid(
        shape=(shape[0], shape[1], shape[2]),
        spacing_mm=grid.spacing_mm,
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
    )


def level_of(
    field: Float32[np.ndarray, "d h w"], allowed: Bool[np.ndarray, "d h w"], millilitres: float, grid: Grid
) -> float:
    """The value that a field exceeds in so many millilitres of the allowed voxels."""
    values = field[allowed]
    if not len(values):
        return 0.0
    voxels = max(1, round(1000 * millilitres / float(np.prod(grid.spacing_mm))))
    place = max(0, len(values) - voxels)
    return float(np.partition(values, place)[place])


def ramp(field: Float32[np.ndarray, "d h w"], level: float, soft: float) -> Float32[np.ndarray, "d h w"]:
    """Alpha that is .5 where a field equals the level and goes from 0 to 1 over `soft` units around it."""
    out: Float32[np.ndarray, "d h w"] = np.clip((field - np.float32(level)) / np.float32(soft) + np.float32(0.5), 0, 1)
    return out


def largest(mask: Bool[np.ndarray, "d h w"]) -> Bool[np.ndarray, "d h w"]:
    """The largest connected piece (26 neighbours) of a mask."""
    from scipy import ndimage

    numbers, count = ndimage.label(mask, np.ones((3, 3, 3), bool))
    if count < 2:
        return mask
    out: Bool[np.ndarray, "d h w"] = numbers == 1 + int(np.bincount(numbers.ravel())[1:].argmax())
    return out


def sealed(scene: Scene, box: Box, alpha: Float32[np.ndarray, "d h w"]) -> Float32[np.ndarray, "d h w"]:
    """Alpha carried on into the voxels of the pleura that are part air, so that no dark line parts a lesion from the
    wall it lies on."""
    from scipy import ndimage

    here = scene.hu[box]
    rim = ~scene.lung(box) & (here > -950) & (here < -60) & (scene.parts[box] != Part.AIRWAY)
    out: Float32[np.ndarray, "d h w"] = np.where(rim, ndimage.maximum_filter(alpha, (1, 3, 3)), alpha)
    return out


def haze(scene: Scene, box: Box, alpha: Float32[np.ndarray, "d h w"], hu: float) -> None:
    """Fills the airspaces of a box in part, so that normal parenchyma comes to `hu` where alpha is 1: vessels stay as
    they are, and bronchi and holes stay darker than what surrounds them (ground glass; Hansell 2008). It stands out
    by _SEEN_HU at least, however dense the lung around is."""
    here, inside = scene.hu[box], scene.lung(box) & (alpha > 0)
    if not inside.any():
        return
    base = float(np.clip(np.median(here[inside]), -950, -650))
    share = np.float32((max(hu, base + _SEEN_HU) - base) / (SOFT_HU - base))
    open_air = np.clip((here + 985) / 60, 0, 1)
    here += np.where(inside, alpha * share * open_air * np.maximum(SOFT_HU - here, 0), np.float32(0))


def _whole(grid: Grid, centre_mm: Point, reach_mm: float) -> bool:
    """Whether a box around a point is not cut by the edge of the grid."""
    low, high = np.array(grid.low_mm), np.array(grid.high_mm)
    return bool((np.array(centre_mm) - reach_mm > low).all() and (np.array(centre_mm) + reach_mm < high).all())


def _fine(
    grid: Grid, box: Box, centre_mm: Point, size_mm: float
) -> tuple[Point, tuple[np.ndarray, ...], tuple[int, int, int]]:
    """Spacing, (z, y, x) relative to a point and number per voxel of the samples inside the voxels of a box."""
    fine = float(np.clip(size_mm / 14, *_FINE_MM))
    steps = [max(1, round(s / fine)) for s in grid.spacing_mm]
    axes = []
    for axis, (s, step, part) in enumerate(zip(grid.spacing_mm, steps, box, strict=True)):
        at = (np.arange((part.stop - part.start) * step) + 0.5) / step - 0.5 + part.start
        shape = [1, 1, 1]
        shape[axis] = len(at)
        axes.append((grid.origin_mm[axis] + s * at - centre_mm[axis]).astype(np.float32).reshape(shape))
    cut = [s / step for s, step in zip(grid.spacing_mm, steps, strict=True)]
    return (cut[0], cut[1], cut[2]), tuple(axes), (steps[0], steps[1], steps[2])


def _spread(mask: Bool[np.ndarray, "d h w"], steps: tuple[int, int, int]) -> Bool[np.ndarray, "a b c"]:
    out: Bool[np.ndarray, "a b c"] = repeat(mask, "d h w -> (d a) (h b) (w c)", a=steps[0], b=steps[1], c=steps[2])
    return out
