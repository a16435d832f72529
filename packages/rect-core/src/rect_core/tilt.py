"""Gantry tilt: slices that are stacked along a direction which is not their normal, and how to straighten them.

A tilted gantry moves each slice sideways within its own plane. Straightening therefore shifts slices in their plane and
leaves the planes where they are: no value is mixed across slices, and the new grid is orthogonal in millimetres.
"""

import math
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Shaped

AIR_HU: Final = -1024
_STRAIGHT_DEGREES: Final = 0.1
_PAIRS: Final = ((1, 2), (0, 2), (0, 1))
"""The in-plane axes of each possible slice axis."""


def shear_degrees(affine: Float[np.ndarray, "4 4"]) -> float:
    """The angle between the slice axis and the normal of the other two, for any axis order; 0 for an orthogonal grid.

    Position and angle of the slices do not matter, only how they lie on each other.
    """
    axes = affine[:3, :3]
    axis = _slice_axis(axes)
    normal, lean = _split(axes, axis)
    return math.degrees(math.atan2(float(np.linalg.norm(lean)), float(np.linalg.norm(normal))))


def unshear(
    array: Shaped[np.ndarray, "i j k"], affine: Float[np.ndarray, "4 4"]
) -> tuple[Shaped[np.ndarray, "x y z"], Float[np.ndarray, "4 4"]]:
    """The same Hounsfield units on an orthogonal grid, and its affine; every structure keeps its place in mm.

    Each slice is shifted in its plane by linear interpolation; the planes grow so that nothing is cut off. Voxels
    outside the scan become -1024, and padding below that counts as -1024. int16 stays int16 (rounded), anything else
    becomes float32. The axes keep their order; the slice axis becomes the slices' normal.
    """
    axis = _slice_axis(affine[:3, :3])
    normal, lean = _split(affine[:3, :3], axis)
    plane = list(_PAIRS[axis])
    # How many in-plane voxels each slice lies further than the one before it.
    drift = np.linalg.lstsq(affine[:3, plane], lean, rcond=None)[0]
    shifts = np.arange(array.shape[axis])[:, None] * drift
    start = np.floor(shifts.min(axis=0) + 1e-6)
    grown = np.ceil(shifts.max(axis=0) - 1e-6) - start
    slices = np.moveaxis(array, axis, 0)
    size = (slices.shape[1] + int(grown[0]), slices.shape[2] + int(grown[1]))
    out = np.empty((slices.shape[0], *size), np.int16 if array.dtype == np.int16 else np.float32)
    for k, (rows, columns) in enumerate(shifts - start):
        moved = np.maximum(slices[k].astype(np.float32), np.float32(AIR_HU))
        moved = _shifted(_shifted(moved, rows, size[0]).T, columns, size[1]).T
        out[k] = np.rint(moved) if out.dtype == np.int16 else moved
    straight = affine.copy()
    straight[:3, axis] = normal
    straight[:3, 3] += affine[:3, plane] @ start
    found = np.moveaxis(out, 0, axis)
    # A grid that is skewed within its slices too, which no gantry does but a file can say, needs a second round.
    return unshear(found, straight) if shear_degrees(straight) > _STRAIGHT_DEGREES else (found, straight)


def _shifted(
    rows: Float[np.ndarray, "a b"], by: float | np.floating[Any], length: int
) -> Float[np.ndarray, "length b"]:
    """Rows moved to higher indices by a fraction of a row, into `length` rows; air comes in at both ends."""
    whole = math.floor(by)
    share = np.float32(by - whole)
    framed = np.pad(rows, ((1, 1), (0, 0)), constant_values=AIR_HU)
    mixed = framed[1:] * (1 - share) + framed[:-1] * share
    out = np.full((length, rows.shape[1]), AIR_HU, np.float32)
    end = min(length, whole + len(mixed))
    out[whole:end] = mixed[: end - whole]
    return out


def _slice_axis(axes: Float[np.ndarray, "3 3"]) -> int:
    """The axis that leans on the other two. Under a plain tilt two choices are equally good geometry: then the pixels
    of a slice are the square ones, and last comes the order in which slices are usually stored."""
    unit = axes / np.linalg.norm(axes, axis=0)
    sizes = np.linalg.norm(axes, axis=0)

    def cost(axis: int) -> tuple[float, float, int]:
        a, b = _PAIRS[axis]
        return round(abs(float(unit[:, a] @ unit[:, b])), 3), round(abs(math.log(sizes[a] / sizes[b])), 3), -axis

    return min(range(3), key=cost)


def _split(axes: Float[np.ndarray, "3 3"], axis: int) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """One step along the slice axis as its part along the in-plane normal and the part within the plane."""
    a, b = _PAIRS[axis]
    normal = np.cross(axes[:, a], axes[:, b])
    normal /= np.linalg.norm(normal)
    along: Float[np.ndarray, " 3"] = normal * (normal @ axes[:, axis])
    return along, axes[:, axis] - along
