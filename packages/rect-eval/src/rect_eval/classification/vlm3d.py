"""The classification scores of the VLM3D challenge, by its rules and in its words."""

from math import isnan
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_core.findings import LABELS
from rect_eval.classification.confusion import count
from rect_eval.classification.ranking import auroc

CUT: Final = 0.5
"""A label is present at a probability of 0.5 or more."""


def vlm3d_scores(labels: Float[np.ndarray, "n k"], prob: Float[np.ndarray, "n k"]) -> dict[str, Any]:
    """{"classification": {"per_pathology": [...], "macro": {...}}, "crg": {...}} as the challenge writes them.

    Undefined precision, recall and F1 are 0; macro is the plain mean over labels; a label of one class has no AUROC
    (None) and is left out of the mean. labels: 0 or 1, one column a label of LABELS. Raises ValueError for unknown
    labels and for a truth without a positive label, which the challenge refuses too.
    """
    _check(labels)
    counts = count(labels, prob >= CUT)
    columns = {
        "precision": counts.precision(0.0)[0],
        "recall": counts.recall(0.0)[0],
        "f1": counts.f1(0.0)[0],
        "accuracy": counts.accuracy()[0],
    }
    area = auroc(labels, prob)
    per_label = [
        {"name": label, **{name: float(values[k]) for name, values in columns.items()}, "auroc": _none_for_nan(area[k])}
        for k, label in enumerate(LABELS)
    ]
    defined = area[~np.isnan(area)]
    macro = {name: float(values.mean()) for name, values in columns.items()}
    macro["auroc"] = float(defined.mean()) if len(defined) else float("nan")
    tp, fn, fp = (int(part.sum()) for part in (counts.tp, counts.fn, counts.fp))
    return {"classification": {"per_pathology": per_label, "macro": macro}, "crg": _crg(tp, fn, fp, labels.size)}


def _crg(tp: int, fn: int, fp: int, cells: int) -> dict[str, int | float]:
    positives = tp + fn
    r, u = (cells - positives) / (2 * positives), (cells - positives) / 2
    s = r * tp - r * fn - fp
    crg = u / (2 * u - s) if 2 * u != s else 0.0
    return {"TP": tp, "FN": fn, "FP": fp, "X": cells, "A": positives, "r": r, "U": u, "score_s": s, "CRG": crg}


def _check(labels: Float[np.ndarray, "n k"]) -> None:
    if labels.shape[1] != len(LABELS):
        raise ValueError(f"VLM3D has {len(LABELS)} labels, not {labels.shape[1]}")
    if np.isnan(labels).any():
        raise ValueError(f"VLM3D knows no unknown labels, but {np.isnan(labels).sum()} cells are: leave them out first")
    if not (labels == 1).any():
        raise ValueError("VLM3D's CRG needs a positive label, but the truth has none")


def _none_for_nan(value: float) -> float | None:
    return None if isnan(value) else float(value)
