"""From probability maps on the model grid to measured lesions on the scan's own voxels."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from rect_core.anatomy import RegionMap
from rect_core.errors import ScanError
from rect_core.findings import REGIONS
from rect_core.preprocess import Frame
from rect_core.types import Lesion, Lesions, MaskCrop
from rect_core.volume import Volume
from rect_localizer.components import Runs, components, find_runs
from rect_localizer.diameter import diameters
from rect_localizer.place import midline_of, region_of, side_of, stored_slices
from rect_localizer.sample import sample

MIN_VOLUME_ML: Final = {
    "pericardial_effusion": 1.0,
    "pleural_effusion": 1.0,
    "consolidation": 0.2,
    "ground_glass_opacity": 0.2,
    "lung_nodule": 0.03,
}
"""Smaller components are dropped as noise. A nodule of 0.03 ml is 4 mm across: smaller ones need no follow-up in any
guideline (Fleischner 2017 starts at 6 mm). An effusion of 1 ml is below what a reader would report."""

OTHER_MIN_VOLUME_ML = 0.03
"""For findings of new prompts."""

MOST_INSTANCES = 200
"""Instances kept a finding, the largest ones."""

PROB_VOXELS = 4_000
"""Voxels at most, evenly spaced, that a lesion's mean probability is taken over."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What all lesions of a scan are measured in. midline_mm: RAS x of the body's midline."""

    frame: Frame
    volume: Volume
    regions: RegionMap
    midline_mm: float


def measure(
    prob: Float[Tensor, "k gd gh gw"],
    frame: Frame,
    volume: Volume,
    regions: RegionMap,
    *,
    findings: tuple[str, ...],
    threshold: float = 0.5,
    min_volume_ml: Mapping[str, float] = MIN_VOLUME_ML,
) -> Lesions:
    """Lesions of each finding, numbered largest first.

    prob: one map a finding on the model grid. A lesion is a connected component (26 neighbours, on the scan's own
    voxels) of at least its finding's min_volume_ml. Raises ScanError for undefined probabilities, ValueError for a
    threshold outside 0..1 or maps that do not match findings.
    """
    if len(findings) != len(prob):
        raise ValueError(f"{len(prob)} probability maps for {len(findings)} findings")
    if not 0 < threshold < 1:
        raise ValueError(f"threshold {threshold} must lie between 0 and 1")
    scene = Scene(frame, volume, regions, midline_of(volume, regions))
    items: list[Lesion] = []
    warnings: list[str] = []
    crops: dict[str, MaskCrop] = {}
    for finding, soft in zip(findings, prob, strict=True):
        least_ml = min_volume_ml.get(finding, OTHER_MIN_VOLUME_ML)
        found, crops[finding], left_out = _measure_one(finding, soft, scene, threshold, least_ml)
        items += found
        if left_out:
            name = finding.replace("_", " ")
            warnings.append(
                f"{name}: only the {MOST_INSTANCES} largest of {MOST_INSTANCES + left_out} lesions are kept"
            )
    return Lesions(asked=findings, items=tuple(items), crops=crops, warnings=tuple(warnings))


def _measure_one(
    finding: str, soft: Float[Tensor, "gd gh gw"], scene: Scene, threshold: float, least_ml: float
) -> tuple[list[Lesion], MaskCrop, int]:
    """The lesions of one finding, the crop that holds them, and how many small ones MOST_INSTANCES left out."""
    if not soft.sum().isfinite():
        raise ScanError("lesions", f"the map of {finding} holds undefined probabilities: the weights hold NaN or Inf")
    mask, start = scene.frame.restore(soft, threshold)
    runs = find_runs(mask)
    d, h, w = mask.shape
    ids, left_out = instances(runs, (d, h, w), least_ml / scene.volume.voxel_ml)
    crop = _crop(mask, runs, ids, start, scene.volume.shape)
    order = np.argsort(ids, kind="stable")
    edges = np.searchsorted(ids[order], np.arange(1, int(ids.max(initial=0)) + 2))
    lesions = [
        _lesion(finding, number, runs.pick(order[first:last]).shifted(start), crop, soft, scene)
        for number, (first, last) in enumerate(pairwise(edges), 1)
    ]
    return lesions, crop, left_out


def instances(runs: Runs, shape: tuple[int, int, int], least_voxels: float) -> tuple[UInt8[np.ndarray, " n"], int]:
    """The lesion of each run, from 1 (largest) up; 0 for components that are too small or beyond MOST_INSTANCES, and
    how many lie beyond."""
    if not len(runs.d):
        return np.zeros(0, np.uint8), 0
    found = components(runs, shape)
    kept = int((np.bincount(found, weights=runs.length) >= least_voxels).sum())
    ids = np.where(found < min(kept, MOST_INSTANCES), found + 1, 0).astype(np.uint8)
    return ids, max(kept - MOST_INSTANCES, 0)


def _crop(
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


def _lesion(
    finding: str, number: int, runs: Runs, crop: MaskCrop, soft: Float[Tensor, "gd gh gw"], scene: Scene
) -> Lesion:
    volume = scene.volume
    voxels = int(runs.length.sum())
    counts = _region_counts(number, runs, crop, scene.regions)
    longest, short = diameters(runs, volume.spacing_mm[1:])
    return Lesion(
        finding=finding,
        instance=number,
        volume_ml=voxels * volume.voxel_ml,
        diameter_mm=longest,
        short_axis_mm=short,
        side=side_of(finding, counts, runs, volume, scene.midline_mm),
        region=region_of(finding, counts),
        centroid_ras_mm=_centroid(runs, volume),
        slices=stored_slices(volume, int(runs.d[0]), int(runs.d[-1])),
        voxels=voxels,
        prob=float(sample(soft, scene.frame, runs.voxels(PROB_VOXELS)).mean()),
    )


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
