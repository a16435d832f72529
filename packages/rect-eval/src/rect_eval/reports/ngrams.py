"""n-grams of many texts as sparse counts, and what two lists of texts share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Int64

Tokens = Sequence[str]

N: Final = 4
"""n-grams of 1 to N words are counted."""

Vocabulary = tuple[dict[tuple[str, ...], int], ...]
"""For n = 1..N, the column of each n-gram."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NGrams:
    """Counts of t texts. known: for each n a sparse [t v] of the n-grams in the vocabulary; strange: sum of the squared
    counts of those that are not; total: number of n-grams."""

    known: tuple[Any, ...]
    strange: Float[np.ndarray, "t 4"]
    total: Float[np.ndarray, "t 4"]

    def rows(self, order: Int64[np.ndarray, " m"]) -> "NGrams":
        """The texts of some rows; a row may be asked for more than once."""
        known = tuple(counts[order] for counts in self.known)
        return NGrams(known=known, strange=self.strange[order], total=self.total[order])


def vocabulary(texts: Sequence[Tokens]) -> Vocabulary:
    """All n-grams of some texts."""
    found: Vocabulary = tuple({} for _ in range(N))
    for tokens in texts:
        for n, columns in enumerate(found, start=1):
            for gram in grams(tokens, n):
                columns.setdefault(gram, len(columns))
    return found


def count(texts: Sequence[Tokens], known: Vocabulary) -> NGrams:
    """The n-grams of each text, sorted into those of a vocabulary and strange ones."""
    parts = [_count(texts, n, columns) for n, columns in enumerate(known, start=1)]
    total = [[max(len(tokens) - n + 1, 0) for n in range(1, N + 1)] for tokens in texts]
    return NGrams(
        known=tuple(counts for counts, _ in parts),
        strange=np.stack([strange for _, strange in parts], -1),
        total=np.array(total, np.float64).reshape(len(texts), N),
    )


def grams(tokens: Tokens, n: int) -> list[tuple[str, ...]]:
    """The runs of n words, in order."""
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def _count(texts: Sequence[Tokens], n: int, columns: dict[tuple[str, ...], int]) -> tuple[Any, Float[np.ndarray, " t"]]:
    from scipy.sparse import csr_array

    counts: list[int] = []
    at: list[int] = []
    ends = [0]
    strange = np.zeros(len(texts))
    for row, tokens in enumerate(texts):
        for gram, many in Counter(grams(tokens, n)).items():
            column = columns.get(gram)
            if column is None:
                strange[row] += many * many
            else:
                counts.append(many)
                at.append(column)
        ends.append(len(at))
    cells = (np.array(counts, np.float64), np.array(at, np.int64), np.array(ends, np.int64))
    return csr_array(cells, shape=(len(texts), max(len(columns), 1))), strange
