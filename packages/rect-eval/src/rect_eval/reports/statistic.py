"""Every score of some reports against their references as one statistic, to be resampled in one go."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Final

import numpy as np
from jaxtyping import Float, Int64

from rect_core.types import Lesions
from rect_eval.classification.ratio import ratio
from rect_eval.labeler import Mention
from rect_eval.reports.agreement import Agreement, agree
from rect_eval.reports.bleu import bleu_of_counts, clipped
from rect_eval.reports.ce import CE_SCORES, Efficacy
from rect_eval.reports.cider import cider_of_counts
from rect_eval.reports.meteor import meteor_of_counts
from rect_eval.reports.reference import Reference
from rect_eval.reports.rouge import rouge_l
from rect_eval.reports.written import Written

BLEU: Final = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "bleu_mean")
WORDING: Final = (*BLEU, "rouge_l", "cider", "meteor")
ASPECTS: Final = ("side", "zone", "size")
AGREEMENT: Final = tuple(f"agreement_{aspect}" for aspect in ASPECTS)
SCORES: Final = (*WORDING, *CE_SCORES, *AGREEMENT, "contradictions")
"""The scores of `ReportScores`, in this order. BLEU and METEOR pool the counts of all reports; ROUGE-L and CIDEr are
means over reports; contradictions is the share of the written reports with at least one: less is better."""


class ReportScores:
    """A `Statistic` of n references and the reports given to them.

    rows: the report of each reference; the row itself for a system, another patient's for the mismatched control.
    undefined: NaN, or 0 by VLM3D's rules. meteor: what the program counted, where it ran.
    """

    def __init__(
        self,
        reference: Reference,
        reports: Written,
        rows: Int64[np.ndarray, " n"],
        *,
        undefined: float = nan,
        meteor: Float[np.ndarray, "n 23"] | None = None,
    ) -> None:
        self._reference, self._meteor = reference, meteor
        grams = reports.grams.rows(rows)
        self._matches, self._total = clipped(grams, reference.grams), grams.total
        self.rouge = rouge_l([reports.tokens[i] for i in rows], reference.tokens)
        self.cider = np.where(
            reference.rarity.defined, cider_of_counts(grams, reference.grams, reference.rarity), np.nan
        )
        failed = reports.failed[rows]
        self.efficacy = Efficacy(reference.labels, reports.decided[rows], failed, undefined)
        self.agreed = tuple(
            _agreed(reports.mentions[i], lesions, reports.texts[i])
            for i, lesions in zip(rows, reference.lesions, strict=True)
        )
        self.contradictions = tuple(reports.contradictions[i] for i in rows)
        self._right, self._stated = _tally(self.agreed)
        self._contradictory = np.array([bool(found) for found in self.contradictions], np.float64)
        self._written = reference.share * ~failed

    def __call__(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        """The scores of b weightings of the n cases."""
        every = weights * self._reference.share
        parts = [
            self._wording(weights * self._reference.worded),
            self.efficacy.whole(weights * self._reference.labelled),
            ratio(every @ self._right, every @ self._stated),
            ratio(weights @ (self._written * self._contradictory), weights @ self._written),
        ]
        return np.column_stack(parts)

    def by_label(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b 3 k"]:
        """Precision, recall and F1 of each label."""
        return self.efficacy.by_label(weights * self._reference.labelled)

    def each(self) -> Float[np.ndarray, "n w"]:
        """The scores named in WORDING of each report by itself; NaN without a reference report."""
        bleu = bleu_of_counts(self._matches, self._total, self._reference.grams.total[:, :1])
        meteor = np.full(len(bleu), np.nan) if self._meteor is None else meteor_of_counts(self._meteor)
        return np.column_stack([bleu, bleu.mean(1), self.rouge, self.cider, meteor])

    def rests_on(self) -> Mapping[str, int]:
        """The number of reports, cells or mentions that each score rests on."""
        reference = self._reference
        reports, cells = round(reference.worded.sum()), int((~np.isnan(reference.labels)).sum())
        found = dict.fromkeys(WORDING, reports) | dict.fromkeys(CE_SCORES, cells)
        found["ce_f1_per_report"] = round(reference.labelled.sum())
        found |= {name: int(many) for name, many in zip(AGREEMENT, self._stated.sum(0), strict=True)}
        return found | {"contradictions": round(self._written.sum())}

    def _wording(self, weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b w"]:
        words = weights @ self._reference.grams.total[:, :1]
        bleu = bleu_of_counts(weights @ self._matches, weights @ self._total, words)
        rouge, cider = (ratio(weights @ np.nan_to_num(each), weights.sum(1)) for each in (self.rouge, self.cider))
        cider = np.where(self._reference.rarity.defined, cider, np.nan)
        meteor = np.full(len(weights), np.nan) if self._meteor is None else meteor_of_counts(weights @ self._meteor)
        return np.column_stack([bleu, bleu.mean(1), rouge, cider, meteor])


def _agreed(mentions: Sequence[Mention], lesions: Lesions | None, text: str) -> tuple[Agreement, ...]:
    return () if lesions is None else agree(mentions, lesions, text)


def _tally(agreed: Sequence[Sequence[Agreement]]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
    """Right verdicts, and right or wrong ones, on side, zone and size of each report."""
    verdicts = [[[a.side, a.zone, a.size] for a in found] for found in agreed]
    right = [[sum(v[i] == "right" for v in found) for i in range(3)] for found in verdicts]
    stated = [[sum(v[i] in ("right", "wrong") for v in found) for i in range(3)] for found in verdicts]
    return np.array(right, np.float64).reshape(-1, 3), np.array(stated, np.float64).reshape(-1, 3)
