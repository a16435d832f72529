"""Clinical efficacy: the 18 labels as a labeler reads them off a report, against those of the reference."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import nan
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_core.findings import LABELS
from rect_eval.classification.confusion import Decisions
from rect_eval.classification.ratio import mean_over_labels, ratio
from rect_eval.labeler import Labelled, label

Reader = Callable[[Sequence[str]], Bool[np.ndarray, "n k"]]
"""Reports -> which of the 18 labels each states."""

CE_SCORES: Final = (
    "ce_precision_macro",
    "ce_recall_macro",
    "ce_f1_macro",
    "ce_precision_micro",
    "ce_recall_micro",
    "ce_f1_micro",
    "ce_f1_per_report",
    "crg",
)
"""macro: plain mean of the labels for which it is defined; micro: all cells pooled; per report: mean of the F1 within
each report."""


def rules_reader(texts: Sequence[str]) -> Bool[np.ndarray, "n k"]:
    """The labels that the rules of `rect_eval.label` find; an uncertain one counts as present."""
    return np.array([read_rules(text).decided() for text in texts], np.bool_).reshape(len(texts), len(LABELS))


@lru_cache(maxsize=1 << 14)
def read_rules(text: str) -> Labelled:
    """A report as the rules read it; the same text is read once."""
    return label(text)


def read_labels(reader: Reader, texts: Sequence[str]) -> Bool[np.ndarray, "n k"]:
    """What a reader finds in each report. An empty one states nothing and is not shown to it; raises ValueError for a
    reader that does not answer with one row of 18 a report."""
    different = list(dict.fromkeys(text for text in texts if text))
    rows = np.zeros((len(different) + 1, len(LABELS)), np.bool_)
    if different:
        found = reader(different)
        if found.shape != (len(different), len(LABELS)):
            raise ValueError(
                f"the labeler gave {found.shape} answers for {len(different)} reports of {len(LABELS)} labels"
            )
        rows[1:] = found
    row_of = {"": 0} | {text: row for row, text in enumerate(different, start=1)}
    return rows[[row_of[text] for text in texts]]


class Efficacy:
    """Labels read off n reports beside the reference's, to be scored under any weighting of the reports.

    labels: 0, 1 or NaN (the cell is left out). failed: there is no report; it states nothing, and its F1 is 0 even
    where the reference states nothing either. undefined: what precision, recall, F1 and CRG are where they are
    undefined, NaN or VLM3D's 0; the F1 of one written report in which both sides state nothing is 1 either way.
    """

    def __init__(
        self,
        labels: Float[np.ndarray, "n k"],
        decided: Bool[np.ndarray, "n k"],
        failed: Bool[np.ndarray, " n"],
        undefined: float = nan,
    ) -> None:
        self._decisions = Decisions(labels, decided)
        self._undefined = undefined
        self._known = (~np.isnan(labels)).any(axis=1)
        self.each = per_report(labels, decided, undefined)
        self.each[failed & self._known, 2] = 0.0

    def whole(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b 8"]:
        """The scores named in CE_SCORES."""
        counts, none = self._decisions.count(weights), self._undefined
        pooled = counts.pooled
        macro = [counts.precision(none), counts.recall(none), counts.f1(none)]
        micro = [pooled.precision(none), pooled.recall(none), pooled.f1(none)]
        each = np.where(self._known, self.each[:, 2], 0.0)
        per = ratio(weights @ each, weights @ self._known.astype(np.float64))
        columns = [*map(mean_over_labels, macro), *(score[:, 0] for score in micro), per, counts.crg(none)]
        return np.stack(columns, 1)

    def by_label(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b 3 k"]:
        """Precision, recall and F1 of each label."""
        counts, none = self._decisions.count(weights), self._undefined
        return np.stack([counts.precision(none), counts.recall(none), counts.f1(none)], 1)


def per_report(
    labels: Float[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"], undefined: float = nan
) -> Float[np.ndarray, "n 3"]:
    """Precision, recall and F1 within each report. F1 is 1 where both sides state nothing; NaN where no label is
    known."""
    present, absent = labels == 1, labels == 0
    tp, fp, fn = (
        (part).sum(1).astype(np.float64) for part in (present & decided, absent & decided, present & ~decided)
    )
    found = np.stack(
        [ratio(tp, tp + fp, undefined), ratio(tp, tp + fn, undefined), ratio(2 * tp, 2 * tp + fp + fn, 1.0)], 1
    )
    return np.where((present | absent).any(axis=1)[:, None], found, np.nan)
