"""The files of one prediction, written whole or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from rect_core.errors import ScanError
from rect_core.findings import LOCALIZED
from rect_core.masks import save_map, save_mask
from rect_core.types import Lesions
from rect_core.volume import Volume

if TYPE_CHECKING:
    from rect_vlm.prediction import Prediction


def save_prediction(out: "Prediction", root: Path, *, force: bool = False, prob_maps: bool = False) -> Path:
    """Writes `<root>/<case_id>/` and returns it. An existing folder is kept unless force; see docs/OUTPUTS.md."""
    with whole_folder(root / out.record.case_id, force=force) as folder:
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


@contextmanager
def whole_folder(target: Path, *, force: bool) -> Iterator[Path]:
    """A folder to fill, put in place at the end: a failure on the way leaves what was there before, and nothing else.

    Raises ScanError when the target exists (without force) or cannot be written.
    """
    if target.exists() and not force:
        raise ScanError("output", f"{target.name!r} exists in the output folder: give --force to replace it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise ScanError(
            "output", f"cannot write to the output folder {target.parent.name!r}: {error.strerror}"
        ) from None
    try:
        yield partial
        partial.chmod(0o777 & ~_umask())
        _replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


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


def _replace(partial: Path, target: Path) -> None:
    if not target.exists():
        partial.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(old / "was")
    partial.rename(target)
    shutil.rmtree(old)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _describe(out: "Prediction", what: str) -> str:
    return f"rect {what}; weights: {out.record.weights_status}"


def _write_masks(out: "Prediction", folder: Path) -> None:
    (folder / "lesions").mkdir()
    for finding, crop in out.lesions.crops.items():
        save_mask(
            folder / "lesions" / f"{finding}.nii.gz", crop.dense(), out.volume, description=_describe(out, finding)
        )
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
