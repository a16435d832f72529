"""A labeler that is learned from reports: TF-IDF of words and pairs of words, one logistic regression a label.

It shares no word list with the rules of `rect_eval.labeler`, so who optimises against one can be scored by the other.
Fitting needs scikit-learn; applying a fitted one needs numpy alone.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64

from rect_core.errors import DataError
from rect_core.findings import LABELS

_FORMAT: Final = 1
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_STOP: Final = re.compile(r"[.;:\n]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class TextClassifier:
    """Reads the 18 labels off reports. notes: what the training reports could not teach, in sentences.

    terms: the vocabulary; idf: weight of a term; weights, bias: of the logistic regressions. A label that was the same
    in all training reports has an infinite bias and so keeps that value; one that was never known is NaN, not present.
    """

    terms: tuple[str, ...]
    idf: Float64[np.ndarray, " v"]
    weights: Float32[np.ndarray, "v k"]
    bias: Float64[np.ndarray, " k"]
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        labels: Float[np.ndarray, "n k"],
        *,
        strength: float = 10.0,
        min_reports: int = 2,
    ) -> "TextClassifier":
        """Learns from reports and their labels (0, 1 or NaN for unknown, in the order of LABELS).

        strength: scikit-learn's C, the inverse of the penalty; min_reports: terms in fewer reports are left out. Rare
        labels weigh as much as common ones, so probabilities lean towards 0.5 and are not calibrated. Raises
        ValueError where texts and labels do not fit, ImportError without scikit-learn.
        """
        known = np.isin(labels, (0.0, 1.0))
        if labels.shape != (len(texts), len(LABELS)) or not (known | np.isnan(labels)).all():
            raise ValueError(f"labels must be 0, 1 or NaN in {len(texts)} x {len(LABELS)}, not {labels.shape}")
        counts = [Counter(terms_of(text)) for text in texts]
        found = Counter(term for count in counts for term in count)
        terms = tuple(sorted(term for term, reports in found.items() if reports >= min_reports))
        if not terms:
            raise ValueError(f"no term occurs in {min_reports} of {len(texts)} reports: give more reports")
        idf = np.log((1 + len(texts)) / (1 + np.array([found[term] for term in terms], np.float64))) + 1
        rows = _rows(counts, {term: i for i, term in enumerate(terms)}, idf)
        return cls(terms=terms, idf=idf, **_regressions(rows, labels, len(terms), strength))

    def prob(self, texts: Sequence[str]) -> Float64[np.ndarray, "n k"]:
        """The 18 probabilities of each text."""
        index = {term: i for i, term in enumerate(self.terms)}
        rows = _rows([Counter(terms_of(text)) for text in texts], index, self.idf)
        logits = np.zeros((len(texts), len(self.bias))) + self.bias
        for logit, (places, values) in zip(logits, rows, strict=True):
            logit += values @ self.weights[places]
        prob: Float64[np.ndarray, "n k"] = 0.5 * (1 + np.tanh(logits / 2))
        return prob

    def __call__(self, texts: Sequence[str]) -> Bool[np.ndarray, "n k"]:
        """Whether each of the 18 labels is present in each text: a probability of 0.5 or more."""
        return self.prob(texts) >= 0.5

    def save(self, path: Path | str) -> None:
        """Writes one .npz file (arrays and JSON, nothing that runs), whole or not at all."""
        from rect_core.masks import replacing

        about = {"format": _FORMAT, "labels": LABELS, "terms": self.terms, "notes": self.notes}
        with replacing(Path(path)) as file:
            np.savez_compressed(
                file,
                about=np.frombuffer(json.dumps(about).encode(), np.uint8),
                idf=self.idf,
                weights=self.weights,
                bias=self.bias,
            )

    @classmethod
    def load(cls, path: Path | str) -> "TextClassifier":
        """Reads what `save` wrote; DataError for anything else."""
        path = Path(path)
        if not path.is_file():
            raise DataError(f"{path.name}: no such text classifier: give the file that TextClassifier.save wrote")
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                about: dict[str, Any] = json.loads(file["about"].tobytes())
                arrays = {name: file[name] for name in ("idf", "weights", "bias")}
            ours = about["format"] == _FORMAT and tuple(about["labels"]) == LABELS
            terms, notes = tuple(about["terms"]), tuple(about["notes"])
        except (ValueError, KeyError, OSError, EOFError, BadZipFile, zlib.error, TypeError, IndexError) as error:
            raise DataError(
                f"{path.name}: not a text classifier that TextClassifier.save wrote: fit it again"
            ) from error
        if not ours or arrays["weights"].shape != (len(terms), len(LABELS)):
            raise DataError(f"{path.name}: a text classifier of other labels or another format: fit it again")
        return cls(terms=terms, notes=notes, **arrays)


def terms_of(text: str) -> list[str]:
    """Words of two or more letters, and neighbours within a sentence or a line."""
    found = []
    for clause in _STOP.split(text.lower()):
        words = _WORD.findall(clause)
        found += words
        found += [f"{a} {b}" for a, b in pairwise(words)]
    return found


Weighted = tuple[Int64[np.ndarray, " _"], Float64[np.ndarray, " _"]]


def _rows(counts: Sequence[Counter[str]], index: dict[str, int], idf: Float64[np.ndarray, " v"]) -> list[Weighted]:
    """Of each text its terms and their weights: (1 + log count) idf, of length 1."""
    rows = []
    for count in counts:
        known = sorted((index[term], n) for term, n in count.items() if term in index)
        places = np.array([i for i, _ in known], np.int64)
        values = (1 + np.log(np.array([n for _, n in known], np.float64))) * idf[places]
        rows.append((places, values / max(float(np.linalg.norm(values)), 1e-12)))
    return rows


def _regressions(
    rows: Sequence[Weighted], labels: Float[np.ndarray, "n k"], width: int, strength: float
) -> dict[str, Any]:
    """Weights, bias and notes: a regression for each label that has both values."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ImportError(
            "The `scikit-learn` package fits text classifiers: pip install 'rect-eval[classifier]'"
        ) from error
    matrix = _sparse(rows, width)
    weights, bias, notes = np.zeros((width, len(LABELS)), np.float32), np.full(len(LABELS), np.nan), []
    for k, label in enumerate(LABELS):
        here = ~np.isnan(labels[:, k])
        values = labels[here, k]
        if len(set(values.tolist())) < 2:
            bias[k] = (np.inf if values[0] else -np.inf) if len(values) else np.nan
            what = ("always present" if values[0] else "always absent") if len(values) else "never known"
            notes.append(f"{label} was {what} in the {len(labels)} training reports, so nothing was learned about it.")
            continue
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
        model.fit(matrix[np.flatnonzero(here)], values)
        weights[:, k], bias[k] = model.coef_[0], model.intercept_[0]
    return {"weights": weights, "bias": bias, "notes": tuple(notes)}


def _sparse(rows: Sequence[Weighted], width: int) -> Any:
    from scipy.sparse import csr_array

    lengths = [len(places) for places, _ in rows]
    places = np.concatenate([places for places, _ in rows])
    values = np.concatenate([values for _, values in rows])
    return csr_array((values, places, np.concatenate(([0], np.cumsum(lengths)))), shape=(len(rows), width))
