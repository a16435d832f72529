"""Fitting the peak that an outlined lesion has to reach, one a finding, on cases that are not scored afterwards."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from rect_core.errors import DataError
from rect_core.types import OutlinePoints
from rect_eval.calibration.thresholds import cut_after
from rect_eval.calibration.weights import patient_weights

MOST_CUTS: Final = 1000
"""Peaks that are tried, evenly spaced among those of all real lesions where there are more."""


class Outlines(NamedTuple):
    """The outlined lesions of one case and finding. truth: cells of the drawn mask; size, hit: cells of each lesion,
    and how many of them lie in the mask; peak: its highest probability."""

    truth: int
    size: Int64[np.ndarray, " n"]
    hit: Int64[np.ndarray, " n"]
    peak: Float[np.ndarray, " n"]


class FittedOutlines(NamedTuple):
    """Operating points, and a sentence for each finding that could not be fitted."""

    points: OutlinePoints
    warnings: tuple[str, ...]


def fit_peaks(
    cases: Mapping[str, Sequence[Outlines | None]],
    *,
    patients: Int64[np.ndarray, " n"],
    seal: str = "",
    fitted_on: str = "",
) -> FittedOutlines:
    """The peak of each finding with the highest mean Dice over the cases where something is drawn or outlined.

    A false outline counts there as a Dice of 0, which Dice over the drawn cases alone would not see; that nothing is
    outlined where nothing is counts neither way. cases: finding -> one entry a case, None where nobody knows the truth;
    patients: the patient of each case, all cases of one weigh as much as one; seal: fingerprint of the localizer. A
    finding that is drawn nowhere, or whose outlines never meet it, lets every lesion count (0), and the warnings name
    it. Raises DataError without a case.
    """
    if len(patients) == 0:
        raise DataError("there is no case to fit operating points on")
    weights = patient_weights(patients, len(patients))
    peaks: list[float] = []
    reasons: dict[str, list[str]] = {}
    for finding, seen in cases.items():
        known = [one for one in seen if one is not None]
        why = _unfit(known)
        if why:
            reasons.setdefault(why, []).append(finding.replace("_", " "))
        kept = np.array([one is not None for one in seen])
        peaks.append(0.0 if why else _peak(known, weights[kept]))
    warnings = tuple(f"Not fitted: {', '.join(names)} ({why})." for why, names in reasons.items())
    many = f"{len(patients)} cases of {len(np.unique(patients))} patients."
    described = " ".join([f"{fitted_on}{': ' if fitted_on else ''}{many}", *warnings])
    points = OutlinePoints(findings=tuple(cases), peak=tuple(peaks), fingerprint=seal, fitted_on=described)
    return FittedOutlines(points, warnings)


def _unfit(known: Sequence[Outlines]) -> str:
    if not known:
        return "known in no case"
    if not any(one.truth for one in known):
        return "drawn in no case"
    return "" if any(one.hit.any() for one in known) else "no outline meets what is drawn"


def _peak(known: Sequence[Outlines], weights: Float[np.ndarray, " n"]) -> float:
    """The best cut; among equals the highest, which outlines least. Letting one more lesion count pays only where it
    meets what is drawn, so no other has to be tried."""
    values = np.unique(np.concatenate([one.peak for one in known]))[::-1]
    real = np.unique(np.concatenate([one.peak[one.hit > 0] for one in known]))[::-1]
    if len(real) > MOST_CUTS:
        real = real[np.linspace(0, len(real) - 1, MOST_CUTS).astype(np.int64)]
    total, counted = np.zeros(len(real)), np.zeros(len(real))
    for one, weight in zip(known, weights, strict=True):
        dice = _dice(one, real)
        total += weight * np.nan_to_num(dice)
        counted += weight * ~np.isnan(dice)
    best = real[np.argmax(total / np.maximum(counted, np.finfo(float).tiny))]
    return cut_after(values, int(np.searchsorted(-values, -best, side="right")))


def _dice(one: Outlines, cuts: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
    """Dice of a case at each of the falling cuts; NaN where nothing is drawn and nothing outlined."""
    order = np.argsort(-one.peak, kind="stable")
    kept = np.searchsorted(-one.peak[order], -cuts, side="right")
    size, hit = (np.concatenate([[0], np.cumsum(part[order])])[kept] for part in (one.size, one.hit))
    total = size + one.truth
    return np.where(total > 0, 2 * hit / np.maximum(total, 1), np.nan)
