"""ROUGE-L (Lin, 2004): the longest common subsequence of words, as pycocoevalcap computes it."""

from collections.abc import Sequence
from math import nan
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_eval.reports.ngrams import Tokens

BETA: Final = 1.2
"""How much recall weighs over precision: pycocoevalcap's. The `rouge-score` package uses 1."""


def rouge_l(
    hypotheses: Sequence[Tokens], references: Sequence[Tokens], *, beta: float = BETA
) -> Float[np.ndarray, " t"]:
    """The F measure of each text; 0 for an empty hypothesis, NaN without a reference."""
    pairs = zip(hypotheses, references, strict=True)
    return np.array([_one(hypothesis, reference, beta) for hypothesis, reference in pairs], np.float64)


def common(one: Tokens, other: Tokens) -> int:
    """Length of the longest common subsequence.

    Bits of one number stand for the words of `one` (Hyyrö, 2004), so that a report costs microseconds.
    """
    places: dict[str, int] = {}
    for i, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << i
    every = (1 << len(one)) - 1
    row = every
    for word in other:
        here = row & places.get(word, 0)
        row = ((row + here) | (row - here)) & every
    return len(one) - row.bit_count()


def _one(hypothesis: Tokens, reference: Tokens, beta: float) -> float:
    if not reference:
        return nan
    shared = common(hypothesis, reference)
    if not shared:
        return 0.0
    precision, recall = shared / len(hypothesis), shared / len(reference)
    return (1 + beta**2) * precision * recall / (recall + beta**2 * precision)
