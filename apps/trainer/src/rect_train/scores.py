"""Scores of a validation by rect-eval's definitions, each with its interval and what another patient's scan gets."""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.findings import LOCALIZED
from rect_eval.classification import Ranking
from rect_eval.classification.ratio import mean_over_labels, once, ratio
from rect_eval.controls import mismatch
from rect_eval.scores import Statistic
from rect_eval.uncertainty import bootstrap
from rect_train.config import Task
from rect_train.validate import Seen

ENDS: Final = ("_low", "_high", "_mismatched")
"""Of the names of what stands beside a score: the ends of its interval, and the control."""

RESAMPLES: Final = 300
"""Of patients, for an interval: enough for two digits of its ends, and a fraction of a second."""


def metrics(seen: Seen, tasks: tuple[Task, ...], seed: int) -> dict[str, float]:
    """Name -> score. `<name>_low` and `<name>_high` are the ends of its 95 % interval by patient, `<name>_mismatched`
    is what another patient's scan gets. What is not defined is NaN, as all of these are where there is one patient."""
    found: dict[str, float] = {}
    if "masking" in tasks:
        found |= _scored(("hidden_error",), _means(seen.hidden[:, None]), None, seen)
    if "classification" in tasks:
        ranked = _ranked(seen.labels, seen.logits)
        found |= _scored(("macro_auroc", "macro_auprc"), ranked, _mismatched_ranks(seen, seed), seen)
    if "localization" in tasks:
        names = ("macro_dice", *(f"dice_{name}" for name in LOCALIZED))
        control = _overlaps(seen.mismatched)(once(len(seen.case_ids)))[0]
        found |= _scored(names, _overlaps(seen.dice), control, seen)
        found |= _scored(("specificity_of_empty",), _overlaps(seen.silent), None, seen)
    return found


def told(found: Mapping[str, float]) -> list[str]:
    """Scores in words, each with its interval and its control where they are defined."""
    beside = {f"{name}{end}" for name in found for end in ENDS}
    lines = []
    for name in [name for name in found if name not in beside]:
        low, high, control = (found.get(f"{name}{end}", nan) for end in ENDS)
        more = [] if isnan(low) else [f"{low:.4f} to {high:.4f}"]
        more += [] if isnan(control) else [f"mismatched {control:.4f}"]
        lines.append(f"{name} {found[name]:.4f}" + (f" ({'; '.join(more)})" if more else ""))
    return lines


def _scored(
    names: Sequence[str], statistic: Statistic, control: Float[np.ndarray, " m"] | None, seen: Seen
) -> dict[str, float]:
    """A statistic's scores by their names, and what stands beside each."""
    interval = bootstrap(statistic, seen.patients, resamples=RESAMPLES)
    columns = {"": interval.value, "_low": interval.low, "_high": interval.high}
    if control is not None:
        columns["_mismatched"] = control
    return {f"{name}{end}": float(values[i]) for i, name in enumerate(names) for end, values in columns.items()}


def _ranked(labels: Float[np.ndarray, "n k"], logits: Float[np.ndarray, "n k"]) -> Statistic:
    """Macro AUROC, and macro average precision (AUPRC)."""
    rankings = [Ranking(labels[:, [k]], logits[:, [k]]) for k in range(labels.shape[1])]

    def statistic(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b 2"]:
        areas = np.stack([ranking.scores(weights)[:, :2] for ranking in rankings], 2)
        return np.stack([mean_over_labels(areas[:, 0]), mean_over_labels(areas[:, 1])], 1)

    return statistic


def _mismatched_ranks(seen: Seen, seed: int) -> Float[np.ndarray, " 2"]:
    """The mean over five ways to hand every case another patient's scores."""
    if not seen.patients.max():
        return np.full(2, np.nan)
    others = mismatch(seen.patients, seed=seed)
    ranks = [_ranked(seen.labels, seen.logits[rows])(once(len(rows)))[0] for rows in others]
    return np.asarray(np.mean(ranks, axis=0))


def _overlaps(values: Float[np.ndarray, "n f"]) -> Statistic:
    """The mean of the findings' means, then each of them."""
    means = _means(values)

    def statistic(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        each = means(weights)
        return np.concatenate([mean_over_labels(each)[:, None], each], 1)

    return statistic


def _means(values: Float[np.ndarray, "n m"]) -> Statistic:
    """The mean of each column's defined values."""
    known = ~np.isnan(values)
    filled, counted = np.where(known, values, 0.0), known.astype(np.float64)

    def statistic(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        return ratio(weights @ filled, weights @ counted)

    return statistic
