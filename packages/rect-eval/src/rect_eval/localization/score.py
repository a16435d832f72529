"""One finding of one case: every number that a truth and a prediction on the same scan give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int64

from rect_core.frame import Frame
from rect_core.measure.components import components, find_runs
from rect_core.types import MaskCrop
from rect_core.volume import Volume
from rect_eval.localization.masks import Lesion, lesions_of
from rect_eval.localization.matching import THRESHOLDS, Fit, Overlap, Rule, assign, first_found
from rect_eval.localization.oracle import oracle_dice
from rect_eval.localization.overlap import ratio
from rect_eval.localization.sizes import lesion_diameters, longest_diameter
from rect_eval.localization.surface import distances_between, hd95_of, nsd_of, surface_points

NSD_MM: Final = 2.0
HIT_DICE: Final = 0.1
"""ReXGroundingCT's hit: the Dice of a finding from which it counts as found."""

MEASURES: Final = (
    "truth_ml",
    "predicted_ml",
    "dice",
    "iou",
    "hd95_mm",
    "nsd_2mm",
    "sensitivity",
    "precision",
    "oracle_dice",
    "lesions_truth",
    "lesions_found",
    "lesions_false",
    "volume_error_ml",
    "diameter_error_mm",
    "hit",
)
"""Numbers of one case and finding, NaN where undefined."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What one case says about one finding.

    partial: the truth outlines some of the lesions only; values: MEASURES; lesions: diameter in mm, Dice with the
    matched prediction (0: none), oracle Dice and whether it was found, of each true lesion; matched: pairs under each
    rule; confidence: of each predicted lesion, NaN where the prediction states none; hits: which of them find a lesion
    first, under each rule; lumped: of the two masks, how many hold one id in several pieces, as masks without ids do.
    """

    finding: str
    status: str
    partial: bool
    values: Mapping[str, float]
    lesions: Float[np.ndarray, "t 4"]
    matched: Mapping[Rule, int]
    confidence: Float[np.ndarray, " p"]
    hits: Mapping[Rule, Bool[np.ndarray, " p"]]
    lumped: int = 0


def score_finding(
    finding: str,
    truth: MaskCrop,
    predicted: MaskCrop,
    volume: Volume,
    frame: Frame | None,
    *,
    partial: bool,
    missing: bool,
    prob: Mapping[int, float],
) -> Result:
    """Scores a mask of instance ids against another on the same scan.

    frame: where the model grid lay, None leaves the oracle undefined; prob: of each predicted instance.
    """
    overlap = Overlap.of(truth, predicted, volume.spacing_mm)
    fits = {rule: overlap.fit(rule) for rule in THRESHOLDS}
    chosen = {rule: assign(fit) for rule, fit in fits.items()}
    confidence = np.array([prob.get(int(n), nan) for n in overlap.predicted_ids], np.float64)
    status = _status(overlap, partial=partial, missing=missing)
    lesions = _lesions(lesions_of(truth), fits["dice"], chosen["dice"], volume, frame)
    values = dict.fromkeys(MEASURES, nan)
    values |= _amounts(overlap, volume, partial=partial)
    values |= _found(overlap, len(chosen["dice"]), partial=partial)
    if not partial:
        values |= _overlaps(overlap)
        if status == "scored":
            values |= _surfaces(truth, predicted, volume)
            longest = longest_diameter(lesions_of(predicted), volume.spacing_mm)
            values["diameter_error_mm"] = longest - float(lesions[:, 0].max())
    if frame is not None and len(lesions):
        whole = oracle_dice(truth.labels > 0, truth.start, frame) if len(lesions) > 1 else float(lesions[0, 2])
        values["oracle_dice"] = whole
    return Result(
        finding=finding,
        status=status,
        partial=partial,
        values=values,
        lesions=lesions,
        matched={rule: len(found) for rule, found in chosen.items()},
        confidence=confidence,
        hits={rule: first_found(fit, np.nan_to_num(confidence)) for rule, fit in fits.items()},
        lumped=_lumped(truth) + _lumped(predicted),
    )


def _status(overlap: Overlap, *, partial: bool, missing: bool) -> str:
    if missing:
        return "missing"
    if partial:
        return "partial truth"
    here, there = len(overlap.truth_ids) > 0, len(overlap.predicted_ids) > 0
    if here and there:
        return "scored"
    return "prediction empty" if here else "truth empty" if there else "both empty"


def _lumped(crop: MaskCrop) -> bool:
    """Whether a mask holds one id and several pieces (26 neighbours)."""
    held = crop.labels > 0
    if not held.any() or (crop.labels[held] != crop.labels.max()).any():
        return False
    d, h, w = held.shape
    return bool(components(find_runs(held), (d, h, w)).any())


def _amounts(overlap: Overlap, volume: Volume, *, partial: bool) -> dict[str, float]:
    truth, predicted = (float(n.sum()) * volume.voxel_ml for n in (overlap.truth_voxels, overlap.predicted_voxels))
    unknown = partial or not (truth or predicted)
    return {
        "truth_ml": truth,
        "predicted_ml": predicted,
        "volume_error_ml": nan if unknown else predicted - truth,
    }


def _found(overlap: Overlap, matched: int, *, partial: bool) -> dict[str, float]:
    """Lesions, the share of the truth's voxels and the hit. Of a partial truth a prediction that touches no outlined
    lesion may be right: it counts for nothing."""
    held, shared = float(overlap.truth_voxels.sum()), float(overlap.shared.sum())
    counted = np.unique(overlap.pairs[:, 1]) if partial else np.arange(len(overlap.predicted_ids))
    overall = ratio(2 * shared, held + float(overlap.predicted_voxels[counted].sum()))
    return {
        "lesions_truth": float(len(overlap.truth_ids)),
        "lesions_found": float(matched),
        "lesions_false": nan if partial else float(len(overlap.predicted_ids) - matched),
        "sensitivity": ratio(shared, held),
        "hit": float(overall >= HIT_DICE) if held else nan,
    }


def _overlaps(overlap: Overlap) -> dict[str, float]:
    held, given = float(overlap.truth_voxels.sum()), float(overlap.predicted_voxels.sum())
    shared = float(overlap.shared.sum())
    return {
        "dice": ratio(2 * shared, held + given),
        "iou": ratio(shared, held + given - shared),
        "nsd_2mm": 0.0 if held + given else nan,  # of two that are not empty it is measured
        "precision": ratio(shared, given),
    }


def _surfaces(truth: MaskCrop, predicted: MaskCrop, volume: Volume) -> dict[str, float]:
    here, there = (surface_points(crop.labels > 0, crop.start, volume.spacing_mm) for crop in (truth, predicted))
    distances = distances_between(here, there)
    return {"hd95_mm": hd95_of(distances), "nsd_2mm": nsd_of(distances, NSD_MM)}


def _lesions(
    truth: Sequence[Lesion], fit: Fit, chosen: Int64[np.ndarray, " k"], volume: Volume, frame: Frame | None
) -> Float[np.ndarray, "t 4"]:
    """Diameter, Dice, oracle Dice and found of each true lesion."""
    out = np.zeros((len(truth), 4))
    out[:, 0] = lesion_diameters(truth, volume.spacing_mm)
    found = fit.pairs[chosen, 0]
    out[found, 1] = fit.goodness[chosen]
    out[:, 2] = [nan if frame is None else oracle_dice(mask, start, frame) for mask, start in truth]
    out[found, 3] = 1.0
    return out
