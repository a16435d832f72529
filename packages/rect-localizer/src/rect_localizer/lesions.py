"""From probability maps on the model grid to measured lesions on the scan's own voxels."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor

from rect_core.anatomy import RegionMap
from rect_core.errors import ScanError
from rect_core.measure import Chest, crop_of, instances, measure_one
from rect_core.measure.components import find_runs
from rect_core.preprocess import Frame
from rect_core.types import Lesion, Lesions, MaskCrop, OutlinePoints
from rect_core.volume import Volume
from rect_localizer.sample import reaching, sample

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

THRESHOLD = 0.5
"""Probability from which a voxel belongs to a lesion, unless another is asked for."""

PROB_VOXELS = 4_000
"""Voxels at most, evenly spaced, that a lesion's mean probability is taken over."""


def measure(
    prob: Float[Tensor, "k gd gh gw"],
    frame: Frame,
    volume: Volume,
    regions: RegionMap,
    *,
    findings: tuple[str, ...],
    threshold: float | None = None,
    points: OutlinePoints | None = None,
    min_volume_ml: Mapping[str, float] = MIN_VOLUME_ML,
) -> Lesions:
    """Lesions of each finding, numbered largest first.

    prob: one map a finding on the model grid. A lesion is a connected component (26 neighbours, on the scan's own
    voxels) of at least its finding's min_volume_ml. threshold: probability from which a voxel belongs to one, whatever
    it reaches; None: THRESHOLD, and a lesion counts where it reaches its finding's peak of the operating points inside
    the body. Raises ScanError for undefined probabilities, ValueError for a threshold outside 0..1, maps that do not
    match findings, or points of other findings.
    """
    if len(findings) != len(prob):
        raise ValueError(f"{len(prob)} probability maps for {len(findings)} findings")
    if points and points.findings != findings:
        raise ValueError(f"operating points are for the findings {points.findings}, the maps for {findings}")
    peaks = points.peaks if points and threshold is None else {}
    threshold = THRESHOLD if threshold is None else threshold
    if not 0 < threshold < 1:
        raise ValueError(f"threshold {threshold} must lie between 0 and 1")
    chest = Chest.of(volume, regions)
    items: list[Lesion] = []
    warnings: list[str] = []
    crops: dict[str, MaskCrop] = {}
    for finding, soft in zip(findings, prob, strict=True):
        cuts = _Cuts(threshold, peaks.get(finding, 0.0), min_volume_ml.get(finding, OTHER_MIN_VOLUME_ML))
        found, crops[finding], left_out = _measure_finding(finding, soft, frame, chest, cuts)
        items += found
        if left_out:
            name = finding.replace("_", " ")
            warnings.append(
                f"{name}: only the {MOST_INSTANCES} largest of {MOST_INSTANCES + left_out} lesions are kept"
            )
    return Lesions(asked=findings, items=tuple(items), crops=crops, warnings=tuple(warnings))


class _Cuts(NamedTuple):
    """What a lesion is: from which probability on, which it reaches somewhere, and how large."""

    threshold: float
    peak: float
    least_ml: float


def _measure_finding(
    finding: str, soft: Float[Tensor, "gd gh gw"], frame: Frame, chest: Chest, cuts: _Cuts
) -> tuple[list[Lesion], MaskCrop, int]:
    """The lesions of one finding, the crop that holds them, and how many small ones MOST_INSTANCES left out."""
    if not soft.sum().isfinite():
        raise ScanError("lesions", f"the map of {finding} holds undefined probabilities: the weights hold NaN or Inf")
    mask, start = frame.restore(soft, cuts.threshold)
    runs = find_runs(mask)
    seeds = None
    if cuts.peak > cuts.threshold:
        voxels = reaching(soft, frame, cuts.peak)
        seeds = runs.holding(voxels[chest.inside(voxels)] - start)
    d, h, w = mask.shape
    ids, left_out = instances(runs, (d, h, w), cuts.least_ml / chest.volume.voxel_ml, MOST_INSTANCES, seeds=seeds)
    crop = crop_of(mask, runs, ids, start, chest.volume.shape)
    order = np.argsort(ids, kind="stable")
    edges = np.searchsorted(ids[order], np.arange(1, int(ids.max(initial=0)) + 2))
    lesions = []
    for number, (first, last) in enumerate(pairwise(edges), 1):
        own = runs.pick(order[first:last]).shifted(start)
        prob = float(sample(soft, frame, own.voxels(PROB_VOXELS)).mean())
        lesions.append(measure_one(finding, number, own, crop, chest, prob=prob))
    return lesions, crop, left_out
