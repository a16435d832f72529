"""The content of one findings.json: what every reader of predictions, ours or another's, can rely on."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from rect_core.types.lesions import Lesion
from rect_core.types.scores import FindingScores

SCHEMA_VERSION = 1

WeightsStatus = Literal["untrained", "synthetic", "clinical-data"]

SYNTHETIC: Final = "trained on synthetic phantoms; not for clinical use"
"""What every output of synthetic weights says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictionRecord:
    """What was found in one scan, without its masks. `assessed_masks`: the findings that were looked for as masks."""

    case_id: str
    weights_status: WeightsStatus
    scores: FindingScores
    assessed_masks: tuple[str, ...]
    lesions: tuple[Lesion, ...]
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.weights_status not in get_args(WeightsStatus):
            raise ValueError(f"weights_status {self.weights_status!r} is not one of {get_args(WeightsStatus)}")

    def to_json(self) -> dict[str, Any]:
        """The dict that findings.json holds; undefined numbers become null."""
        return {
            "schema_version": SCHEMA_VERSION,
            "case_id": self.case_id,
            "weights_status": self.weights_status,
            "scores": self.scores.to_json(),
            "assessed_masks": list(self.assessed_masks),
            "lesions": [_null_for_nan(lesion.to_json()) for lesion in self.lesions],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "PredictionRecord":
        """Inverse of `to_json`; a file of a newer schema raises ValueError with both versions."""
        if data["schema_version"] > SCHEMA_VERSION:
            raise ValueError(
                f"findings.json has schema {data['schema_version']} but this rect-core reads up to {SCHEMA_VERSION}: "
                "upgrade rect-core"
            )
        return cls(
            case_id=data["case_id"],
            weights_status=data["weights_status"],
            scores=FindingScores.from_json(data["scores"]),
            assessed_masks=tuple(data["assessed_masks"]),
            lesions=tuple(Lesion.from_json(_nan_for_null(lesion)) for lesion in data["lesions"]),
            warnings=tuple(data["warnings"]),
        )

    @classmethod
    def load(cls, path: Path | str) -> "PredictionRecord":
        """Reads a findings.json."""
        return cls.from_json(json.loads(Path(path).read_text(encoding="utf-8")))


def _null_for_nan(data: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in data.items()}


def _nan_for_null(data: Mapping[str, Any]) -> dict[str, Any]:
    return {k: math.nan if v is None else v for k, v in data.items()}
