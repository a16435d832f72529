"""Fitting operating points: calibration and cuts of each label, on cases that are not scored afterwards."""

from dataclasses import replace
from math import inf
from typing import Final, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float, Int64

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.types import OperatingPoints
from rect_eval.calibration.apply import apply, sigmoid
from rect_eval.calibration.isotonic import Knots, isotonic
from rect_eval.calibration.sigmoid import platt, temperature
from rect_eval.calibration.thresholds import FIXED, PER_LABEL, label_cuts, pooled_cut
from rect_eval.calibration.weights import patient_weights
from rect_eval.classification.confusion import specificity
from rect_eval.classification.ranking import SLACK

Method = Literal["temperature", "platt", "isotonic", "none"]
METHODS: Final = get_args(Method)

_FLAT: Final = "its scores do not rank the cases, or the wrong way round"
_APART: Final = "no temperature is best, the scores separate the classes"


class Fitted(NamedTuple):
    """Operating points, and a sentence for each label that could not be fitted."""

    points: OperatingPoints
    warnings: tuple[str, ...]


def fit(
    labels: Float[np.ndarray, "n k"],
    logits: Float[np.ndarray, "n k"],
    *,
    method: str,
    patients: Int64[np.ndarray, " n"] | None = None,
    names: tuple[str, ...] = LABELS,
    fitted_on: str = "",
) -> OperatingPoints:
    """The points of `fit_with_warnings`, whose `fitted_on` also names the labels that could not be fitted."""
    return fit_with_warnings(labels, logits, method=method, patients=patients, names=names, fitted_on=fitted_on).points


def fit_with_warnings(
    labels: Float[np.ndarray, "n k"],
    logits: Float[np.ndarray, "n k"],
    *,
    method: str,
    patients: Int64[np.ndarray, " n"] | None = None,
    names: tuple[str, ...] = LABELS,
    fitted_on: str = "",
) -> Fitted:
    """Calibration and cuts of each label.

    labels: 0, 1 or NaN (the cell is left out); logits: numbers before the sigmoid; method: "temperature" (a scale),
    "platt" (scale and bias), "isotonic" (a rising map) or "none"; patients: the patient of each case, then all cases
    of one patient weigh together as much as one; fitted_on: what the data are called. The cuts are those of the
    calibrated probabilities.

    A label without both classes, of one score, or whose scores do not rank the right way keeps its plain sigmoid; one
    without both classes keeps cuts of 0.5, except for CRG, whose cut is one for all. The warnings name them. Raises
    ValueError for an unknown method or other shapes; DataError for labels that are not 0, 1 or NaN, or no number.
    """
    _check(labels, logits, method, names)
    weights = patient_weights(patients, len(labels))
    scale, bias = [1.0] * len(names), [0.0] * len(names)
    knots: dict[str, Knots] = {}
    reasons: dict[str, list[str]] = {}
    for k, name in enumerate(names):
        known = ~np.isnan(labels[:, k])
        cell = labels[known, k], logits[known, k], weights[known]
        why = _unfit(*cell[:2])
        if not why and method != "none":
            scale[k], bias[k], rising, why = _calibrate(method, *cell)
            knots |= {name: rising} if rising else {}
        if why:
            reasons.setdefault(why, []).append(name)
    points = OperatingPoints(labels=names, scale=tuple(scale), bias=tuple(bias), isotonic=knots)
    prob = apply(points, logits)
    thresholds = fit_thresholds(labels, prob, weights)
    warnings = tuple(f"Not fitted: {', '.join(found)} ({why})." for why, found in reasons.items())
    warnings += _out_of_reach(labels, prob, names)
    described = _described(fitted_on, method, len(labels), patients, warnings)
    return Fitted(replace(points, thresholds=thresholds, fitted_on=described), warnings)


def fit_thresholds(
    labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"], weights: Float[np.ndarray, " n"] | None = None
) -> dict[str, tuple[float, ...]]:
    """Cuts of probabilities for "f1", "youden", "sensitivity_0.9" and "specificity_0.9" (one a label) and "crg" (one
    for all labels); 0.5 for a label without both classes. Among equals the highest cut."""
    weights = np.ones(len(labels)) if weights is None else weights
    found = {name: label_cuts(labels, prob, weights, choose) for name, choose in PER_LABEL.items()}
    return found | {"crg": (pooled_cut(labels, prob, weights),) * labels.shape[1]}


def _calibrate(
    method: str, labels: Float[np.ndarray, " n"], logits: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]
) -> tuple[float, float, Knots, str]:
    """Scale, bias, knots and, where they had to stay those of the plain sigmoid, why."""
    if method == "isotonic":
        knots = isotonic(labels, sigmoid(logits), weights)
        return (1.0, 0.0, knots, "") if knots[0][1] < knots[-1][1] else (1.0, 0.0, (), _FLAT)
    if method == "platt":
        scale, bias = platt(labels, logits, weights)
        return (scale, bias, (), "") if scale > 0 else (1.0, 0.0, (), _FLAT)
    scale = temperature(labels, logits, weights)
    if 0 < scale < inf:
        return scale, 0.0, (), ""
    return 1.0, 0.0, (), "no temperature is best, the scores would be flattened" if not scale else _APART


def _unfit(labels: Float[np.ndarray, " n"], logits: Float[np.ndarray, " n"]) -> str:
    if len(labels) == 0:
        return "no known label"
    if labels.min() == labels.max():
        return "only present" if labels[0] else "only absent"
    return "one score for all cases" if logits.min() == logits.max() else ""


def _out_of_reach(
    labels: Float[np.ndarray, "n k"],
    prob: Float[np.ndarray, "n k"],
    names: tuple[str, ...],
) -> tuple[str, ...]:
    """Names labels with so many negatives at a probability of 1 that no cut keeps the fixed specificity."""
    top = specificity(labels, prob >= 1)
    found = [name for name, value in zip(names, top, strict=True) if value < FIXED - SLACK]
    return (f"No cut keeps a specificity of {FIXED}: {', '.join(found)}.",) if found else ()


def _described(
    data: str, method: str, n: int, patients: Int64[np.ndarray, " n"] | None, warnings: tuple[str, ...]
) -> str:
    many = "" if patients is None else f" of {len(np.unique(patients))} patients"
    return " ".join([f"{data}{': ' if data else ''}{n} cases{many}, calibration: {method}.", *warnings])


def _check(
    labels: Float[np.ndarray, "n k"], logits: Float[np.ndarray, "n k"], method: str, names: tuple[str, ...]
) -> None:
    if method not in METHODS:
        raise ValueError(f"method {method!r} is not one of {', '.join(METHODS)}")
    if labels.shape != logits.shape or labels.shape[1] != len(names):
        raise ValueError(f"labels {labels.shape} and logits {logits.shape} are not both (cases, {len(names)})")
    if len(labels) == 0:
        raise DataError("there is no case to fit operating points on")
    if not (np.isnan(labels) | (labels == 0) | (labels == 1)).all():
        raise DataError("labels to fit on must be 0, 1 or unknown (NaN): make them so first")
    if not np.isfinite(logits).all():
        row, k = (int(i[0]) for i in np.nonzero(~np.isfinite(logits)))
        raise DataError(f"logit of {names[k]!r} in case {row} (from 0) is {logits[row, k]}: give finite numbers")
