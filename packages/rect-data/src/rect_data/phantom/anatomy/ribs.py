"""Twelve pairs of ribs and their cartilage, laid on the rim of the rib cage by height and angle."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.anatomy.wall import ANGLES, HEIGHTS, Lattice, Polar, Table, rim
from rect_data.phantom.paint import coverage
from rect_data.phantom.parts import Part
from rect_data.phantom.scene import Scene

_BACK: Final = np.array([86, 66, 45, 24, 2, -19, -41, -64, -87, -111, -137, -164], np.float64)
"""Reference z of the posterior end of each rib: the heights of the thoracic vertebrae, T4 to T5 at the carina."""

_JOINT: Final = np.array([42, 6, -24, -50, -77, -103, -127, -146, -160, -172, -186, -200], np.float64)
_JOINT_DEGREES: Final = np.array([27, 30, 32, 34, 38, 43, 49, 56, 64, 72, 100, 130], np.float64)
"""Where bone ends and cartilage begins; ribs 11 and 12 end there."""

_FRONT: Final = np.array([40, 8, -16, -37, -55, -70, -83, -92, -100, -108, -186, -200], np.float64)
"""Where the cartilage ends at the sternum, or on the cartilage over it (ribs 8 to 10)."""

_END_DEGREES: Final = np.array([11, 11, 11, 11, 11, 11, 10, 22, 34, 46, 180, 180], np.float64)
_HALF_HEIGHT: Final = np.array([7.5, 6.0, 6.0, 6.2, 6.4, 6.6, 6.8, 6.8, 6.4, 6.0, 5.2, 4.2])
_HALF_THICK, _MIDDLE_MM, _TUBERCLE_DEGREES = 3.5, 6.2, 161.0
_CORTEX_HU, _CORTEX_MM, _EDGE_MM = 540.0, 1.1, 1.5
_SLAB: Final = 8
_APART_MM: Final = 6.0


def draw(scene: Scene, rng: np.random.Generator) -> None:
    """Paints ribs (cortex around marrow) and cartilage, which calcifies with age."""
    age = scene.patient.age
    marrow = float(np.clip(rng.normal(150 - 1.4 * (age - 20), 25), 0, 200))
    calcified = float(np.clip(rng.normal((age - 40) / 55, 0.15), 0, 1))
    shift = float(rng.normal(0, 2.5))
    cage, number = rim(scene.patient), _numbers(shift)
    pitch = _pitch(number, cage)
    speckle = np.repeat(rng.standard_normal(1021, dtype=np.float32), 3)
    lattice = Lattice.of(scene)
    wall = Polar.of(*lattice.pick(scene)).distance(cage)
    for first in range(0, scene.grid.shape[0], _SLAB):
        slab = slice(first, first + _SLAB)
        _paint(scene, slab, lattice.fill(wall, slab), (number, pitch), speckle, (marrow, calcified))


def rib_z(degrees: Float[np.ndarray, " n"], shift: float = 0.0) -> Float[np.ndarray, "12 n"]:
    """Reference z of the middle of each rib at angles from the front: falling from the spine to the joint with the
    cartilage, which rises again until it meets that of the rib above."""
    joint, end = _JOINT_DEGREES[:, None], np.minimum(_END_DEGREES, _JOINT_DEGREES)[:, None]
    forward = np.clip((172 - degrees[None]) / (172 - joint), -0.1, 1)
    fall = 0.8 * forward + 0.2 * np.sin(np.pi / 2 * np.clip(forward, 0, 1)) ** 2
    bone = _BACK[:, None] + (_JOINT - _BACK)[:, None] * fall
    rise = np.clip((joint - degrees[None]) / np.maximum(joint - end, 1), 0, 1.2)
    z = bone + (_FRONT - _JOINT)[:, None] * rise * (0.6 + 0.4 * rise) + shift
    apart = _APART_MM * np.arange(12)[:, None]
    return np.asarray(np.minimum.accumulate(z + apart, axis=0) - apart)


def _numbers(shift: float) -> Table:
    """The rib number, 1 to 12 at the middle of each rib and continuous between them."""
    z = rib_z(np.degrees(ANGLES), shift)
    z = np.concatenate([2 * z[:1] - z[1:2], z, 2 * z[-1:] - z[-2:-1]])
    columns = [np.interp(HEIGHTS, z[::-1, k], np.arange(13.0, -1, -1)) for k in range(len(ANGLES))]
    return np.stack(columns, axis=1)


def _pitch(number: Table, cage: Table) -> Table:
    """Millimetres along the wall, across the ribs, from one rib to the next."""
    upward = np.gradient(number, HEIGHTS, axis=0)
    around = np.gradient(number, ANGLES, axis=1) / cage
    return np.asarray(1 / np.maximum(np.hypot(upward, around), 1 / 40))


def _paint(
    scene: Scene,
    slab: slice,
    wall: Float32[np.ndarray, "d h w"],
    tables: tuple[Table, Table],
    speckle: Float32[np.ndarray, " n"],
    traits: tuple[float, float],
) -> None:
    where = (wall > 1) & (wall < 12)
    polar = Polar.of(*(axis[slab][where] for axis in (scene.z, scene.y, scene.x)))
    number, pitch = (polar.look(table) for table in tables)
    rib = np.clip(np.rint(number), 1, 12).astype(np.int64) - 1
    across = np.abs(number - rib - 1) * pitch / _HALF_HEIGHT[rib]
    shape = (np.hypot(across, (wall[where] - _MIDDLE_MM) / _HALF_THICK) - 1) * 4.2
    stops = _JOINT_DEGREES[rib], _END_DEGREES[rib], _TUBERCLE_DEGREES
    joint, end, tubercle = (polar.radius * (polar.angle - np.radians(stop)) for stop in stops)
    bone = np.maximum(np.maximum(shape, -joint), tubercle).astype(np.float32)
    gristle = np.maximum(np.maximum(shape, joint), -end).astype(np.float32)
    hu, parts = scene.hu[slab], scene.parts[slab]
    hu[where] = _tissue(hu[where], bone, gristle, np.resize(speckle, len(bone)), traits)
    parts[where] = np.where(np.minimum(bone, gristle) < 0, np.uint8(Part.RIB), parts[where])


def _tissue(
    hu: Float32[np.ndarray, " n"],
    bone: Float32[np.ndarray, " n"],
    gristle: Float32[np.ndarray, " n"],
    speckle: Float32[np.ndarray, " n"],
    traits: tuple[float, float],
) -> Float32[np.ndarray, " n"]:
    """The voxels with ribs laid over them, from signed distances to bone and cartilage."""
    marrow, calcified = traits
    rind = np.exp(-(((gristle + 1.2) / 1.2) ** 2)) * np.float32(260 * calcified) * (speckle > 1.2 - 1.6 * calcified)
    hu = hu + coverage(gristle, _EDGE_MM) * (np.float32(112) + rind - hu)
    inside = coverage(bone + np.float32(_CORTEX_MM), _EDGE_MM)
    out = hu + coverage(bone, _EDGE_MM) * (np.float32(_CORTEX_HU) + inside * np.float32(marrow - _CORTEX_HU) - hu)
    return np.asarray(out, np.float32)
