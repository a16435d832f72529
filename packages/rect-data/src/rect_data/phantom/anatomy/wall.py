"""The chest wall in polar coordinates: how far rib cage, muscles and skin reach at each height and angle."""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.anatomy.thorax import cavity
from rect_data.phantom.patient import Patient
from rect_data.phantom.scene import Scene
from rect_data.phantom.traits import Traits

CENTRE_Y: Final = 10.0
"""Reference y of the axis that angles turn around."""

HEIGHTS: Final = np.arange(-260.0, 181.0, 5.0)
"""Reference z of the rows of every table."""

ANGLES: Final = np.linspace(0, np.pi, 73)
"""Columns of every table: 0 at the front, pi at the back, the same on both sides."""

_APEX_MM: Final = 110.0
_FIELD_MM: Final = 6.0

Table = Float[np.ndarray, "nz na"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Polar:
    """Where points lie: distance from the axis (reference mm) and fractional rows and columns of the tables."""

    radius: Float32[np.ndarray, "..."]
    at: Float32[np.ndarray, "2 ..."]

    @classmethod
    def of(cls, z: np.ndarray, y: np.ndarray, x: np.ndarray) -> "Polar":
        """Polar coordinates of reference points."""
        side, front = np.abs(x), np.float32(CENTRE_Y) - y
        row = (z - np.float32(HEIGHTS[0])) / np.float32(HEIGHTS[1] - HEIGHTS[0])
        column = np.arctan2(side, front) / np.float32(ANGLES[1])
        return cls(radius=np.sqrt(side * side + front * front), at=np.stack([row, column]).astype(np.float32))

    @property
    def angle(self) -> Float32[np.ndarray, "..."]:
        """Radians: 0 at the front, pi at the back."""
        return np.asarray(self.at[1] * np.float32(ANGLES[1]))

    def look(self, table: Table) -> Float32[np.ndarray, "..."]:
        """Values of a table at the points."""
        from scipy import ndimage

        return np.asarray(ndimage.map_coordinates(table.astype(np.float32), self.at, order=1, mode="nearest"))

    def distance(self, surface: Table) -> Float32[np.ndarray, "..."]:
        """Signed distance in mm to a surface given by its radii, negative inside."""
        around = np.gradient(surface, ANGLES, axis=1) / np.maximum(surface, 20)
        upward = np.gradient(surface, HEIGHTS, axis=0)
        steep = 1 / np.sqrt(1 + around**2 + upward**2)
        return np.asarray((self.radius - self.look(surface)) * self.look(steep))


@dataclass(frozen=True, kw_only=True, slots=True)
class Lattice:
    """Voxels of a grid some 6 mm apart along each axis, for fields that are smooth. Matrices would fill them in faster
    on an idle machine, but their threads starve each other on a busy one."""

    steps: tuple[int, int, int]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, scene: Scene, stop: int | None = None) -> "Lattice":
        """stop: the first slice that is left out."""
        d, h, w = scene.grid.shape
        sd, sh, sw = (max(1, round(_FIELD_MM / s)) for s in scene.grid.spacing_mm)
        return cls(steps=(sd, sh, sw), shape=(d if stop is None else stop, h, w))

    def pick(self, scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reference z, y and x of the lattice's points [c a b]; the last of each axis lies on the grid or beyond."""
        return self._pick(scene.z), self._pick(scene.y), self._pick(scene.x)

    def _pick(self, field: Float32[np.ndarray, "d h w"]) -> Float32[np.ndarray, "c a b"]:
        sd, sh, sw = self.steps
        out = field[: self.shape[0] : sd, ::sh, ::sw]
        for axis in range(3):
            last, before = np.take(out, [-1], axis), np.take(out, [-2 % out.shape[axis]], axis)
            out = np.concatenate([out, 2 * last - before], axis)
        return out

    def fill(self, values: Float32[np.ndarray, "c a b"], slab: slice) -> Float32[np.ndarray, "d h w"]:
        """Linear interpolation to every voxel of some slices."""
        low, rest = np.divmod(np.arange(self.shape[0])[slab], self.steps[0])
        share = (rest / self.steps[0]).astype(np.float32)[:, None, None]
        out = values[low] + share * (values[low + 1] - values[low])
        _, h, w = self.shape
        rows = np.empty((len(low), len(values[0]) * self.steps[1], len(values[0, 0])), np.float32)
        _between(out, rows, self.steps[1])
        full = np.empty((len(low), h, len(values[0, 0]) * self.steps[2]), np.float32)
        _between(rows[:, :h].swapaxes(1, 2), full.swapaxes(1, 2), self.steps[2])
        return full[:, :, :w]


def _between(values: Float32[np.ndarray, "d a b"], out: Float32[np.ndarray, "d n b"], step: int) -> None:
    """Fills the middle axis of `out` with `step` points from each value on to the next."""
    low, rise = values[:, :-1], np.diff(values, axis=1)
    for k in range(step):
        np.multiply(rise, np.float32(k / step), out=out[:, k::step][:, : rise.shape[1]])
        out[:, k::step][:, : rise.shape[1]] += low


def rim(patient: Patient) -> Table:
    """Inner surface of the rib cage and, under it, of the belly's wall, which bulges in the obese. Above the apices it
    holds the throat."""
    low = np.clip((-95 - HEIGHTS) / 100, 0, 1.2)[:, None]
    bulge = 45 * max(patient.build - 0.35, 0.0) * low * np.maximum(np.cos(ANGLES / 1.3), 0)[None] ** 1.5
    return np.asarray(_cage() + bulge)


@cache
def _cage() -> Table:
    z, angle = np.minimum(HEIGHTS, _APEX_MM)[:, None], ANGLES[None]
    radius = np.full((len(HEIGHTS), len(ANGLES)), 12.0)
    for _ in range(20):
        radius = np.maximum(radius - cavity(z, CENTRE_Y - radius * np.cos(angle), radius * np.sin(angle)), 12.0)
    radius *= np.interp(HEIGHTS, [114, 124], [1.0, 0.4])[:, None]
    even = np.ones(len(HEIGHTS))
    return np.asarray(np.maximum(radius, oval(4 * even, 30 * even, 33 * even)))


def ramp(heights: tuple[float, ...], degrees: tuple[float, ...], rows: tuple[tuple[float, ...], ...]) -> Table:
    """A table from a few rows and columns of it, smoothed."""
    from scipy import ndimage

    along = np.stack([np.interp(np.degrees(ANGLES), degrees, row) for row in rows])
    full = np.stack([np.interp(HEIGHTS, heights, column) for column in along.T], axis=1)
    return np.asarray(ndimage.gaussian_filter(full, (2.0, 1.5), mode="nearest"))


def oval(y: np.ndarray, half_depth: np.ndarray, half_width: np.ndarray) -> Table:
    """Radii of an ellipse on the midline around each reference y, one a height."""
    front = (CENTRE_Y - y)[:, None]
    cos, sin = np.cos(ANGLES)[None], np.sin(ANGLES)[None]
    b, a = np.maximum(half_depth, 1.0)[:, None], np.maximum(half_width, 1.0)[:, None]
    quad, lin, rest = (cos / b) ** 2 + (sin / a) ** 2, front * cos / b**2, (front / b) ** 2 - 1
    root = lin**2 - quad * rest
    return np.asarray(np.where(root > 0, (lin + np.sqrt(np.maximum(root, 0))) / quad, 0.0))


def arm(traits: Traits) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
    """Reference points of the left humerus from its head on and the radius of the flesh around them: beside the body,
    or raised over the head."""
    if traits.arms_down:
        aside = 205.0 + traits.fat_mm
        line = [(84.0, 22.0, 150.0), (40.0, 26.0, aside - 32), (-230.0, 22.0, aside + 6)]
        return np.array(line), np.array([32.0, 42.0, 36.0])
    line = [(84.0, 22.0, 152.0), (108.0, 18.0, 172.0), (200.0, -10.0, 228.0)]
    return np.array(line), np.array([33.0, 42.0, 44.0])
