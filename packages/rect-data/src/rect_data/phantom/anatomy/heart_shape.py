"""The shape of the heart: four chambers of ellipsoids in reference coordinates, and the sac around them.

The shape follows from patient, traits and thorax alone, so that anatomy and findings see the same heart.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_data.phantom.anatomy.heart_width import ratio_of, thorax_mm
from rect_data.phantom.anatomy.thorax import dome_z
from rect_data.phantom.grid import Box
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream

Field = Float[np.ndarray, "..."]

_AXIS: Final = np.array([-0.36, -0.60, 0.715])
"""From the middle of the mitral valve to the apex: down, forward and left."""

_TOP, _FLOOR, _BACK, _MIDDLE = -30.0, -112.0, 30.0, -4.0
_ROUND_MM: Final = 5.0
_REACH: Final = ((-135.0, 22.0), (-86.0, 48.0), (-90.0, 132.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Heart:
    """tall, deep, wide: factors along z (from the base down), y (from the back forward) and x (from the midline).
    fat: factor of the epicardial fat. wall_mm: of the left ventricle. atrium: factor of the left atrium."""

    tall: float
    deep: float
    wide: float
    fat: float
    wall_mm: float
    atrium: float

    @classmethod
    def of(cls, scene: Scene) -> "Heart":
        """The heart of a scene whose lungs are drawn: it stands on the diaphragm, and it is as wide as its
        cardiothoracic ratio says."""
        traits = scene.traits
        rng = stream(scene.patient.age, round(scene.patient.stature * 1e6), "heart")
        floor = float(np.mean(dome_z(np.array([-45.0, -10.0]), np.array([15.0, 40.0]), traits)))
        large = max(0.0, traits.heart - 1.1)
        rough = cls(
            tall=float(np.clip((floor - 2 - _TOP) / (_FLOOR - _TOP), 0.78, 1.25)),
            deep=float(rng.uniform(0.94, 1.02) + 0.12 * large),
            wide=traits.heart,
            fat=traits.epicardial_fat,
            wall_mm=float(rng.uniform(8.5, 11.5) + 6 * large * rng.random()),
            atrium=float(rng.uniform(0.9, 1.08) + 0.5 * large),
        )
        return rough._widened(scene)

    def _widened(self, scene: Scene) -> "Heart":
        """The same heart with the width that its ratio asks for, found in two steps on few voxels."""
        target, heart = ratio_of(scene.traits.heart) * thorax_mm(scene), self
        z, y, x = (axis[:, ::2, ::2] for axis in heart.fields(scene))
        step = scene.grid.spacing_mm[2]
        for _ in range(2):
            inside = heart.sac(z, y, x)
            across = inside.min(1)
            now = max(_width(row, 2 * step) for row in across)
            heart = heart._with(wide=float(np.clip(heart.wide * target / max(now, 1.0), 0.5, 1.9)))
        return heart

    def _with(self, wide: float) -> "Heart":
        return Heart(tall=self.tall, deep=self.deep, wide=wide, fat=self.fat, wall_mm=self.wall_mm, atrium=self.atrium)

    @staticmethod
    def box(scene: Scene) -> Box:
        """The voxels around the heart, its sac and what may fill it."""
        (z0, z1), (y0, y1), (x0, x1) = _REACH
        corners = scene.pose.physical(np.array([(z, y, x) for z in (z0, z1) for y in (y0, y1) for x in (x0, x1)]))
        low, high = corners.min(0), corners.max(0)
        box = scene.grid.box((low[0], low[1], low[2]), (high[0], high[1], high[2]))
        if box is None:
            raise ValueError("the scan misses the heart")
        return box

    @classmethod
    def fields(cls, scene: Scene) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reference z, y, x of the voxels of the box."""
        box = cls.box(scene)
        return scene.z[box], scene.y[box], scene.x[box]

    def placed(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Reference points of a heart of factors 1 on this heart; what lies above its base stays."""
        out = np.array(points, np.float64)
        below = np.clip((_TOP + 25 - out[:, 0]) / 25, 0, 1)
        out[:, 0] = np.where(out[:, 0] < _TOP, _TOP + (out[:, 0] - _TOP) * self.tall, out[:, 0])
        out[:, 1] += below * (out[:, 1] - _BACK) * (self.deep - 1)
        out[:, 2] += below * (out[:, 2] - _MIDDLE) * (self.wide - 1)
        return out

    def chambers(self, z: Field, y: Field, x: Field) -> dict[str, np.ndarray]:
        """Approximate signed distances (mm, negative inside): "left wall" (the left ventricle with its muscle) and the
        blood of "left ventricle", "right ventricle", "right atrium" and "left atrium"."""
        at = ((z - _TOP) / self.tall + _TOP, (y - _BACK) / self.deep + _BACK, (x - _MIDDLE) / self.wide + _MIDDLE)
        grow = (self.tall + self.deep + self.wide) / 3
        wall, a = self.wall_mm / grow, self.atrium
        left = _long(at, (-77.0, -24.0, 41.0), 50.0, 35.0)
        return {
            "left wall": left * grow,
            "left ventricle": _long(at, (-76.0, -22.5, 38.5), 50 - wall, 35 - wall) * grow,
            "right ventricle": np.maximum(_long(at, (-79.0, -43.0, 14.0), 47.0, 31.0), 1.0 - left) * grow,
            "right atrium": _ellipsoid(at, (-66.0, -20.0, -24.0), (33.0, 27.0, 21.0)) * grow,
            "left atrium": _ellipsoid(at, (-52.0, 11.0, 5.0), (21 * a, 17.5 * a, 34 * a)) * grow,
        }

    def sac(self, z: Field, y: Field, x: Field) -> np.ndarray:
        """Approximate signed distance to the pericardium: the chambers with their walls, rounded where they meet,
        under epicardial fat that is thickest in the grooves and over the right heart."""
        of = self.chambers(z, y, x)
        walls = (
            of["left wall"],
            of["right ventricle"] - 3,
            of["right atrium"] - 2.5,
            of["left atrium"] - 2,
            self._roots(z, y, x),
        )
        total = np.zeros_like(walls[0])
        for distance in walls:
            total += np.exp(np.minimum(-distance / np.float32(_ROUND_MM), 20))
        rounded = np.float32(-_ROUND_MM) * np.log(np.maximum(total, 1e-9))
        return np.asarray(np.maximum(rounded - self._fat_mm(y, x), self._floor(z)), np.float32)

    def _fat_mm(self, y: Field, x: Field) -> np.ndarray:
        right = np.exp(-((x + 22) ** 2 + (y + 50) ** 2) / (2 * 24**2))
        apex = np.exp(-((x - 60) ** 2 + (y + 62) ** 2) / (2 * 20**2))
        return np.asarray(0.9 + self.fat * (0.7 + 5 * right + 3 * apex) * np.clip((18 - y) / 30, 0.1, 1))

    def _floor(self, z: Field) -> np.ndarray:
        """The heart is flat where it lies on the diaphragm."""
        return np.float32(_TOP + (_FLOOR - 1 - _TOP) * self.tall) - z

    def _roots(self, z: Field, y: Field, x: Field) -> np.ndarray:
        """The part of the sac around the roots of aorta and pulmonary trunk."""
        return _ellipsoid((z, y, x), (-28.0, -39.0, 5.0), (24.0, 18.0, 26.0))


def _width(row: np.ndarray, step_mm: float) -> float:
    """Where a row of signed distances crosses zero first and last, to a fraction of a voxel."""
    inside = np.flatnonzero(row < 0)
    if not inside.size:
        return 0.0
    first, last = int(inside[0]), int(inside[-1])
    more = sum(
        float(-row[i] / max(row[o] - row[i], 1e-6))
        for i, o in ((first, max(first - 1, 0)), (last, min(last + 1, row.size - 1)))
        if o != i
    )
    return (last - first + more) * step_mm


def _long(at: tuple[Field, Field, Field], centre: tuple[float, float, float], half: float, round_: float) -> np.ndarray:
    """An ellipsoid along the axis of the left ventricle."""
    z, y, x = (a - np.float32(c) for a, c in zip(at, centre, strict=True))
    unit = (_AXIS / np.linalg.norm(_AXIS)).astype(np.float32)
    along = z * unit[0] + y * unit[1] + x * unit[2]
    off = np.maximum(z * z + y * y + x * x - along * along, 0)
    norm = np.sqrt(along * along / np.float32(half**2) + off / np.float32(round_**2))
    slope = np.sqrt(along * along / np.float32(half**4) + off / np.float32(round_**4))
    return np.asarray((norm - 1) * norm / np.maximum(slope, norm / np.float32(half) + 1e-6))


def _ellipsoid(
    at: tuple[Field, Field, Field], centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> np.ndarray:
    squares = [(a - np.float32(c)) ** 2 for a, c in zip(at, centre, strict=True)]
    norm = np.sqrt(sum(s / np.float32(r**2) for s, r in zip(squares, radii, strict=True)))
    slope = np.sqrt(sum(s / np.float32(r**4) for s, r in zip(squares, radii, strict=True)))
    return np.asarray((norm - 1) * norm / np.maximum(slope, norm / np.float32(max(radii)) + 1e-6))
