"""What a reader must know about the numbers, in plain sentences."""

from collections.abc import Sequence
from math import isnan

from rect_core.frame import GridConfig
from rect_eval.cases import Pairs
from rect_eval.localization.case import has_volume, looked_for
from rect_eval.localization.froc import FALSE_PER_SCAN
from rect_eval.localization.matching import THRESHOLDS
from rect_eval.localization.oracle import THRESHOLD
from rect_eval.localization.plan import NOT_ASSESSED, UNKNOWN, Plan
from rect_eval.localization.score import HIT_DICE, Result


def notes_of(grid: GridConfig | None, unit: str) -> tuple[str, ...]:
    """The rules that were applied."""
    oracle = (
        "Oracle Dice was not asked for: no model grid was given."
        if grid is None
        else f"Oracle Dice: the truth averaged onto the model grid ({_size(grid)}), restored linearly with one "
        f"residual correction and cut at {THRESHOLD:g}, as a localizer's probabilities are; only where the truth is "
        "not empty, so compare it with macro_dice_present (dice_present)."
    )
    return (
        "Empty masks: where truth and prediction are both empty nothing is counted but a true negative "
        "(specificity_of_empty: the share of empty truths with an empty prediction); where one is empty Dice, IoU and "
        "NSD are 0 and HD95 is undefined (hd95_undefined is the share of scored cases of which that is so). "
        "Sensitivity needs a truth, precision a prediction.",
        "All masks are compared on the scan's own voxels with its spacing. HD95 is the larger of the two directed 95th "
        "percentiles of surface distances (MONAI's convention), NSD the share of surface voxels within 2 mm of the "
        "other surface; surfaces are the voxels that an erosion by one takes away.",
        f"Lesions are instances, matched one to one and optimally: Dice >= {THRESHOLDS['dice']:g}, IoU >= "
        f"{THRESHOLDS['iou']:g}, or centroids within {THRESHOLDS['distance']:g} mm. FROC is the mean sensitivity at "
        f"{', '.join(f'{rate:g}' for rate in FALSE_PER_SCAN)} false lesions a scan.",
        f"As in ReXGroundingCT: mean_dice over all cases and findings, hit_rate at Dice >= {HIT_DICE:g} where the "
        f"truth is not empty, instance_precision, _recall and _f1 with Dice >= {THRESHOLDS['dice']:g}, pooled. "
        "Findings are ours, not free-text sentences. macro_ and lesion_ scores are means over findings.",
        "Of a partial truth only hits, sensitivity and the outlined lesions count; predicted lesions that touch none "
        "of them are neither right nor wrong.",
        "volume_error_ml is predicted minus true; diameter_error_mm compares the longest axial diameters of the "
        "largest lesions where both masks have one. Bands in ml are by the truth of a case; bands of lesions are by "
        "the diameter of a true lesion, and dice and oracle_dice there are of single lesions (a missed one 0).",
        oracle,
        "The reconstructions of one scan together count as one."
        if unit == "scan"
        else "Every reconstruction counts as a case.",
    )


def warnings_of(
    pairs: Pairs, plan: Plan, results: Sequence[Sequence[Result]], *, asked_oracle: bool
) -> tuple[str, ...]:
    """What was not scored, and what else the reader must not overlook."""
    every = [result for case in results for result in case]
    jobs = [job.truth for job in plan.jobs.values()]
    counts = {
        "Cases without a prediction: {}; they count as empty predictions, not as true negatives.": len(pairs.missing),
        "True masks that a prediction did not look for, though others did: {}; they count as missing predictions.": sum(
            len(set(job.findings) - looked_for(job.predicted))
            for job in plan.jobs.values()
            if job.predicted is not None
        ),
        "True masks that no prediction says it looked for: {}; they are not scored.": plan.counted(NOT_ASSESSED),
        "Predicted masks whose truth is unknown: {}; they are not scored.": plan.counted(UNKNOWN),
        "Masks with a partial truth: {}; they have no Dice.": sum(r.partial for r in every),
        "Cases without a scan to compare grids with: {}; the grid of their first true mask was taken for it.": sum(
            not has_volume(truth) for truth in jobs
        ),
        "Masks that hold one id in several separate pieces: {}; it counts as one lesion: number the lesions if these "
        "are plain masks of 0 and 1.": sum(r.lumped for r in every),
        "Masks without an oracle Dice: {}; no region map with lungs was given or found.": sum(
            asked_oracle and len(r.lesions) > 0 and isnan(r.values["oracle_dice"]) for r in every
        ),
    }
    nothing = () if every else ("No finding has both a true mask and a prediction that looked for it.",)
    return (*nothing, *(text.format(count) for text, count in counts.items() if count))


def _size(grid: GridConfig) -> str:
    return f"{' x '.join(map(str, grid.shape))} cells of {' x '.join(f'{s:g}' for s in grid.spacing_mm)} mm"
