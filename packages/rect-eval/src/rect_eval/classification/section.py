"""The classification part of an evaluation."""

from collections.abc import Mapping
from dataclasses import replace
from math import isnan, nan
from typing import Final

import numpy as np
from jaxtyping import Float, Int64

from rect_core.findings import LABELS
from rect_eval.cases import Pairs
from rect_eval.classification.confusion import DECIDED
from rect_eval.classification.floors import floors
from rect_eval.classification.gather import gather
from rect_eval.classification.notes import flags, notes, undefined_words
from rect_eval.classification.statistic import METRICS, WHOLE, ClassificationScores, inflated
from rect_eval.classification.tables import case_table, class_table, curves
from rect_eval.classification.vlm3d import CUT
from rect_eval.scores import Score, Section
from rect_eval.uncertainty import Interval, bootstrap

OPTIMISTIC: Final = "optimistic: thresholds were fitted on the scored cases"
"""Stands behind the name of every score that depends on such thresholds."""

_WHY: Final = {
    "auroc": "no label has both classes among the scored cases",
    "average_precision": "no label is present in a scored case",
    "sensitivity_at_90_specificity": "no label has both classes among the scored cases",
    "specificity_at_90_sensitivity": "no label has both classes among the scored cases",
    "f1": "no label is present or called present",
    "precision": "no label is called present",
    "recall": "no label is present in a scored case",
    "specificity": "no label is absent in a scored case",
    "crg": "the known labels are all present or all absent",
}


def classify_section(
    pairs: Pairs,
    *,
    protocol: str,
    thresholds: Float[np.ndarray, " k"] | None,
    fitted_here: bool,
    unit: str,
    resamples: int,
    interval: str,
    seed: int,
) -> Section:
    """Scores of the 18 labels with intervals, tables, controls and curves.

    protocol "rect": undefined is NaN and counted. "vlm3d": undefined precision, recall and F1 are 0, present means a
    probability of 0.5 or more, and every reconstruction counts as a case, whatever `unit` says. thresholds: one a
    label; None for those in the predictions, 0.5 where they bring none. fitted_here: they were fitted on these very
    cases, which the names of all scores that depend on them then say. Raises ValueError for an unknown protocol, and
    for thresholds other than VLM3D's under its protocol; DataError as `gather` does.
    """
    vlm3d = _is_vlm3d(protocol, thresholds)
    if vlm3d:
        thresholds, unit = np.full(len(LABELS), CUT), "reconstruction"
    scored = gather(pairs, thresholds=thresholds, unit=unit)
    undefined = 0.0 if vlm3d else nan
    suffix = f" ({OPTIMISTIC})" if fitted_here and not vlm3d else ""
    statistic = ClassificationScores(scored.labels, scored.prob, scored.decided, undefined)
    found = _bootstrap(statistic, scored.patients, resamples=resamples, seed=seed, interval=interval)
    values = np.stack([found.value, found.low, found.high])[:, : len(METRICS) * len(LABELS)]
    values = values.reshape(3, len(METRICS), len(LABELS))
    scores = _renamed(_scores(found, int(scored.known.sum())), suffix)
    controls = tuple(
        replace(control, scores=_renamed(control.scores, suffix))
        for control in floors(scored, undefined=undefined, seed=seed)
    )
    columns = tuple(_name(metric, suffix, end) for metric in METRICS for end in ("", "_low", "_high"))
    told = notes(scored, unit=unit, vlm3d=vlm3d, given=thresholds is not None, resamples=resamples)
    return Section(
        name="classification",
        scores=scores,
        classes=class_table(scored, columns, values),
        cases=case_table(scored),
        controls=controls,
        notes=(*told, *_optimism(suffix)),
        warnings=(*scored.warnings, *undefined_words(values[0]), *flags(scores, controls), *_optimism(suffix)),
        curves=curves(scored),
    )


def _is_vlm3d(protocol: str, thresholds: Float[np.ndarray, " k"] | None) -> bool:
    if protocol not in ("rect", "vlm3d"):
        raise ValueError(f"protocol {protocol!r} is neither 'rect' nor 'vlm3d'")
    if protocol == "vlm3d" and thresholds is not None and (thresholds != CUT).any():
        raise ValueError(f"protocol 'vlm3d' decides at {CUT}: leave the thresholds out, or use protocol 'rect'")
    return protocol == "vlm3d"


def _bootstrap(
    statistic: ClassificationScores, patients: Int64[np.ndarray, " n"], *, resamples: int, seed: int, interval: str
) -> Interval:
    """Intervals of all scores; that of an ECE is moved by the excess of its resamples, and ends at 0."""
    names = [*(metric for metric in METRICS for _ in LABELS), *WHOLE]
    ece = inflated(names)
    found = bootstrap(statistic, patients, resamples=resamples, seed=seed, interval=interval, inflated=ece)
    low, high = (np.where(ece, np.maximum(end, 0.0), end) for end in (found.low, found.high))
    return replace(found, low=low, high=high)


def _scores(found: Interval, cells: int) -> dict[str, Score]:
    start = len(METRICS) * len(LABELS)
    ends = zip(*(part[start:].tolist() for part in (found.value, found.low, found.high)), strict=True)
    return {
        name: Score(value=value, low=low, high=high, n=cells, why=_why(name) if isnan(value) else "")
        for name, (value, low, high) in zip(WHOLE, ends, strict=True)
    }


def _why(name: str) -> str:
    for mean in ("macro_", "micro_", "weighted_"):
        name = name.removeprefix(mean)
    return _WHY.get(name, "no label is known")


def _renamed(scores: Mapping[str, Score], suffix: str) -> dict[str, Score]:
    return {_name(name, suffix): score for name, score in scores.items()}


def _name(score: str, suffix: str, end: str = "") -> str:
    """A score's name, with its suffix where it depends on thresholds."""
    decided = score == "crg" or score.removeprefix("macro_").removeprefix("micro_").removeprefix("weighted_") in DECIDED
    return f"{score}{end}{suffix if decided else ''}"


def _optimism(suffix: str) -> tuple[str, ...]:
    if not suffix:
        return ()
    return (
        "Thresholds were fitted on the scored cases themselves: every score that depends on them is optimistic, and "
        "its name says so. Fit them on other patients.",
    )
