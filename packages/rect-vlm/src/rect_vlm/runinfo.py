"""What run.json says: enough to repeat and to judge a prediction; no patient identity, no paths of a machine."""

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch

from rect_core.findings import REGIONS
from rect_localizer import THRESHOLD

if TYPE_CHECKING:
    from rect_vlm.model import ReCTVLM
    from rect_vlm.pipeline import Encoded, Request

PACKAGES = ("rect-core", "rect-encoder", "rect-classifier", "rect-localizer", "rect-reporter", "rect-vlm", "torch")


def versions() -> dict[str, str]:
    """Package -> version, Python included."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def describe_run(model: "ReCTVLM", seen: "Encoded", request: "Request", seconds: Mapping[str, float]) -> dict[str, Any]:
    """The dict that run.json holds."""
    volume, frame = seen.volume, seen.item.frame
    threshold, cut = request.classification_threshold, request.localization_threshold
    points = request.outline_points(model)
    return {
        "schema_version": 1,
        "case_id": volume.case_id,
        "model": model.name,
        "weights_status": model.weights_status,
        "fingerprints": model.fingerprints,
        "versions": versions(),
        "device": str(model.device),
        "threads": torch.get_num_threads(),
        "scan": {
            "shape_dhw": list(volume.shape),
            "spacing_mm_dhw": [round(x, 4) for x in volume.spacing_mm],
            "stored_axes": volume.stored.axes,
            "stored_shape": list(volume.stored.shape),
        },
        "regions": {
            "origin": seen.regions.origin,
            "absent": [name for name, present in zip(REGIONS, seen.regions.present, strict=True) if not present],
        },
        "model_grid": {
            "shape_dhw": list(frame.grid.shape),
            "spacing_mm_dhw": list(frame.grid.spacing_mm),
            "lung_outside": round(frame.lung_outside, 4),
        },
        "thresholds": {
            "classification": dict(threshold) if isinstance(threshold, Mapping) else threshold,
            "localization": THRESHOLD if cut is None else cut,
            "localization_peaks": points.peaks if points else {},
        },
        "seconds": dict(seconds),
        "checks": [asdict(check) for check in seen.checks],
    }
