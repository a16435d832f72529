"""What is scored against what: one reference and one prediction a case, matched by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from rect_core.findings import LABELS
from rect_core.types import Lesion


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """The reference of one reconstruction.

    labels: 0, 1 or NaN (unknown) in the order of LABELS; report: None where there is none; lesions: finding -> mask of
    instance ids, a finding that is not a key is unknown, not absent; partial: findings whose mask outlines some of the
    lesions only, so that it may not be scored by overlap; volume: the scan, whose grid and spacing count.
    """

    case_id: str
    patient: str
    scan: str
    labels: tuple[float, ...] = (float("nan"),) * len(LABELS)
    report: str | None = None
    lesions: Mapping[str, Path] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()
    volume: Path | None = None
    regions: Path | None = None
    split: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicted:
    """What a system said about one reconstruction; None is "said nothing", which is not the same as empty.

    prob, logits, threshold: one a label; lesions: finding -> mask of instance ids on the scan's grid; assessed: the
    findings that were looked for as masks (one of them without a mask is an empty mask); measured: lesions as the
    prediction itself measured them; folder: our prediction folder, whose overlay.png pictures the case.
    """

    case_id: str
    prob: tuple[float, ...] | None = None
    logits: tuple[float, ...] | None = None
    threshold: tuple[float, ...] | None = None
    report: str | None = None
    lesions: Mapping[str, Path] = field(default_factory=dict)
    assessed: tuple[str, ...] = ()
    measured: tuple[Lesion, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """All references with their predictions, in the order of the truth; None where a prediction is missing.

    extra: predictions without a reference, by name.
    """

    truths: tuple[Truth, ...]
    predictions: tuple[Predicted | None, ...]
    extra: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.truths) != len(self.predictions):
            raise ValueError(f"{len(self.truths)} references but {len(self.predictions)} predictions")

    def __len__(self) -> int:
        return len(self.truths)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of references without a prediction."""
        return tuple(t.case_id for t, p in zip(self.truths, self.predictions, strict=True) if p is None)

    @property
    def labels(self) -> Float[np.ndarray, "n k"]:
        """Reference labels: 0, 1 or NaN."""
        return np.array([t.labels for t in self.truths], np.float64).reshape(len(self), len(LABELS))

    @property
    def patients(self) -> Int64[np.ndarray, " n"]:
        """A number for each patient, counted from 0: what resampling draws from."""
        return _codes([t.patient for t in self.truths])

    @property
    def scans(self) -> Int64[np.ndarray, " n"]:
        """A number for each scan, counted from 0: reconstructions of one scan share it."""
        return _codes([f"{t.patient}/{t.scan}" for t in self.truths])


def _codes(names: list[str]) -> Int64[np.ndarray, " n"]:
    return np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)
