"""The tables and curves of the classification section."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from rect_core.findings import LABELS, slug
from rect_eval.classification.gather import Scored
from rect_eval.classification.probability import reliability
from rect_eval.classification.ranking import Ranking
from rect_eval.classification.ratio import once
from rect_eval.scores import Cell, Table


def class_table(scored: Scored, columns: tuple[str, ...], values: Float[np.ndarray, "3 metrics k"]) -> Table:
    """One row a label: n, positives, prevalence, threshold, then each metric with the ends of its interval.

    columns: metric, low end and high end of the first metric, and so on; values: the metrics, the low ends and the
    high ends. A threshold that differs between cases is an empty cell.
    """
    rows: list[tuple[Cell, ...]] = []
    known, prevalence = scored.known, scored.prevalence
    for k, label in enumerate(LABELS):
        n, positives = int(known[:, k].sum()), int((scored.labels[:, k] == 1).sum())
        cut = np.unique(scored.threshold[~scored.missing, k])
        found = values[:, :, k].T.ravel().tolist()
        one_cut = float(cut[0]) if len(cut) == 1 else None
        rows.append((label, n, positives, float(prevalence[k]), one_cut, *found))
    return Table(columns=("label", "n", "positives", "prevalence", "threshold", *columns), rows=tuple(rows))


def case_table(scored: Scored) -> Table:
    """One row a case: whether it was predicted, how many known labels were decided wrongly, then label (None where
    unknown), probability and decision of each."""
    per_label = [f"{what}_{slug(label)}" for label in LABELS for what in ("label", "prob", "decided")]
    known = scored.known
    wrong = known & (scored.decided != (scored.labels == 1))
    rows: list[tuple[Cell, ...]] = []
    for i, truth in enumerate(scored.truths):
        gone = bool(scored.missing[i])
        cells: list[Cell] = []
        for k in range(len(LABELS)):
            cells.append(int(scored.labels[i, k]) if known[i, k] else None)
            cells += [None, None] if gone else [float(scored.prob[i, k]), int(scored.decided[i, k])]
        status = "missing" if gone else "scored"
        rows.append((truth.case_id, truth.patient, truth.scan, status, int(wrong[i].sum()), *cells))
    return Table(columns=("case_id", "patient", "scan", "status", "wrong", *per_label), rows=tuple(rows))


def curves(scored: Scored) -> dict[str, Any]:
    """What the pictures need; a label without positives (for ROC: or without negatives) has no curve.

    roc {label: (fpr, tpr)}; pr {label: (recall, precision)}; prevalence {label: share}; reliability {label: (mean
    probability, observed share, n)} in equal-width bins; cooccurrence {"truth", "predicted": [k k]}: in how many cases
    both labels are present, unpredicted cases left out of the second.
    """
    drawn: dict[str, Any] = {"roc": {}, "pr": {}, "reliability": {}}
    drawn["prevalence"] = dict(zip(LABELS, scored.prevalence.tolist(), strict=True))
    for k, label in enumerate(LABELS):
        drawn["reliability"][label] = reliability(scored.labels[:, k], scored.prob[:, k])
        tp, fp = (side[0] for side in Ranking(scored.labels[:, [k]], scored.prob[:, [k]]).steps(once(len(scored))))
        if tp[-1] > 0:
            drawn["pr"][label] = (tp[1:] / tp[-1], tp[1:] / (tp[1:] + fp[1:]))
        if tp[-1] > 0 and fp[-1] > 0:
            drawn["roc"][label] = (fp / fp[-1], tp / tp[-1])
    predicted = scored.decided & ~scored.missing[:, None]
    drawn["cooccurrence"] = {"truth": _together(scored.labels == 1), "predicted": _together(predicted)}
    return drawn


def _together(present: Bool[np.ndarray, "n k"]) -> Float[np.ndarray, "k k"]:
    return present.T.astype(np.float64) @ present.astype(np.float64)
