"""From logits to calibrated probabilities and decisions; rect-eval fits what is applied here."""

from collections.abc import Mapping
from difflib import get_close_matches

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from rect_core.errors import ScanError
from rect_core.findings import LABELS
from rect_core.types import FindingScores, OperatingPoints

DEFAULT_OBJECTIVE = "f1"
"""Whose cuts decide when the caller names none and the weights bring operating points."""

DEFAULT_CUT = 0.5

Threshold = float | int | str | Mapping[str, float]


def to_scores(
    logits: Float[Tensor, " k"],
    *,
    threshold: Threshold | None = None,
    points: OperatingPoints | None = None,
    labels: tuple[str, ...] = LABELS,
) -> FindingScores:
    """Scores of one scan.

    threshold: one cut for all labels; a mapping label -> cut (labels it leaves out keep their default); the name of an
    objective of the operating points; or None for the default: the "f1" cuts of the points, 0.5 without them. points:
    prob = sigmoid(scale * logit + bias), then the isotonic knots; without points the plain sigmoid. Raises ScanError
    for undefined logits, ValueError for an unknown label or objective, a cut outside 0..1, or points of other labels.
    """
    values = logits.detach().double().cpu().numpy()
    if len(values) != len(labels):
        raise ValueError(f"{len(values)} logits for {len(labels)} labels")
    if np.isnan(values).any():
        bad = ", ".join(label for label, x in zip(labels, values, strict=True) if np.isnan(x))
        raise ScanError("scores", f"logits are undefined (NaN) for {bad}: the weights or their input hold NaN")
    if points and points.labels != labels:
        raise ValueError(f"operating points are for the labels {points.labels}, the scores for {labels}")
    return FindingScores(
        labels=labels,
        logits=tuple(float(x) for x in values),
        prob=probabilities(values, points, labels),
        threshold=cuts(threshold, points, labels),
        calibrated=points is not None,
    )


def probabilities(
    logits: Float[np.ndarray, " k"], points: OperatingPoints | None, labels: tuple[str, ...]
) -> tuple[float, ...]:
    """One probability a label, through the operating points where there are any."""
    if points:
        logits = np.asarray(points.scale) * logits + np.asarray(points.bias)
    prob = torch.sigmoid(torch.as_tensor(logits)).numpy()
    knots = points.isotonic if points else {}
    return tuple(_isotonic(float(p), knots.get(label)) for p, label in zip(prob, labels, strict=True))


def cuts(threshold: Threshold | None, points: OperatingPoints | None, labels: tuple[str, ...]) -> tuple[float, ...]:
    """One cut a label; see `to_scores` for what a threshold may be."""
    fitted = points.thresholds if points else {}
    default = fitted.get(DEFAULT_OBJECTIVE, (DEFAULT_CUT,) * len(labels))
    if threshold is None:
        return default
    if isinstance(threshold, str):
        if threshold not in fitted:
            known = ", ".join(fitted) or "none (these weights bring no operating points)"
            raise ValueError(f"there are no cuts for the objective {threshold!r}; there are: {known}")
        return fitted[threshold]
    if isinstance(threshold, Mapping):
        _check_names(threshold, labels)
        return tuple(_cut(threshold.get(label, cut)) for label, cut in zip(labels, default, strict=True))
    return (_cut(threshold),) * len(labels)


def _isotonic(prob: float, knots: tuple[tuple[float, float], ...] | None) -> float:
    if knots is None:
        return prob
    x, y = zip(*knots, strict=True)
    return float(np.interp(prob, x, y))


def _cut(value: float | int) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"threshold {value} is not a probability: give 0..1")
    return float(value)


def _check_names(threshold: Mapping[str, float], labels: tuple[str, ...]) -> None:
    for name in threshold:
        if name not in labels:
            near = get_close_matches(name, labels, n=1, cutoff=0.0)[0]
            raise ValueError(f"threshold for {name!r}, which is no label; the nearest is {near!r}")
