"""CIDEr-D (Vedantam et al., CVPR 2015) with one reference a text, as pycocoevalcap's `Cider` computes it.

Cosine of tf-idf weights, clipped, for n-grams of 1 to 4 words, with a penalty on differing lengths; times 10.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_eval.reports.ngrams import NGrams, Tokens, count, vocabulary

_SIGMA: Final = 6.0
"""Of the penalty: in pairs of words, which is what pycocoevalcap's length counts."""


class Rarity:
    """How rare the n-grams of the references are; weights: how much each reference counts, one each unless given.

    defined: whether there is more than one reference; with a single one nothing is rarer than anything else."""

    def __init__(self, references: NGrams, weights: Float[np.ndarray, " t"] | None = None) -> None:
        if weights is None:
            weights = np.ones(len(references.total))
        self.defined = bool(weights.sum() > 1)
        self.most = float(np.log(max(weights.sum(), 1.0)))
        self.squared = tuple(self._squared(known, weights) for known in references.known)

    def _squared(self, known: Any, weights: Float[np.ndarray, " t"]) -> Float[np.ndarray, " v"]:
        held_by = np.asarray(weights @ (known > 0).astype(np.float64), np.float64)
        return np.maximum(self.most - np.log(np.maximum(held_by, 1.0)), 0.0) ** 2


def cider(hypotheses: Sequence[Tokens], references: Sequence[Tokens]) -> Float[np.ndarray, " t"]:
    """CIDEr of each text (the corpus score is their mean): 0 to 10. Rarity comes from the references: all weights, and
    so all scores, are 0 with a single one."""
    known = vocabulary(references)
    wanted = count(references, known)
    return cider_of_counts(count(hypotheses, known), wanted, Rarity(wanted))


def cider_of_counts(hypotheses: NGrams, references: NGrams, rarity: Rarity) -> Float[np.ndarray, " t"]:
    """CIDEr of counted texts, row by row."""
    each = np.stack([_cosine(hypotheses, references, rarity, n) for n in range(len(hypotheses.known))], -1)
    apart = hypotheses.total[:, 1] - references.total[:, 1]
    penalty = np.exp(-(apart**2) / (2 * _SIGMA**2))
    score: Float[np.ndarray, " t"] = 10.0 * each.mean(axis=1) * penalty
    return score


def _cosine(hypotheses: NGrams, references: NGrams, rarity: Rarity, n: int) -> Float[np.ndarray, " t"]:
    said, wanted, squared = hypotheses.known[n], references.known[n], rarity.squared[n]
    shared = np.asarray(said.minimum(wanted).multiply(wanted) @ squared, np.float64)
    length = np.asarray(said.multiply(said) @ squared, np.float64) + hypotheses.strange[:, n] * rarity.most**2
    norm = np.sqrt(length * np.asarray(wanted.multiply(wanted) @ squared, np.float64))
    return np.divide(shared, norm, out=np.zeros_like(shared), where=norm > 0)
