"""What the reader of the classification scores has to know, in sentences."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from rect_core.findings import LABELS
from rect_eval.classification.gather import Scored
from rect_eval.classification.probability import BINS
from rect_eval.classification.statistic import METRICS
from rect_eval.controls import flag
from rect_eval.scores import Control, Score

_RULES = (
    "macro_ is the plain mean over the labels for which a score is defined, weighted_ their mean weighted by "
    "positives, micro_ the score of all cells pooled; brier and ece are plain means over labels; crg is pooled over "
    "all cells.",
    "sensitivity_at_90_specificity is the best sensitivity of a threshold whose specificity is at least 0.9, without "
    "interpolation between the points of the ROC curve; specificity_at_90_sensitivity is the reverse. "
    "average_precision is not interpolated either.",
    f"ece has {BINS} bins of equal width, ece_equal_mass {BINS} bins between quantiles of each label's probabilities; "
    "both compare the mean probability of a bin with the observed share, and resamples keep the bins. The ECE of few "
    "cases is too high (Kumar et al., Verified Uncertainty Calibration, 2019), and a resample adds the same excess "
    "once more: its interval is moved back by the mean excess of the resamples. It says how far the value scatters, "
    "not how far it lies above that of many cases.",
)


def notes(scored: Scored, *, unit: str, vlm3d: bool, given: bool, resamples: int) -> tuple[str, ...]:
    """The rules that were applied. given: thresholds came from the caller, not from the predictions."""
    patients = len(np.unique(scored.patients))
    unknown = int((~scored.known).sum())
    if vlm3d:
        rule = (
            "By VLM3D's rules a label is present at a probability of 0.5 or more, undefined scores of decisions are 0"
        )
        rule += ", and a label of one class is left out of the mean AUROC."
    else:
        source = "given by the caller" if given else "those of the predictions, 0.5 where they bring none"
        rule = (
            f"A label is present at a probability that reaches its threshold; thresholds: {source}. Undefined is NaN."
        )
    drawn = f"95 % intervals come from {resamples} resamples of whole patients."
    return (
        f"A case is a {unit}: {len(scored)} of {patients} patients; {unknown} cells with an unknown label are left out."
        + (" The probability of a scan is the mean over its reconstructions." if unit == "scan" else ""),
        rule,
        *_RULES,
        drawn if resamples and patients > 1 else "There are no intervals: they need resamples and two patients.",
    )


def undefined_words(values: Float[np.ndarray, "metrics k"]) -> tuple[str, ...]:
    """Which labels have which scores undefined, one sentence for each set of labels."""
    affected: dict[tuple[str, ...], list[str]] = {}
    for metric, row in zip(METRICS, values, strict=True):
        gone = tuple(label for label, value in zip(LABELS, row, strict=True) if np.isnan(value))
        if gone:
            affected.setdefault(gone, []).append(metric)
    return tuple(_undefined_sentence(gone, metrics) for gone, metrics in affected.items())


def flags(scores: Mapping[str, Score], controls: Sequence[Control]) -> tuple[str, ...]:
    """One sentence for each score that a control reaches."""
    found = (
        flag(name, scores[name], control.name, score) for control in controls for name, score in control.scores.items()
    )
    return tuple(sentence for sentence in found if sentence)


def _undefined_sentence(gone: tuple[str, ...], metrics: list[str]) -> str:
    left = len(LABELS) - len(gone)
    names = "all labels" if not left else f"{len(gone)} of {len(LABELS)} labels ({', '.join(gone)})"
    means = f"; macro and weighted means are over the other {left}" if left else ""
    return f"Undefined for {names}: {', '.join(metrics)}{means}."
