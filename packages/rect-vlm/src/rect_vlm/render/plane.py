"""Slices as radiologists see them, and where in the stored file and in the patient they lie.

Axial and coronal: the patient's right on the left of the picture; axial: anterior on top; coronal and sagittal:
superior on top; sagittal: anterior on the left. House axes (d, h, w) run to Superior, Posterior, Left, so only the rows
of coronal and sagittal slices flip.
"""

from typing import Final, Literal

import numpy as np
from jaxtyping import Integer, Shaped

from rect_core.geometry import HOUSE
from rect_core.types import MaskCrop
from rect_core.volume import Volume

Plane = Literal["axial", "coronal", "sagittal"]
Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]

AXIS: Final[dict[Plane, int]] = {"axial": 0, "coronal": 1, "sagittal": 2}
MARKS: Final[dict[Plane, tuple[str, str]]] = {"axial": ("R", "L"), "coronal": ("R", "L"), "sagittal": ("A", "P")}
"""Letters at the left and right edge of a picture."""

_WORLD: Final = ("x", "y", "z")


def flat(array: Shaped[np.ndarray, "d h w"], plane: Plane, index: int, box: Box) -> Shaped[np.ndarray, "r c"]:
    """One slice of an array inside a box of half-open index ranges, oriented for display: a view, never a copy."""
    (d0, d1), (h0, h1), (w0, w1) = box
    if plane == "axial":
        return array[index, h0:h1, w0:w1]
    if plane == "coronal":
        return array[d0:d1, index, w0:w1][::-1]
    return array[d0:d1, h0:h1, index][::-1]


def flat_crop(crop: MaskCrop, plane: Plane, index: int, box: Box) -> Integer[np.ndarray, "r c"]:
    """The same slice of a mask that is kept as a box: instance ids, 0 where it has none."""
    axis = AXIS[plane]
    row, column = (a for a in range(3) if a != axis)
    canvas = np.zeros([box[a][1] - box[a][0] for a in (row, column)], crop.labels.dtype)
    local = index - crop.start[axis]
    if 0 <= local < crop.labels.shape[axis]:
        to, source = [], []
        for a in (row, column):
            first = max(box[a][0], crop.start[a])
            stop = max(first, min(box[a][1], crop.start[a] + crop.labels.shape[a]))
            to.append(slice(first - box[a][0], stop - box[a][0]))
            source.append(slice(first - crop.start[a], stop - crop.start[a]))
        canvas[tuple(to)] = crop.labels.take(local, axis=axis)[tuple(source)]
    return canvas if plane == "axial" else canvas[::-1]


def size_px(volume: Volume, plane: Plane, box: Box, px_per_mm: float) -> tuple[int, int]:
    """(width, height) of a slice inside a box in square pixels."""
    row, column = (a for a in range(3) if a != AXIS[plane])
    height, width = ((box[a][1] - box[a][0]) * volume.spacing_mm[a] * px_per_mm for a in (row, column))
    return max(1, round(width)), max(1, round(height))


def stored_index(volume: Volume, plane: Plane, index: int) -> int:
    """The number of a slice along the stored axis that runs across this plane, counted from 0."""
    axis = AXIS[plane]
    world, sign = HOUSE[axis]
    stored = next(s for w, s in volume.stored.orientation if w == world)
    return index if stored == sign else volume.shape[axis] - 1 - index


def house_index(volume: Volume, plane: Plane, stored: int) -> int:
    """The (d, h or w) index of a stored slice number; one outside the scan raises ValueError."""
    count = volume.shape[AXIS[plane]]
    if not 0 <= stored < count:
        raise ValueError(f"{plane} slice {stored} is not in this scan: give 0 to {count - 1}")
    return stored_index(volume, plane, stored)


def position(volume: Volume, plane: Plane, index: int) -> str:
    """Where a slice lies in RAS+ mm at its centre, such as "z -120.0 mm"."""
    axis = AXIS[plane]
    centre = [(n - 1) / 2 for n in volume.shape]
    centre[axis] = float(index)
    world = HOUSE[axis][0]
    return f"{_WORLD[world]} {volume.ras_mm(np.array([centre]))[0, world]:.1f} mm"
