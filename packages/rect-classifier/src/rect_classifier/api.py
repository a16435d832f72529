"""One scan in, its scores out."""

from pathlib import Path
from typing import Any

import torch

from rect_classifier.calibration import Threshold, to_scores
from rect_classifier.model import Classifier
from rect_core.types import FindingScores, OperatingPoints
from rect_encoder import VisionEncoder, encode


@torch.no_grad()
def classify(
    source: Any,
    *,
    model: str | Path | Classifier = "rect-tiny",
    threshold: Threshold | None = None,
    regions: Any = None,
    encoder: str | Path | VisionEncoder | None = None,
) -> FindingScores:
    """Scores of the classifier's labels for one scan.

    source: whatever rect_core.read.read_volume takes; model: a classifier, its folder or Hub id; threshold: see
    `to_scores`; regions: a region map for rect_core.anatomy.regions, None finds them classically; encoder: None loads
    the one that the classifier's config names. Raises ScanError when the scan is refused, ValueError or
    FileNotFoundError when the weights are.
    """
    head = model if isinstance(model, Classifier) else Classifier.from_pretrained(model)
    scan = encode(source, model=encoder or head.sibling(head.config.encoder), regions=regions)
    logits = head(scan.tokens.to(next(head.parameters()).device))[0].float()
    return to_scores(logits, threshold=threshold, points=operating_points(head), labels=head.config.labels)


def operating_points(head: Classifier) -> OperatingPoints | None:
    """What was fitted for a head and lies beside its weights; None for one without, or that came from no folder."""
    path = head.points_file
    return OperatingPoints.load(path) if path else None
