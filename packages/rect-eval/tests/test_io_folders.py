"""Folders of predictions, as docs/OUTPUTS.md describes them."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rect_core.errors import DataError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.types import FindingScores, Lesion, PredictionRecord, Report, Sentence
from rect_eval.io import read_predictions

PROB = tuple(round(k / 20, 2) for k in range(18))
Save = Callable[..., Path]


def record(case: str) -> PredictionRecord:
    scores = FindingScores(
        labels=LABELS, logits=tuple(float(k) for k in range(18)), prob=PROB, threshold=(0.5,) * 18, calibrated=False
    )
    lesion = Lesion(
        finding="lung_nodule",
        instance=1,
        volume_ml=0.3,
        diameter_mm=8.0,
        short_axis_mm=float("nan"),
        side="right",
        region="right upper zone",
        centroid_ras_mm=(1.0, 2.0, 3.0),
        slices=(4, 5),
        voxels=20,
        prob=0.8,
    )
    return PredictionRecord(
        case_id=case, weights_status="untrained", scores=scores, assessed_masks=LOCALIZED, lesions=(lesion,)
    )


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a prediction folder below out/; `change` edits what findings.json holds."""

    def write(name: str, change: Callable[[dict[str, Any]], object] = lambda _: None, case: str = "") -> Path:
        folder = tmp_path / "out" / name
        (folder / "lesions").mkdir(parents=True)
        data = record(case or name).to_json()
        change(data)
        (folder / "findings.json").write_text(json.dumps(data))
        (folder / "run.json").write_text("{}")
        for finding in LOCALIZED:
            (folder / "lesions" / f"{finding}.nii.gz").touch()
        sentence = Sentence(text=f"Nodule in {name}.", section="findings", evidence=("score:lung_nodule",))
        report = Report(sentences=(sentence,))
        (folder / "report.json").write_text(json.dumps(report.to_json()))
        (folder / "report.txt").write_text("not this one\n")
        return folder

    return write


def refused(path: Path, *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in parts if part not in message] == [], message


def test_a_root_of_prediction_folders_is_read_by_case(save: Save) -> None:
    folder = save("a")
    save("a.b")
    found = read_predictions(folder.parent)
    assert list(found) == ["a", "a.b"]
    one = found["a"]
    assert (one.prob, one.threshold, one.report) == (PROB, (0.5,) * 18, "Findings:\nNodule in a.")
    assert one.logits == tuple(float(k) for k in range(18))
    assert one.lesions == {finding: folder / "lesions" / f"{finding}.nii.gz" for finding in LOCALIZED}
    assert (one.assessed, one.folder) == (LOCALIZED, folder)
    assert (one.measured[0].id, one.measured[0].diameter_mm) == ("lung_nodule-1", 8.0)


def test_one_prediction_folder_is_read_alone_under_the_case_it_names(save: Save) -> None:
    folder = save("renamed", case="a")
    assert list(read_predictions(folder)) == ["a"]


def test_no_mask_is_opened_to_read_a_folder(save: Save) -> None:
    folder = save("a")
    (folder / "lesions" / "lung_nodule.nii.gz").write_bytes(b"not gzip")
    assert "lung_nodule" in read_predictions(folder)["a"].lesions


def test_hidden_half_written_and_other_folders_are_passed_over(save: Save) -> None:
    root = save("a").parent
    save(".a.x1.partial", case="a")
    save(".a.x2.old", case="a")
    (root / "notes").mkdir()
    (root / "findings.csv").write_text("VolumeName\n")
    (root / "a" / "lesions" / "._lung_nodule.nii.gz").touch()
    (root / "circle").symlink_to(root / "circle")
    (root / "nowhere").symlink_to(root / "gone")
    assert list(read_predictions(root)) == ["a"]


def test_report_txt_counts_where_there_is_no_report_json(save: Save) -> None:
    folder = save("a")
    (folder / "report.json").unlink()
    assert read_predictions(folder)["a"].report == "not this one"
    (folder / "report.txt").unlink()
    assert read_predictions(folder)["a"].report is None


def test_a_folder_of_a_report_or_of_masks_alone_is_a_prediction_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "report.txt").write_text("\ufeffAll clear of the 18.\r\n", encoding="utf-8")
    (tmp_path / "b" / "lesions").mkdir(parents=True)
    (tmp_path / "b" / "lesions" / "lung_nodule.nii.gz").touch()
    found = read_predictions(tmp_path)
    assert (found["a"].report, found["a"].prob, found["a"].assessed) == ("All clear of the 18.", None, ())
    assert (found["b"].report, found["b"].assessed, list(found["b"].lesions)) == (
        None,
        ("lung_nodule",),
        ["lung_nodule"],
    )


def test_labels_of_findings_json_count_by_name(save: Save) -> None:
    def turn(data: dict[str, Any]) -> None:
        for key in ("labels", "logits", "prob", "threshold", "present"):
            data["scores"][key].reverse()

    found = read_predictions(save("a", turn))["a"]
    assert (found.prob, found.logits) == (PROB, tuple(float(k) for k in range(18)))


def test_logits_and_thresholds_that_are_all_null_were_not_given(save: Save) -> None:
    nothing = [None] * 18
    found = read_predictions(save("a", lambda data: data["scores"].update(logits=nothing, threshold=nothing)))["a"]
    assert (found.logits, found.threshold, found.prob) == (None, None, PROB)


def test_an_assessed_finding_without_lesions_needs_no_mask_file(save: Save) -> None:
    folder = save("a")
    (folder / "lesions" / "consolidation.nii.gz").unlink()
    found = read_predictions(folder)["a"]
    assert "consolidation" in found.assessed
    assert "consolidation" not in found.lesions


def test_a_listed_lesion_without_its_mask_file_is_named(save: Save) -> None:
    folder = save("a")
    (folder / "lesions" / "lung_nodule.nii.gz").unlink()
    refused(folder, "a/findings.json", "lung_nodule-1", "lesions/lung_nodule.nii.gz")


def test_a_misspelt_mask_is_not_taken_for_nothing_found(save: Save) -> None:
    folder = save("a", lambda data: data.update(lesions=[]))
    (folder / "lesions" / "lung_nodule.nii.gz").rename(folder / "lesions" / "lung_nodules.nii.gz")
    refused(folder.parent, "a/lesions", "lung_nodules.nii.gz", "nearest is 'lung_nodule'")


def test_a_finding_with_two_files_is_refused(save: Save) -> None:
    folder = save("a")
    (folder / "lesions" / "lung_nodule.nii").touch()
    refused(folder, "lung_nodule.nii and lung_nodule.nii.gz")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda d: d["scores"]["prob"].__setitem__(2, None), ("prob of Cardiomegaly", "NaN")),
        (lambda d: d["scores"]["prob"].__setitem__(2, 87.0), ("prob of Cardiomegaly", "87.0", "outside 0 to 1")),
        (lambda d: d["scores"]["threshold"].__setitem__(2, None), ("threshold of Cardiomegaly",)),
        (lambda d: d["scores"]["logits"].__setitem__(2, None), ("logit of Cardiomegaly",)),
        (lambda d: d["scores"]["logits"].__setitem__(2, float("inf")), ("logit of Cardiomegaly",)),
        (lambda d: d["scores"]["labels"].__setitem__(9, "Lung nodules"), ("'Lung nodule'", "'Lung nodules'")),
        (lambda d: d["scores"]["labels"].__setitem__(9, "Emphysema"), ("stands twice",)),
        (lambda d: d["scores"]["prob"].pop(), ("17 values for 18 labels",)),
        (lambda d: d.pop("scores"), ("'scores' is missing",)),
        (lambda d: d.update(schema_version=99), ("schema 99",)),
        (lambda d: d.update(case_id=""), ("case_id",)),
        (lambda d: d.update(assessed_masks=["nodule"]), ("'nodule'", "'lung_nodule'")),
    ],
)
def test_a_damaged_findings_json_is_refused_with_what_is_wrong(
    save: Save, change: Callable[[dict[str, Any]], object], parts: tuple[str, ...]
) -> None:
    save("a")
    refused(save("b", change).parent, "b/findings.json", *parts)


def test_broken_json_and_other_encodings_are_refused_with_their_line(save: Save) -> None:
    folder = save("a")
    (folder / "findings.json").write_text('{"schema_version": 1,\n')
    refused(folder, "a/findings.json", "line 2", "no JSON")
    (folder / "findings.json").write_bytes(b'{\n"case_id": "\xe9"}')
    refused(folder, "a/findings.json", "line 2", "UTF-8")
    (folder / "findings.json").write_text("")
    refused(folder, "a/findings.json", "empty")
    (folder / "findings.json").write_text("[]")
    refused(folder, "a/findings.json")


def test_an_empty_report_is_refused_with_its_file(save: Save) -> None:
    folder = save("a")
    (folder / "report.json").write_text('{"sentences": [], "text": " "}')
    refused(folder, "a/report.json", "empty")
    (folder / "report.json").write_text('{"sentences": []}')
    refused(folder, "a/report.json", "no text")
    (folder / "report.json").unlink()
    (folder / "report.txt").write_text("\n")
    refused(folder, "a/report.txt", "empty")


def test_two_folders_of_one_case_are_refused(save: Save) -> None:
    save("a")
    refused(save("copy", case="a").parent, "folders a and copy", "'a'")


def test_a_directory_without_predictions_is_refused_and_a_table_in_it_pointed_at(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    refused(tmp_path, "no prediction", "<case>/findings.json")
    (tmp_path / "findings.csv").touch()
    refused(tmp_path, "to score findings.csv, give that file")


def test_what_is_read_is_what_the_record_held(save: Save) -> None:
    record_of_a = record("a")
    found = read_predictions(save("a"))["a"]
    assert found.measured[0].to_json()["short_axis_mm"] != found.measured[0].to_json()["short_axis_mm"]  # null is NaN
    same = replace(found.measured[0], short_axis_mm=0.0)
    assert same == replace(record_of_a.lesions[0], short_axis_mm=0.0)
