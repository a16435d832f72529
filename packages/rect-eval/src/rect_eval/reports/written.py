"""What a system wrote, read once: its words, its labels, its mentions and its contradictions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from rect_eval.cases import Pairs
from rect_eval.labeler import Mention
from rect_eval.reports.ce import Reader, read_labels, read_rules
from rect_eval.reports.contradictions import Contradiction, contradictions
from rect_eval.reports.ngrams import NGrams, Tokens, Vocabulary, count
from rect_eval.reports.tokens import tokenize


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """t reports. An empty text is a failure: nothing was written, or there is no prediction."""

    texts: tuple[str, ...]
    tokens: tuple[Tokens, ...]
    grams: NGrams
    decided: Bool[np.ndarray, "t k"]
    mentions: tuple[tuple[Mention, ...], ...]
    contradictions: tuple[tuple[Contradiction, ...], ...]

    @property
    def failed(self) -> Bool[np.ndarray, " t"]:
        """Where there is no report."""
        return np.array([not text for text in self.texts], np.bool_)


def texts_of(pairs: Pairs) -> tuple[str, ...]:
    """The predicted report of each case, "" where there is none."""
    return tuple("" if p is None or p.report is None else p.report.strip() for p in pairs.predictions)


def written(texts: Sequence[str], known: Vocabulary, reader: Reader) -> Written:
    """Reads reports. known: the n-grams of the references."""
    tokens = tuple(tokenize(text) for text in texts)
    mentions = tuple(read_rules(text).mentions for text in texts)
    return Written(
        texts=tuple(texts),
        tokens=tokens,
        grams=count(tokens, known),
        decided=read_labels(reader, texts),
        mentions=mentions,
        contradictions=tuple(contradictions(said, text) for said, text in zip(mentions, texts, strict=True)),
    )
