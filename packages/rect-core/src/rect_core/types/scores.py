"""Scores of the 18 labels, and how logits become probabilities and decisions."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from rect_core.findings import LABELS


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingScores:
    """One scan's scores in the order of `labels`: logits, calibrated probabilities, thresholds and decisions.

    calibrated says whether `prob` went through fitted operating points or is the plain sigmoid of `logits`.
    """

    labels: tuple[str, ...]
    logits: tuple[float, ...]
    prob: tuple[float, ...]
    threshold: tuple[float, ...]
    calibrated: bool = False

    def __post_init__(self) -> None:
        for name, values in (("logits", self.logits), ("prob", self.prob), ("threshold", self.threshold)):
            if len(values) != len(self.labels):
                raise ValueError(f"{name} has {len(values)} values for {len(self.labels)} labels")

    @property
    def present(self) -> tuple[bool, ...]:
        """Whether each probability reaches its threshold."""
        return tuple(p >= t for p, t in zip(self.prob, self.threshold, strict=True))

    @property
    def disease_names(self) -> tuple[str, ...]:
        """The labels called present, in order."""
        return tuple(label for label, present in zip(self.labels, self.present, strict=True) if present)

    @property
    def probabilities(self) -> dict[str, float]:
        """Label -> probability."""
        return dict(zip(self.labels, self.prob, strict=True))

    def __getitem__(self, key: str) -> Any:
        """`scores["disease_names"]` is `scores.disease_names`, for callers who keep to keys."""
        if key.startswith("_") or not hasattr(self, key):
            raise KeyError(key)
        return getattr(self, key)

    def to_json(self) -> dict[str, Any]:
        """A plain dict, NaN as None; `from_json` is the way back."""
        return {
            "labels": list(self.labels),
            "logits": list(map(_null_for_nan, self.logits)),
            "prob": list(map(_null_for_nan, self.prob)),
            "threshold": list(map(_null_for_nan, self.threshold)),
            "calibrated": self.calibrated,
            "present": list(self.present),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FindingScores":
        """Inverse of `to_json`; a missing key raises KeyError."""
        return cls(
            labels=tuple(data["labels"]),
            logits=tuple(map(_nan_for_null, data["logits"])),
            prob=tuple(map(_nan_for_null, data["prob"])),
            threshold=tuple(map(_nan_for_null, data["threshold"])),
            calibrated=bool(data["calibrated"]),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatingPoints:
    """Fitted on held-out data by rect-eval, applied by the classifier: prob = sigmoid(scale * logit + bias), then,
    where a label has knots, the monotone piecewise-linear map through them (isotonic regression).

    thresholds: objective ("f1", "youden", "crg", "sensitivity_0.9", ...) -> one cut a label. Raises ValueError for
    lists of other lengths, unknown labels, and knots that fall or leave 0..1.
    """

    labels: tuple[str, ...] = LABELS
    scale: tuple[float, ...] = (1.0,) * len(LABELS)
    bias: tuple[float, ...] = (0.0,) * len(LABELS)
    isotonic: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    thresholds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    fitted_on: str = ""

    def __post_init__(self) -> None:
        for name, values in (("scale", self.scale), ("bias", self.bias), *self.thresholds.items()):
            if len(values) != len(self.labels):
                raise ValueError(f"operating points: {name} has {len(values)} values for {len(self.labels)} labels")
        if unknown := set(self.isotonic) - set(self.labels):
            raise ValueError(f"operating points: isotonic knots for unknown labels {sorted(unknown)}")
        for label, knots in self.isotonic.items():
            if not knots or not all(_rise(along) for along in zip(*knots, strict=True)):
                raise ValueError(
                    f"operating points: isotonic knots of {label} must be one or more points that rise within 0..1: "
                    "fit them again"
                )

    def save(self, path: Path | str) -> None:
        """Writes `operating_points.json`."""
        Path(path).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> "OperatingPoints":
        """Reads what `save` wrote; unknown keys raise TypeError."""
        data = json.loads(Path(path).read_text(encoding="utf-8"))
        data |= {key: tuple(data[key]) for key in ("labels", "scale", "bias")}
        data["thresholds"] = {name: tuple(cuts) for name, cuts in data["thresholds"].items()}
        data["isotonic"] = {name: tuple((x, y) for x, y in knots) for name, knots in data["isotonic"].items()}
        return cls(**data)


def _rise(values: tuple[float, ...]) -> bool:
    """Whether numbers never fall and lie within 0..1; NaN does neither."""
    return all(a <= b for a, b in pairwise((0.0, *values, 1.0)))


def _null_for_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _nan_for_null(value: float | None) -> float:
    return math.nan if value is None else value
