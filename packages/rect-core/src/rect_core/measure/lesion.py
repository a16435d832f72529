"""One lesion, measured from its runs of voxels; and all lesions of given masks."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

import numpy as np
from jaxtyping import Bool, Int64, Integer, UInt8

from rect_core.anatomy import RegionMap
from rect_core.findings import REGIONS
from rect_core.measure.components import Runs, components, find_runs
from rect_core.measure.diameter import diameters
from rect_core.measure.place import midline_of, region_of, side_of, stored_slices
from rect_core.types import Lesion, Lesions, MaskCrop
from rect_core.volume import Volume


@dataclass(frozen=True, slots=True)
class Chest:
    """What all lesions of a scan are measured in. midline_mm: RAS x of the body's midline."""

    volume: Volume
    regions: RegionMap
    midline_mm: float

    @classmethod
    def of(cls, volume: Volume, regions: RegionMap) -> "Chest":
        """A scan and its regions; a map without lungs and without body raises ScanError."""
        return cls(volume, regions, midline_of(volume, regions))

    def inside(self, voxels: Int64[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
        """Whether these (d, h, w) voxels lie in the scan and in the body."""
        shape = np.array(self.volume.shape)
        there = np.flatnonzero(((voxels >= 0) & (voxels < shape)).all(1))
        inside = np.zeros(len(voxels), bool)
        inside[there] = self.regions.labels[tuple(voxels[there].T)] > 0
        return inside


def measure_masks(
    masks: Mapping[str, Integer[np.ndarray, "d h w"] | MaskCrop], volume: Volume, regions: RegionMap
) -> Lesions:
    """Lesions of given instance maps, one a finding: every number keeps its voxels and its number, whatever its size
    and whether or not it is connected.

    masks: numbers from 1 up (0: none) on the scan's voxels. prob is NaN. Raises ValueError for a map of another size.
    """
    chest = Chest.of(volume, regions)
    crops: dict[str, MaskCrop] = {}
    items: list[Lesion] = []
    for finding, mask in masks.items():
        if mask.shape != volume.shape:
            raise ValueError(
                f"{finding}: the mask has {mask.shape} voxels but the scan {volume.case_id!r} {volume.shape}"
            )
        crop = mask if isinstance(mask, MaskCrop) else _cropped(mask)
        crops[finding] = crop
        items += [measure_one(finding, n, runs, crop, chest, prob=nan) for n, runs in _numbered(crop)]
    return Lesions(asked=tuple(masks), items=tuple(items), crops=crops)


def measure_one(finding: str, number: int, runs: Runs, crop: MaskCrop, chest: Chest, *, prob: float) -> Lesion:
    """One lesion. runs: its voxels, on the scan; crop: the masks that hold it under its number."""
    volume = chest.volume
    voxels = int(runs.length.sum())
    counts = _region_counts(number, runs, crop, chest.regions)
    longest, short = diameters(runs, volume.spacing_mm[1:])
    return Lesion(
        finding=finding,
        instance=number,
        volume_ml=voxels * volume.voxel_ml,
        diameter_mm=longest,
        short_axis_mm=short,
        side=side_of(finding, counts, runs, volume, chest.midline_mm),
        region=region_of(finding, counts),
        centroid_ras_mm=_centroid(runs, volume),
        slices=stored_slices(volume, int(runs.d[0]), int(runs.d[-1])),
        voxels=voxels,
        prob=prob,
    )


def instances(
    runs: Runs,
    shape: tuple[int, int, int],
    least_voxels: float,
    most: int,
    *,
    seeds: Int64[np.ndarray, " m"] | None = None,
) -> tuple[UInt8[np.ndarray, " n"], int]:
    """The lesion of each run, from 1 (largest) up; 0 for components that are too small, without one of `seeds` (numbers
    of runs; None: all count) or beyond the first `most` (255 at most), and how many lie beyond."""
    if not len(runs.d):
        return np.zeros(0, np.uint8), 0
    found = components(runs, shape)
    kept = np.bincount(found, weights=runs.length) >= least_voxels
    if seeds is not None:
        kept &= np.bincount(found[seeds], minlength=len(kept)) > 0
    number = np.where(kept, kept.cumsum(), 0)
    ids = np.where(number <= most, number, 0)[found].astype(np.uint8)
    return ids, max(int(kept.sum()) - most, 0)


def crop_of(
    mask: Bool[np.ndarray, "d h w"],
    runs: Runs,
    ids: UInt8[np.ndarray, " n"],
    start: tuple[int, int, int],
    shape: tuple[int, int, int],
) -> MaskCrop:
    """The lesion of each voxel of a mask whose runs belong to `ids`, as the smallest box that holds all lesions."""
    if not ids.any():
        return MaskCrop(labels=np.zeros((0, 0, 0), np.uint8), start=(0, 0, 0), shape=shape)
    labels = np.zeros(mask.shape, np.uint8)
    labels[mask] = np.repeat(ids, runs.length)  # voxels come in the order of the runs
    low, high = runs.pick(np.flatnonzero(ids)).box
    if (low, high) == ((0, 0, 0), mask.shape):
        return MaskCrop(labels=labels, start=start, shape=shape)
    inner = labels[tuple(map(slice, low, high))].copy()  # a view would keep the whole box in memory
    d, h, w = (a + b for a, b in zip(start, low, strict=True))
    return MaskCrop(labels=inner, start=(d, h, w), shape=shape)


def _cropped(mask: Integer[np.ndarray, "d h w"]) -> MaskCrop:
    """The smallest box that holds all numbers of a map."""
    from rect_core.resample import shrink

    planes = np.flatnonzero([plane.any() for plane in mask])  # most maps are empty, and few fill a whole scan
    slab = slice(int(planes[0]), int(planes[-1]) + 1) if len(planes) else slice(0, 0)
    held, start = shrink(mask[slab] > 0, (slab.start, 0, 0))
    box = tuple(slice(s, s + n) for s, n in zip(start, held.shape, strict=True))
    d, h, w = mask.shape
    return MaskCrop(labels=mask[box].copy(), start=start, shape=(d, h, w))


def _numbered(crop: MaskCrop) -> list[tuple[int, Runs]]:
    """Number and runs on the scan of every instance that has voxels."""
    from scipy import ndimage

    found = []
    boxes = ndimage.find_objects(crop.labels) if crop.labels.size else []  # scipy wants the largest of no numbers
    for number, box in enumerate(boxes, 1):
        if box is not None:
            d, h, w = (s + b.start for s, b in zip(crop.start, box, strict=True))
            found.append((number, find_runs(crop.labels[box] == number).shifted((d, h, w))))
    return found


def _centroid(runs: Runs, volume: Volume) -> tuple[float, float, float]:
    middle = np.stack([runs.d, runs.h, (runs.start + runs.stop - 1) / 2], -1).astype(np.float64)
    x, y, z = volume.ras_mm(np.average(middle, axis=0, weights=runs.length)[None])[0]
    return float(x), float(y), float(z)


def _region_counts(number: int, runs: Runs, crop: MaskCrop, regions: RegionMap) -> Int64[np.ndarray, " r"]:
    """Voxels of one lesion in each region value, 0 (outside the body) first."""
    low, high = runs.box
    own = tuple(slice(a - s, b - s) for a, b, s in zip(low, high, crop.start, strict=True))
    inside = regions.labels[tuple(map(slice, low, high))][crop.labels[own] == number]
    return np.bincount(inside, minlength=len(REGIONS) + 1)
