"""Thin sheets of tissue in the lung: scars and collapsed plates, bent, ragged at their edges."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.findings.waves import Waves
from rect_data.phantom.grid import Box, Point
from rect_data.phantom.paint import local_mm
from rect_data.phantom.scene import Scene


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """middle_mm: physical (z, y, x); axes: unit vectors in rows, across the sheet, along its length and along its
    width; half_mm: half of its thickness, length and width; bend_mm: how far its ends curl to one side."""

    middle_mm: Point
    axes: Float[np.ndarray, "3 3"]
    half_mm: tuple[float, float, float]
    bend_mm: float = 2.0


def slab(distance_mm: Float32[np.ndarray, "..."], thick_mm: float, voxel_mm: float = 1.8) -> Float32[np.ndarray, "..."]:
    """Share of a voxel that a flat sheet fills, from the distance of the voxel's centre to the sheet's middle; right
    for sheets thinner than a voxel, too."""
    half, reach = np.float32(thick_mm / 2), np.float32(voxel_mm / 2)
    apart = np.abs(distance_mm)
    inside = np.minimum(half, apart + reach) - np.maximum(-half, apart - reach)
    return np.asarray(np.maximum(inside, 0) / (2 * reach), np.float32)


def axes_from(first: Float[np.ndarray, " 3"], rng: np.random.Generator) -> Float[np.ndarray, "3 3"]:
    """Three unit vectors at right angles in rows: any, `first` in the middle, any."""
    along = np.asarray(first, np.float64) / np.linalg.norm(first)
    across = np.cross(along, rng.standard_normal(3))
    across /= np.linalg.norm(across)
    return np.stack([across, along, np.cross(across, along)])


def paint_sheet(
    scene: Scene, rng: np.random.Generator, sheet: Sheet, hu: float, ragged: float = 0.3, pull_mm: float = 0.0
) -> tuple[Box, Float32[np.ndarray, "a b c"]] | None:
    """Paints a sheet inside the lungs and returns its box and how much of each voxel it fills. ragged: 0 for an
    elliptic outline; pull_mm: how far the lung on both sides is drawn toward it."""
    reach = np.abs(sheet.axes).T @ np.asarray(sheet.half_mm) + abs(sheet.bend_mm) + 3 * pull_mm + 4
    box = scene.grid.around(sheet.middle_mm, (float(reach[0]), float(reach[1]), float(reach[2])))
    if box is None:
        return None
    z, y, x = local_mm(scene.grid, box, sheet.middle_mm)
    across, along, aside = (np.float32(a[0]) * z + np.float32(a[1]) * y + np.float32(a[2]) * x for a in sheet.axes)
    thick, long, wide = (np.float32(h) for h in sheet.half_mm)
    wave = _wave(scene, box, rng)
    round_ = (along / long) ** 2 + (aside / wide) ** 2
    across = across + np.float32(sheet.bend_mm) * ((along / long) ** 2 - np.float32(0.4) + np.float32(0.4) * wave)
    inside = np.clip(3 * (1 - round_ + np.float32(ragged) * wave), 0, 1)
    if pull_mm:
        _pull(scene, box, sheet.axes[0], np.float32(pull_mm) * np.sign(across) * np.exp(-np.abs(across) / 9) * inside)
    alpha = slab(across, float(2 * thick)) * inside * scene.lung(box)
    scene.blend(box, alpha, np.maximum(scene.hu[box], np.float32(hu)))
    return box, alpha


def _wave(scene: Scene, box: Box, rng: np.random.Generator) -> Float32[np.ndarray, "a b c"]:
    """An unevenness over about 2 cm."""
    z, y, x = scene.grid.axes_mm
    shape = tuple(s.stop - s.start for s in box)
    points = np.stack(np.broadcast_arrays(z[box[0]], y[:, box[1]], x[:, :, box[2]]), axis=-1).reshape(-1, 3)
    return Waves(22.0, rng).at(points).reshape(shape)


def _pull(scene: Scene, box: Box, way: Float[np.ndarray, " 3"], shift_mm: Float32[np.ndarray, "a b c"]) -> None:
    """Shows in each lung voxel what lay shift_mm farther along a direction, unless that was no lung."""
    from scipy import ndimage

    lung = scene.lung(box)
    shift = shift_mm * np.clip(scene.depth_mm()[box] / 8, 0, 1)
    at = np.indices(lung.shape, np.float32)
    for axis, spacing in enumerate(scene.grid.spacing_mm):
        at[axis] += shift * np.float32(way[axis] / spacing)
    moved = ndimage.map_coordinates(scene.hu[box], at, order=1, mode="nearest")
    free = lung & (ndimage.map_coordinates(lung.astype(np.float32), at, order=1, mode="nearest") > 0.99)
    scene.hu[box][free] = moved[free]
