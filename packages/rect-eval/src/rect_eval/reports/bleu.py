"""BLEU-1..4 (Papineni et al., ACL 2002) with one reference a text, as pycocoevalcap computes it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_eval.reports.ngrams import NGrams, Tokens, count, vocabulary

_SMALL: Final = 1e-9
_TINY: Final = 1e-15
"""pycocoevalcap's guards against division by zero: a report without a matching pair of words has a BLEU-2 near 0."""


def bleu(hypotheses: Sequence[Tokens], references: Sequence[Tokens]) -> Float[np.ndarray, " 4"]:
    """BLEU-1..4 of a corpus: clipped matches and lengths are pooled over all texts."""
    counts = _counts(hypotheses, references)
    pooled: Float[np.ndarray, " 4"] = bleu_of_counts(*(part.sum(0, keepdims=True) for part in counts))[0]
    return pooled


def bleu_each(hypotheses: Sequence[Tokens], references: Sequence[Tokens]) -> Float[np.ndarray, "t 4"]:
    """BLEU-1..4 of each text by itself."""
    return bleu_of_counts(*_counts(hypotheses, references))


def bleu_of_counts(
    matches: Float[np.ndarray, "b 4"], total: Float[np.ndarray, "b 4"], reference_words: Float[np.ndarray, "b 1"]
) -> Float[np.ndarray, "b 4"]:
    """BLEU-1..4 of clipped matches, n-grams of the hypotheses and words of the references; NaN without a reference."""
    precision = np.cumprod((matches + _TINY) / (total + _SMALL), axis=1)
    score = precision ** (1 / np.arange(1, 5))
    ratio = (total[:, :1] + _TINY) / (reference_words + _SMALL)
    brevity = np.exp(np.minimum(1 - 1 / ratio, 0.0))
    return np.where(reference_words > 0, score * brevity, np.nan)


def clipped(hypotheses: NGrams, references: NGrams) -> Float[np.ndarray, "t 4"]:
    """n-grams of each hypothesis that its reference holds, each at most as often as there."""
    pairs = zip(hypotheses.known, references.known, strict=True)
    return np.stack([np.asarray(h.minimum(r).sum(axis=1), np.float64) for h, r in pairs], -1)


def _counts(
    hypotheses: Sequence[Tokens], references: Sequence[Tokens]
) -> tuple[Float[np.ndarray, "t 4"], Float[np.ndarray, "t 4"], Float[np.ndarray, "t 1"]]:
    known = vocabulary(references)
    said, wanted = count(hypotheses, known), count(references, known)
    return clipped(said, wanted), said.total, wanted.total[:, :1]
