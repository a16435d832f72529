"""From the reference chest that all shapes are written in to this patient lying on this table, and back."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from rect_data.phantom.grid import Grid
from rect_data.phantom.patient import Patient

KNOT_MM: Final = 55.0
"""Spacing of the knots of the cubic B-spline that makes every patient a little irregular."""

_WARP_MM: Final = (2.5, 2.5, 2.5)
_HALF_MM: Final = 330.0
_KNOTS: Final = int(2 * _HALF_MM / KNOT_MM) + 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """Physical = rotate(scale * reference) + shift, bent by a smooth field of a few millimetres.

    All points are (z, y, x) mm toward Superior, Posterior, Left. In the reference chest the carina is the origin and
    lungs are 270 mm high and 274 mm wide; in the patient the origin is where the table put it.
    """

    scale: Float[np.ndarray, " 3"]
    rotation: Float[np.ndarray, "3 3"]
    shift: Float[np.ndarray, " 3"]
    knots: Float[np.ndarray, "3 n n n"]

    @classmethod
    def of(cls, patient: Patient, rng: np.random.Generator) -> "Pose":
        """A pose within what a careful radiographer accepts: a few degrees and centimetres."""
        sex = 1.0 if patient.sex == "M" else 0.92
        base = sex * patient.stature
        scale = base * np.array([rng.normal(1.0, 0.04), rng.normal(1.0, 0.06), rng.normal(1.0, 0.04)])
        angles = np.radians(rng.normal(0, [2.0, 1.5, 1.5]))  # about z (roll), y (list) and x (nod)
        knots = rng.normal(0, 1, (3, _KNOTS, _KNOTS, _KNOTS)) * np.array(_WARP_MM)[:, None, None, None]
        return cls(scale=scale, rotation=_rotation(angles), shift=rng.normal(0, [3.0, 6.0, 6.0]), knots=knots)

    def canonical(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Reference coordinates of physical points."""
        firsts, shares = zip(*(_near(points[:, axis]) for axis in range(3)), strict=True)
        i, j, k = (first[:, None] + np.arange(4) for first in firsts)
        bend: np.ndarray = self.knots[:, i[:, :, None, None], j[:, None, :, None], k[:, None, None, :]]
        for share in reversed(shares):  # the last axis first
            bend = (bend * share[(None, slice(None), *(None,) * (bend.ndim - 3))]).sum(axis=-1)
        rigid = ((points - self.shift) @ self.rotation) / self.scale
        return np.asarray(rigid + bend.T, np.float64)

    def physical(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Physical coordinates of reference points, to a tenth of a millimetre (fixed-point iteration)."""
        points = np.asarray(points, np.float64).reshape(-1, 3)
        at = np.asarray((points * self.scale) @ self.rotation.T + self.shift, np.float64)
        for _ in range(6):
            at += ((points - self.canonical(at)) * self.scale) @ self.rotation.T
        return at

    def fields(self, grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reference (z, y, x) of every voxel of a grid: three float32 arrays [d h w]."""
        axes = grid.axes_mm
        weights = [_weights(axis.ravel()).astype(np.float32) for axis in axes]
        inverse = (self.rotation / self.scale[None]).T.astype(np.float32)
        out = []
        for axis in range(3):
            field = np.einsum("di,ijk->djk", weights[0], self.knots[axis].astype(np.float32))
            field = np.einsum("djk,hj->dhk", field, weights[1])
            field = field @ weights[2].T
            for world in range(3):
                field += inverse[axis, world] * (axes[world] - np.float32(self.shift[world]))
            out.append(field)
        return out[0], out[1], out[2]


def _rotation(angles: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "3 3"]:
    out = np.eye(3)
    for axis, angle in enumerate(angles):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        out = turn @ out
    return out


def _weights(at: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n k"]:
    """Cubic B-spline weights of every knot at each place."""
    first, share = _near(at)
    out = np.zeros((len(first), _KNOTS))
    np.put_along_axis(out, first[:, None] + np.arange(4), share, axis=1)
    return out


def _near(at: Float[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, "n 4"]]:
    """The first of the four knots that count at each place, and their cubic B-spline weights."""
    place = np.clip((np.asarray(at, np.float64) + _HALF_MM) / KNOT_MM, 0, _KNOTS - 4 - 1e-6)
    first = place.astype(np.int64)
    apart = np.abs((place - first)[:, None] + 1 - np.arange(4)[None])
    inner = 2 / 3 - apart**2 + apart**3 / 2
    outer = np.maximum(2 - apart, 0) ** 3 / 6
    return first, np.where(apart < 1, inner, outer)
