"""The files of one prediction: complete, on the scan's grid, honest about their weights, and never half-written."""

import json
from pathlib import Path

import jsonschema
import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from rect_core.errors import ScanError
from rect_core.findings import LOCALIZED
from rect_core.types import PredictionRecord, Report
from rect_vlm import Prediction, outputs

FILES = {
    "findings.json",
    "lesions",
    "lesions.nii.gz",
    "overlay.png",
    "regions.nii.gz",
    "report.json",
    "report.txt",
    "run.json",
}


@pytest.fixture(scope="module")
def folder(prediction: Prediction, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prediction.save(tmp_path_factory.mktemp("out"))


def test_one_prediction_is_these_files(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    assert {path.name for path in (folder / "lesions").iterdir()} == {f"{f}.nii.gz" for f in LOCALIZED}
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_findings_json_reads_back(folder: Path, prediction: Prediction) -> None:
    assert PredictionRecord.load(folder / "findings.json").to_json() == prediction.record.to_json()
    report = json.loads((folder / "report.json").read_text())
    assert Report.from_json(report) == prediction.report


def test_findings_json_follows_its_published_schema(folder: Path) -> None:
    import rect_core.types

    schema = json.loads((Path(rect_core.types.__file__).parent / "findings.schema.json").read_text())
    findings = json.loads((folder / "findings.json").read_text())
    jsonschema.validate(findings, schema)
    findings["lesions"][0]["side"] = "leftish"
    with pytest.raises(jsonschema.ValidationError, match="leftish"):
        jsonschema.validate(findings, schema)


def test_every_mask_lies_on_the_scans_own_grid_and_names_its_weights(folder: Path, prediction: Prediction) -> None:
    for path in [*folder.glob("*.nii.gz"), *folder.glob("lesions/*.nii.gz")]:
        image = nib.load(path)
        assert image.shape == prediction.volume.stored.shape
        np.testing.assert_allclose(image.affine, prediction.volume.stored.affine, atol=1e-3)
        if path.name != "regions.nii.gz":
            assert b"untrained" in image.header["descrip"].item()


def test_instances_in_the_files_are_the_lesions_of_findings_json(folder: Path, prediction: Prediction) -> None:
    for finding in LOCALIZED:
        ids = np.asanyarray(nib.load(folder / "lesions" / f"{finding}.nii.gz").dataobj)
        counts = np.bincount(ids.ravel())[1:]
        assert counts.tolist() == [x.voxels for x in sorted(prediction.lesions.of(finding), key=lambda x: x.instance)]


def test_the_view_of_all_lesions_has_the_smallest_on_top(folder: Path, prediction: Prediction) -> None:
    view = np.asanyarray(nib.load(folder / "lesions.nii.gz").dataobj)
    smallest = min(prediction.lesions, key=lambda x: x.voxels)
    ids = np.asanyarray(nib.load(folder / "lesions" / f"{smallest.finding}.nii.gz").dataobj)
    assert (view[ids == smallest.instance] == LOCALIZED.index(smallest.finding) + 1).all()
    assert set(np.unique(view)) <= set(range(6))


def test_the_overlay_is_a_picture(folder: Path) -> None:
    picture = Image.open(folder / "overlay.png")
    assert picture.width > 800
    assert np.asarray(picture).std() > 10


def test_run_json_tells_versions_fingerprints_timings_and_checks(folder: Path) -> None:
    run = json.loads((folder / "run.json").read_text())
    assert run["weights_status"] == "untrained"
    assert set(run["fingerprints"]) == {"encoder", "classifier", "localizer"}
    assert {"read", "regions", "preprocess", "encode", "classify", "localize", "measure"} <= set(run["seconds"])
    assert run["versions"]["rect-core"]


def test_no_file_names_a_folder_of_the_machine(folder: Path, sample: Path) -> None:
    for path in folder.glob("*.json"):
        text = path.read_text()
        assert str(sample.parent) not in text
        assert str(folder.parent) not in text


def test_an_existing_prediction_is_kept_unless_forced(folder: Path, prediction: Prediction) -> None:
    before = (folder / "run.json").stat().st_mtime_ns
    with pytest.raises(ScanError, match="--force"):
        prediction.save(folder.parent)
    assert (folder / "run.json").stat().st_mtime_ns == before
    assert prediction.save(folder.parent, force=True) == folder
    assert {path.name for path in folder.iterdir()} == FILES


def test_a_failure_on_the_way_leaves_what_was_there(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prediction.save(tmp_path)

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "save_mask", full_disk)
    with pytest.raises(ScanError, match="No space"):
        prediction.save(tmp_path, force=True)
    (left,) = tmp_path.iterdir()
    assert {path.name for path in left.iterdir()} == FILES


def test_probability_maps_are_written_when_asked(prediction: Prediction, tmp_path: Path) -> None:
    folder = prediction.save(tmp_path, prob_maps=True)
    image = nib.load(folder / "prob_maps" / "lung_nodule.nii.gz")
    values = np.asanyarray(image.dataobj)
    assert image.shape == prediction.volume.stored.shape
    assert values.min() >= 0.0
    assert 0.0 < values.max() <= 1.0
