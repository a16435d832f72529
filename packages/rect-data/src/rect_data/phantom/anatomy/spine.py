"""Vertebrae with their arches and processes, discs, and the canal with the cord."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32

from rect_data.phantom.anatomy.thorax import spine_y
from rect_data.phantom.paint import coverage
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

VERTEBRA_Z: Final = np.array(
    [-288, -258, -226, -193, -164, -137, -111, -87, -64, -41, -19, 2, 24, 45, 66, 86, 104, 121, 138, 155], np.float64
)
"""Reference z of the middles of the vertebral bodies, from L4 up to C4; T12 is the fifth, T1 the sixteenth."""

_CORTEX_HU, _DISC_HU, _EDGE_MM = 520.0, 88.0, 1.6
_ROW: Final = np.array([0, 4, 10, 15, 19], np.float64)
_HALF_WIDTH: Final = np.array([24, 20, 15.5, 15, 12], np.float64)
_HALF_DEPTH: Final = np.array([17, 15.5, 13.5, 10, 8], np.float64)
_TRANSVERSE: Final = np.array([40, 24, 33, 38, 26], np.float64)
_SPINOUS: Final = np.array([28, 24, 25, 27, 18], np.float64)
_FALL: Final = np.array([0.1, 0.35, 1.0, 0.6, 0.4], np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Place:
    """Where voxels near the spine lie: number of the vertebra, share of its height (-0.5 to 0.5), mm behind the middle
    of the body and beside it; for each slice its mean row and the mm from one vertebra to the next."""

    row: Float32[np.ndarray, "d h w"]
    along: Float32[np.ndarray, "d h w"]
    back: Float32[np.ndarray, "d h w"]
    side: Float32[np.ndarray, "d h w"]
    level: Float32[np.ndarray, "d 1 1"]
    tall: Float32[np.ndarray, "d 1 1"]

    def of(self, values: np.ndarray) -> Float32[np.ndarray, "d 1 1"]:
        """A size that changes along the spine."""
        return np.asarray(np.interp(self.level, _ROW, values).astype(np.float32))


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints the spine: trabecular bone loses density with age, about 2 HU a year from 230 at 30 (Jang et al. 2019,
    doi:10.1148/radiol.2019181648)."""
    years = scene.patient.age - 30
    marrow = float(np.clip(rng.normal(235 - 2.1 * years, 28), 55, 300))
    spurs = float(np.clip(rng.normal(years / 18, 1.0), 0, 4.5))
    loss = float(np.clip(rng.normal(0.12 * years / 10, 0.25), 0, 1.2))
    back = spine_y(np.array([-200.0, 140.0]), scene.traits.kyphosis)
    corners = [(z, y, x) for z in (-260.0, 170.0) for y in (back.min() - 26, back.max() + 90) for x in (-52.0, 52.0)]
    points = scene.pose.physical(np.array(corners))
    low, high = points.min(0) - 3, points.max(0) + 3
    box = scene.grid.box((scene.grid.low_mm[0], low[1], low[2]), (scene.grid.high_mm[0], high[1], high[2]))
    if box is None:
        return
    for first in range(0, scene.grid.shape[0], 8):
        _paint(scene, (slice(first, first + 8), box[1], box[2]), marrow, spurs, loss)


def _place(scene: Scene, box: tuple[slice, slice, slice]) -> _Place:
    z, y, x = scene.z[box], scene.y[box], scene.x[box]
    row = np.interp(z, VERTEBRA_Z, np.arange(len(VERTEBRA_Z), dtype=np.float64)).astype(np.float32)
    level = row.mean(axis=(1, 2), keepdims=True)
    tall = np.interp(level, np.arange(len(VERTEBRA_Z) - 1) + 0.5, np.diff(VERTEBRA_Z)).astype(np.float32)
    back = y - spine_y(z, scene.traits.kyphosis).astype(np.float32)
    return _Place(row=row, along=row - np.rint(row), back=back, side=np.abs(x), level=level, tall=tall)


def _paint(scene: Scene, box: tuple[slice, slice, slice], marrow: float, spurs: float, loss: float) -> None:
    at = _place(scene, box)
    depth, canal_mm = at.of(_HALF_DEPTH), np.float32(8.2)
    canal = np.hypot(at.side, at.back - depth - canal_mm) - canal_mm
    body, disc = _body(at, depth, spurs, loss)
    bone = np.minimum(np.maximum(body, -canal - 1), _arch(at, depth + canal_mm, canal))
    scene.blend(box, coverage(np.maximum(disc, -canal - 1), _EDGE_MM), _DISC_HU, Part.SPINE)
    inside = coverage(bone + np.float32(1.2), _EDGE_MM)
    noise = np.sin(at.row * 61 + at.back * 1.7) * np.sin(at.side * 2.1 + at.row * 23) * np.float32(18)
    hu = _CORTEX_HU + inside * (np.float32(marrow - _CORTEX_HU) + noise)
    scene.blend(box, coverage(bone, _EDGE_MM), hu, Part.SPINE)
    scene.blend(box, coverage(canal + np.float32(0.6), _EDGE_MM), 14.0, Part.SPINE)
    cord = np.hypot(at.side, (at.back - depth - canal_mm) * 1.2) - 4.6
    scene.blend(box, coverage(cord, _EDGE_MM), 36.0, Part.SPINE)


def _body(at: _Place, depth: np.ndarray, spurs: float, loss: float) -> tuple[np.ndarray, np.ndarray]:
    """Signed distances to the vertebral bodies, waisted and with spurs at the front of their rims, and to the discs."""
    width = at.of(_HALF_WIDTH)
    rim = (2 * np.abs(at.along)) ** 2
    round_ = np.hypot(at.side / width, at.back / depth)
    outline = (round_ - 1) * depth
    front = np.clip(-at.back / depth, 0, 1)
    ends = (np.abs(at.along) - np.float32(0.5)) * at.tall
    bone = np.maximum(outline + 1.4 * (1 - rim) - spurs * front * np.maximum(rim - 0.35, 0), ends + (2.6 - loss))
    return bone.astype(np.float32), np.maximum(outline + 0.5, -9.0).astype(np.float32)


def _arch(at: _Place, middle: np.ndarray, canal: np.ndarray) -> Float32[np.ndarray, "d h w"]:
    """Signed distance to pedicles, laminae, transverse and spinous processes around a canal whose middle lies `middle`
    mm behind the middle of the body."""
    behind, wide, long = at.back - middle, at.of(_TRANSVERSE), at.of(_SPINOUS)
    thick, low, high = (np.where(behind < 0, a, b) for a, b in ((3.2, 2.6), (0.16, -0.06), (4.5, 8.5)))
    ring = np.maximum(np.abs(canal - 2.6) - thick, np.abs(at.along - low) * at.tall - high)
    reach = np.clip((at.side - 9) / (wide - 9), 0, 1)
    line = np.hypot(at.side - 9 - reach * (wide - 9), behind - 4 - 11 * reach)
    transverse = np.hypot(line, (at.along - 0.08) * at.tall) - (3.3 + 1.4 * reach)
    ribs = np.clip((at.side - 18) / (wide - 16), 0, 1)
    neck = np.hypot(at.side - 18 - ribs * (wide - 16), at.back - 6 - ribs * (middle + 7))
    neck = np.hypot(neck, (at.along - 0.26) * at.tall) - 3.6 + 20 * (np.abs(at.row - 9.5) > 5.9)
    far = np.clip((behind - 8) / long, 0, 1)
    share = at.row + (8 + far * long * at.of(_FALL)) / at.tall
    tip = np.abs(share - np.rint(share)) * at.tall - 5.0
    past = behind - 8 - long
    spinous = np.maximum(np.maximum(at.side - 1.8 - 1.6 * far**3, tip), np.maximum(past, 6 - behind))
    return np.asarray(np.minimum.reduce([ring, transverse, spinous, neck]).astype(np.float32))
