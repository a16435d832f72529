"""What reports are compared with: the wording, the labels and the lesions of the references."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int64

from rect_core.findings import LABELS
from rect_core.types import Lesions
from rect_eval.cases import Pairs
from rect_eval.reports.ce import Reader, read_labels
from rect_eval.reports.cider import Rarity
from rect_eval.reports.ngrams import NGrams, Tokens, Vocabulary, count, vocabulary
from rect_eval.reports.tokens import tokenize


@dataclass(frozen=True, kw_only=True, slots=True)
class Reference:
    """n references.

    labels: 0, 1 or NaN. share: how much a case counts, 1 or one over the reconstructions of its scan; worded: the same
    among the cases with a reference report, 0 for the others; labelled: among those with a known label. lesions: None
    where they are unknown.
    """

    tokens: tuple[Tokens, ...]
    known: Vocabulary
    grams: NGrams
    rarity: Rarity
    labels: Float[np.ndarray, "n k"]
    share: Float[np.ndarray, " n"]
    worded: Float[np.ndarray, " n"]
    labelled: Float[np.ndarray, " n"]
    lesions: tuple[Lesions | None, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    def with_lesions(self, lesions: Sequence[Lesions | None]) -> "Reference":
        """The same references with their measured lesions."""
        return replace(self, lesions=tuple(lesions))

    def twice(self) -> "Reference":
        """The same references for two systems, one after the other; how rare their words are does not change."""
        rows = np.tile(np.arange(len(self)), 2)
        return replace(
            self,
            tokens=self.tokens * 2,
            grams=self.grams.rows(rows),
            labels=self.labels[rows],
            share=self.share[rows],
            worded=self.worded[rows],
            labelled=self.labelled[rows],
            lesions=self.lesions * 2,
        )


def reference_of(pairs: Pairs, *, reader: Reader, source: str, unit: str) -> Reference:
    """The references of some cases. source: "report", whose labels the reader finds, or "labels", as they are given."""
    texts = [(truth.report or "").strip() for truth in pairs.truths]
    tokens = tuple(tokenize(text) for text in texts)
    labels = pairs.labels
    if source == "report":
        has_report = np.array([bool(text) for text in texts], np.bool_)
        labels = np.where(has_report[:, None], read_labels(reader, texts).astype(np.float64), np.nan)
    scans = pairs.scans if unit == "scan" else np.arange(len(pairs))
    worded = shares(scans, np.array([bool(t) for t in tokens], np.bool_))
    known = vocabulary(tokens)
    grams = count(tokens, known)
    return Reference(
        tokens=tokens,
        known=known,
        grams=grams,
        rarity=Rarity(grams, worded),
        labels=labels.reshape(len(pairs), len(LABELS)),
        share=shares(scans, np.ones(len(pairs), np.bool_)),
        worded=worded,
        labelled=shares(scans, (~np.isnan(labels)).any(axis=1)),
        lesions=(None,) * len(pairs),
    )


def shares(scans: Int64[np.ndarray, " n"], counted: Bool[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """One over the number of counted cases of the same scan; 0 for a case that does not count."""
    many = np.bincount(scans, weights=counted.astype(np.float64), minlength=1)
    return np.where(counted, 1 / np.maximum(many[scans], 1.0), 0.0)
