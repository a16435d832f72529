"""One scan in, its lesions out."""

from pathlib import Path
from typing import Any

import torch

from rect_core.types import Lesions, OutlinePoints
from rect_encoder import VisionEncoder, encode
from rect_localizer.lesions import measure
from rect_localizer.model import Localizer


@torch.no_grad()
def localize(
    source: Any,
    *,
    model: str | Path | Localizer = "rect-tiny",
    threshold: float | None = None,
    regions: Any = None,
    encoder: str | Path | VisionEncoder | None = None,
) -> Lesions:
    """Lesions of the localizer's findings in one scan, on the scan's own voxels.

    source: whatever rect_core.read.read_volume takes; model: a localizer, its folder or Hub id; threshold: probability
    from which a voxel belongs to a lesion, None: the weights' operating points (see `measure`); regions: a region map
    for rect_core.anatomy.regions, None finds them classically; encoder: None loads the one that the localizer's config
    names. Raises ScanError when the scan is refused, ValueError or FileNotFoundError when the weights are.
    """
    head = model if isinstance(model, Localizer) else Localizer.from_pretrained(model)
    scan = encode(source, model=encoder or head.sibling(head.config.encoder), regions=regions)
    device = next(head.parameters()).device
    logits = head(scan.item.voxels[None].to(device), scan.tokens.to(device))[0]
    prob, findings = torch.sigmoid(logits.float()).cpu(), head.config.findings
    points = outline_points(head)
    return measure(
        prob, scan.item.frame, scan.volume, scan.regions, findings=findings, threshold=threshold, points=points
    )


def outline_points(head: Localizer) -> OutlinePoints | None:
    """What was fitted for a head and lies beside its weights; None for one without, or that came from no folder. Points
    of other weights or findings raise ValueError: they could hide every lesion."""
    if (path := head.points_file) is None:
        return None
    points = OutlinePoints.load(path)
    if points.findings != head.config.findings or points.fingerprint not in ("", head.fingerprint):
        raise ValueError(
            f"{path.parent.name}/{path.name} was fitted for another localizer than the one that it lies beside: "
            "export again, or remove it"
        )
    return points
