"""The nouns that packages hand to each other, each with its JSON form. Siblings share these and nothing else."""

from rect_core.types.lesions import Lesion, Lesions, MaskCrop
from rect_core.types.manifest import ManifestRow
from rect_core.types.outlines import OutlinePoints
from rect_core.types.prediction import SCHEMA_VERSION, SYNTHETIC, PredictionRecord, WeightsStatus
from rect_core.types.report import Reasoning, ReasoningStep, Report, Sentence
from rect_core.types.scores import FindingScores, OperatingPoints
from rect_core.types.tokens import VisionTokens

__all__ = [
    "SCHEMA_VERSION",
    "SYNTHETIC",
    "FindingScores",
    "Lesion",
    "Lesions",
    "ManifestRow",
    "MaskCrop",
    "OperatingPoints",
    "OutlinePoints",
    "PredictionRecord",
    "Reasoning",
    "ReasoningStep",
    "Report",
    "Sentence",
    "VisionTokens",
    "WeightsStatus",
]
