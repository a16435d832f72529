"""The files of one prediction, written whole or not at all."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from rect_core.errors import ScanError
from rect_core.findings import LOCALIZED
from rect_core.folders import whole_folder
from rect_core.masks import save_map, save_mask
from rect_core.readers.names import check_case_id
from rect_core.types import Lesions, PredictionRecord
from rect_core.volume import Volume

if TYPE_CHECKING:
    from rect_vlm.prediction import Prediction


def is_prediction(folder: Path) -> bool:
    """Whether a folder is one that `save_prediction` wrote."""
    return (folder / "findings.json").is_file() and (folder / "run.json").is_file()


def read_record(folder: Path) -> PredictionRecord:
    """The findings.json of a folder that `save_prediction` wrote; ScanError when it is damaged."""
    try:
        return PredictionRecord.load(folder / "findings.json")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise ScanError(
            "file", f"{folder.name}/findings.json cannot be read ({why}): predict this scan again with --force"
        ) from error


def save_prediction(out: "Prediction", root: Path, *, force: bool = False, prob_maps: bool = False) -> Path:
    """Writes `<root>/<case_id>/` and returns it. An existing folder is kept unless force; see docs/OUTPUTS.md."""
    check_case_id(out.record.case_id)
    with whole_folder(root / out.record.case_id, force=force, ours=is_prediction) as folder:
        (folder / "findings.json").write_bytes(json_bytes(out.record.to_json()))
        (folder / "run.json").write_bytes(json_bytes(dict(out.run)))
        if out.report:
            (folder / "report.txt").write_text(out.report.text + "\n", encoding="utf-8")
            (folder / "report.json").write_bytes(json_bytes(out.report.to_json()))
        _write_masks(out, folder)
        if prob_maps:
            _write_prob_maps(out, folder)
        _overlay(out).save(folder / "overlay.png")
    return root / out.record.case_id


def json_bytes(data: dict[str, Any]) -> bytes:
    """Strict JSON: NaN has no place in it and raises ValueError."""
    return (json.dumps(data, indent=2, allow_nan=False) + "\n").encode()


def labels_view(lesions: Lesions, volume: Volume) -> UInt8[np.ndarray, "d h w"]:
    """All findings in one map: finding k has value k + 1; where lesions overlap the smallest lesion is on top."""
    view = np.zeros(volume.shape, np.uint8)
    for lesion in sorted(lesions, key=lambda x: -x.voxels):
        crop = lesions.crops[lesion.finding]
        view[crop.box][crop.labels == lesion.instance] = LOCALIZED.index(lesion.finding) + 1
    return view


def _describe(out: "Prediction", what: str) -> str:
    return f"rect {what}"[:40] + f"; weights: {out.record.weights_status}"


def write_lesions(out: "Prediction", folder: Path) -> None:
    """Instance ids of each asked finding as `<folder>/<finding>.nii.gz`."""
    for finding, crop in out.lesions.crops.items():
        save_mask(folder / f"{finding}.nii.gz", crop.dense(), out.volume, description=_describe(out, finding))


def _write_masks(out: "Prediction", folder: Path) -> None:
    (folder / "lesions").mkdir()
    write_lesions(out, folder / "lesions")
    view = labels_view(out.lesions, out.volume)
    save_mask(folder / "lesions.nii.gz", view, out.volume, description=_describe(out, "lesions 1..5"))
    save_mask(folder / "regions.nii.gz", out.regions.labels, out.volume, description="rect regions 1..20")


def _write_prob_maps(out: "Prediction", folder: Path) -> None:
    (folder / "prob_maps").mkdir()
    for finding in out.lesions.asked:
        path = folder / "prob_maps" / f"{finding}.nii.gz"
        save_map(path, out.prob_map(finding), out.volume, description=_describe(out, f"p {finding}"))


def _overlay(out: "Prediction") -> Any:
    from rect_vlm.render.montage import overlay

    return overlay(
        out.volume,
        out.lesions.crops,
        title=out.record.case_id,
        status=out.record.weights_status,
        lungs_box=out.regions.lungs_box,
    )
