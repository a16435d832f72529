"""A scene made of a real scan: its voxels, what its region map says they are, and the reference chest fitted to it."""

from dataclasses import replace
from math import ceil
from typing import Final

import numpy as np
from einops import repeat
from jaxtyping import Float32, Shaped, UInt8

from rect_core.anatomy.region_map import LEFT_ZONES, RIGHT_ZONES, RegionMap, bounding_box
from rect_core.findings import REGIONS, region_value
from rect_core.volume import Volume
from rect_data.phantom.anatomy.thorax import fissures
from rect_data.phantom.config import COARSEST_MM
from rect_data.phantom.grid import Box, Grid
from rect_data.phantom.parts import REGION_OF_PART, Part
from rect_data.phantom.patient import Patient
from rect_data.phantom.pose import Pose
from rect_data.phantom.scene import Scene
from rect_data.phantom.streams import stream
from rect_data.phantom.traits import Traits

_LUNGS_LOW: Final = (-160.0, -84.0, -137.0)
_LUNGS_HIGH: Final = (112.0, 94.0, 137.0)
"""Corners of the box around the lungs of the reference chest, (z, y, x) mm."""

_MARGIN_MM: Final = 12.0
_BLOOD_HU: Final = 50.0
_PATIENT: Final = Patient(age=60, sex="M", stature=1.0, build=0.4)
"""Stands for whoever was scanned: what is drawn into lungs depends on the scan and not on it."""


def finer(volume: Volume) -> tuple[int, int, int]:
    """Into how many voxels each voxel of a scan is cut along (d, h, w) to be no larger than COARSEST_MM."""
    d, h, w = (ceil(s / c - 0.01) for s, c in zip(volume.spacing_mm, COARSEST_MM, strict=True))
    return max(d, 1), max(h, 1), max(w, 1)


def chest_box(volume: Volume, regions: RegionMap) -> Box:
    """The voxels of a scan around both lungs, with a margin."""
    slices = []
    for (start, stop), spacing, size in zip(regions.lungs_box, volume.spacing_mm, volume.shape, strict=True):
        margin = ceil(_MARGIN_MM / spacing)
        slices.append(slice(max(0, start - margin), min(size, stop + margin)))
    return slices[0], slices[1], slices[2]


def scene_of(
    volume: Volume,
    regions: RegionMap,
    labels: tuple[str, ...],
    seed: int,
    lobes: UInt8[np.ndarray, "d h w"] | None = None,
) -> Scene:
    """A scene of the chest box of a scan, on voxels cut as `finer` says; millimetres start at its first voxel.

    Parts follow the region map, lobes (1..5 in the order of parts.LOBES) the given map or else the fissures of the
    reference chest. No airway or vessel is known: their tubes are empty.
    """
    box, cut = chest_box(volume, regions), finer(volume)
    spacing = tuple(s / n for s, n in zip(volume.spacing_mm, cut, strict=True))
    parts = _cut(_parts(regions.labels[box]), cut)
    d, h, w = parts.shape
    grid = Grid(shape=(d, h, w), spacing_mm=(spacing[0], spacing[1], spacing[2]), origin_mm=(0.0, 0.0, 0.0))
    rng = stream(seed, "traits")
    traits = replace(Traits.of(_PATIENT, labels, rng), losing="", azygos=False, contrast=_contrast(volume, regions))
    scene = Scene.empty(grid, _PATIENT, labels, _pose(parts, grid, rng), traits)
    scene.hu[:], scene.parts[:] = _smoothly_cut(volume.hu[box], cut), parts
    scene.lobes[:] = _lobes(scene, None if lobes is None else _cut(lobes[box], cut))
    scene.tubes |= {"airway": [], "artery": [], "vein": []}
    for name, at in (
        ("carina", (0, 0, 0)),
        ("heart", (-62, -25, 24)),
        ("right hilum", (-28, 2, -48)),
        ("left hilum", (-13, 13, 47)),
    ):
        scene.landmarks[name] = scene.pose.physical(np.array([at], np.float64))[0]
    return scene


def _contrast(volume: Volume, regions: RegionMap) -> float:
    """HU that iodine adds to the blood of the aorta; 0 where the map has no aorta."""
    blood = volume.hu[regions.labels == region_value("aorta")]
    return max(0.0, float(np.median(blood)) - _BLOOD_HU) if blood.size else 0.0


def _parts(labels: UInt8[np.ndarray, "d h w"]) -> UInt8[np.ndarray, "d h w"]:
    """The part of each region value; regions that hold several parts give the first of them."""
    table = np.zeros(len(REGIONS) + 1, np.uint8)
    for part in reversed(Part):
        table[REGION_OF_PART[part]] = part
    table[0] = Part.OUTSIDE
    table[list(RIGHT_ZONES)], table[list(LEFT_ZONES)] = Part.RIGHT_LUNG, Part.LEFT_LUNG
    return np.asarray(table[labels])


def _pose(parts: UInt8[np.ndarray, "d h w"], grid: Grid, rng: np.random.Generator) -> Pose:
    """Stretches the reference chest so that its lungs fill the same box."""
    ranges = bounding_box(np.isin(parts, (Part.RIGHT_LUNG, Part.LEFT_LUNG)))
    low, high = grid.point(np.array([[r[0] for r in ranges], [r[1] - 1 for r in ranges]]))
    reference_low, reference_high = np.array(_LUNGS_LOW), np.array(_LUNGS_HIGH)
    scale = (high - low) / (reference_high - reference_low)
    some = Pose.of(_PATIENT, rng)
    return replace(
        some, scale=scale, rotation=np.eye(3), shift=low - scale * reference_low, knots=np.zeros_like(some.knots)
    )


def _lobes(scene: Scene, given: UInt8[np.ndarray, "d h w"] | None) -> UInt8[np.ndarray, "d h w"]:
    """Lobes of the lung voxels: as given, and by the fissures of the reference chest where nothing is."""
    oblique, horizontal = fissures(scene.z, scene.y, scene.x, scene.traits)
    upper, middle = oblique > 0, horizontal <= 0
    right = np.where(upper, np.where(middle, np.uint8(2), np.uint8(1)), np.uint8(3))
    left = np.where(upper, np.uint8(4), np.uint8(5))
    fitted = np.where(scene.parts == Part.RIGHT_LUNG, right, left)
    if given is not None:
        fitted = np.where(given > 0, given, fitted)
    return np.asarray(fitted * scene.lung(), np.uint8)


def _cut(values: Shaped[np.ndarray, "d h w"], cut: tuple[int, int, int]) -> Shaped[np.ndarray, "a b c"]:
    a, b, c = cut
    return repeat(values, "d h w -> (d a) (h b) (w c)", a=a, b=b, c=c)


def _smoothly_cut(hu: Shaped[np.ndarray, "d h w"], cut: tuple[int, int, int]) -> Float32[np.ndarray, "a b c"]:
    from scipy import ndimage

    return np.asarray(ndimage.zoom(hu.astype(np.float32), cut, order=1, mode="nearest", grid_mode=True), np.float32)
