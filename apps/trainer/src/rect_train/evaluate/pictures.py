"""What was outlined beside the truth, on the same slices."""

from collections.abc import Mapping
from pathlib import Path

from rect_core.types import MaskCrop, WeightsStatus
from rect_train.evaluate.scans import Lesions
from rect_train.grid import crop_of
from rect_vlm import Prediction
from rect_vlm.render.choose import choose_slices
from rect_vlm.render.montage import overlay
from rect_vlm.render.plane import stored_index

SLICES = 8


def draw(prediction: Prediction, truth: Lesions, folder: Path) -> None:
    """Writes `<folder>/<case_id>_predicted.png` and `_truth.png`: axial slices that show lesions of either."""
    volume, record = prediction.volume, prediction.record
    predicted = dict(prediction.lesions.crops)
    true = {finding: crop_of(mask) for finding, mask in truth.items()}
    box = prediction.regions.lungs_box
    chosen = choose_slices(volume, _either(predicted, true), "axial", SLICES, box)
    folder.mkdir(parents=True, exist_ok=True)
    # the banner of untrained or synthetic weights is about what they outline; the truth is nobody's prediction
    status: dict[str, WeightsStatus] = {"predicted": record.weights_status, "truth": "clinical-data"}
    for name, crops in (("predicted", predicted), ("truth", true)):
        page = overlay(
            volume,
            crops,
            title=f"{record.case_id}: {name}",
            status=status[name],
            plane="axial",
            slices=[stored_index(volume, "axial", index) for index in chosen],
            lungs_box=box,
        )
        page.save(folder / f"{record.case_id}_{name}.png")


def drawn(folder: Path, case_id: str) -> bool:
    """Whether both pictures of a case are there."""
    return all((folder / f"{case_id}_{name}.png").is_file() for name in ("predicted", "truth"))


def _either(one: Mapping[str, MaskCrop], two: Mapping[str, MaskCrop]) -> dict[str, MaskCrop]:
    return {
        f"{side} {name}": crop for side, crops in (("predicted", one), ("true", two)) for name, crop in crops.items()
    }
