"""Which cases a task can learn from, and how often it should see each."""

from collections.abc import Sequence
from math import isnan
from typing import Final, Literal

import numpy as np
from jaxtyping import Float64

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.types.manifest import ManifestRow

Task = Literal["any", "classification", "localization", "report", "reasoning"]

NEEDS: Final[dict[Task, str]] = {
    "any": "a case",
    "classification": "a label that is 0 or 1",
    "localization": "a lesion mask",
    "report": "a report",
    "reasoning": "reasoning",
}
"""What a case must have for each task."""


def suits(row: ManifestRow, task: Task) -> bool:
    """Whether a case has what a task needs and is not excluded."""
    has: dict[Task, bool] = {
        "any": True,
        "classification": not all(map(isnan, row.labels)),
        "localization": bool(row.lesions),
        "report": bool(row.report.strip()),
        "reasoning": row.reasoning is not None,
    }
    return has[task] and not row.exclusion


def eligible(rows: Sequence[ManifestRow], task: Task = "any", split: str = "") -> list[int]:
    """Positions of the cases that suit a task. split: "" is every split. Raises DataError where there is none."""
    found = [i for i, row in enumerate(rows) if split in ("", row.split) and suits(row, task)]
    if not found:
        where = f"split {split!r}" if split else "any split"
        splits = ", ".join(sorted({row.split for row in rows})) or "none"
        raise DataError(
            f"none of {len(rows)} cases in {where} has {NEEDS[task]}, which task {task!r} needs (splits here: "
            f"{splits}): give another split or task, or prepare the store with what is missing"
        )
    return found


def balance_weights(
    rows: Sequence[ManifestRow], labels: Sequence[str] = LABELS, *, power: float = 0.5, most: float = 8.0
) -> Float64[np.ndarray, " n"]:
    """How often to draw each case so that rare labels are seen more often: that of its rarest positive label, (1 /
    prevalence) ** power, at most `most` times a case without any.

    power 0 draws all alike, 1 makes labels about equally common. Unknown labels (NaN) count for nothing. For the
    balance of lesions give `LABEL_OF_LOCALIZED.values()`. Raises KeyError for an unknown label.
    """
    from rect_core.findings import label_index

    table = np.array([[row.labels[label_index(label)] for label in labels] for row in rows], np.float64)
    table = table.reshape(len(rows), len(labels))
    known = np.isfinite(table).sum(axis=0)
    share = (table == 1).sum(axis=0) / np.maximum(known, 1)
    worth = np.minimum(np.maximum(share, 1e-12) ** -power, most)
    return np.asarray(np.where(table == 1, worth, 1.0).max(axis=1, initial=1.0), np.float64)
