"""References: manifests, tables of labels and reports, folders of masks."""

from collections.abc import Callable, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any

import pytest

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.manifest import write_manifest
from rect_core.types import ManifestRow
from rect_eval.cases import Pairs
from rect_eval.io import read_truth
from rect_eval.io.manifest import file_and_part

ONES = ["1", *("0",) * 17]
VALUES = (1.0, *(0.0,) * 17)
Write = Callable[..., Path]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    """Writes a CSV of rows under a header of VolumeName and the labels, unless another is given."""

    def write(name: str, *rows: Sequence[str], header: Sequence[str] = ("VolumeName", *LABELS)) -> Path:
        path = tmp_path / name
        path.write_text("".join(",".join(row) + "\n" for row in (header, *rows)))
        return path

    return write


def row(case: str, **changed: Any) -> ManifestRow:
    values: dict[str, Any] = {
        "case_id": case,
        "volume": f"scans/{case}.nii.gz",
        "patient": f"p_{case[0]}",
        "scan": case,
        "split": "valid",
        "spacing_mm": (1.0, 1.0, 1.0),
        "labels": VALUES,
    }
    return ManifestRow(**{**values, **changed})


def refused(path: Path, *parts: str, split: str = "") -> None:
    with pytest.raises(DataError) as caught:
        read_truth(path, split=split)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in parts if part not in message] == [], message


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.parquet", "valid.csv"])
def test_a_manifest_gives_references_with_resolved_paths(tmp_path: Path, name: str) -> None:
    (tmp_path / "masks").mkdir()
    (tmp_path / "scans").mkdir()
    for path in ("masks/n.nii.gz", "masks/e.nii.gz", "scans/a1.nii.gz"):
        (tmp_path / path).touch()
    lesions = {"lung_nodule": "masks/n.nii.gz", "partial:pleural_effusion": "masks/e.nii.gz"}
    rows = [row("a1", lesions=lesions, report=" Text. ", regions="gone.nii.gz"), row("a2", labels=(nan,) * 18)]
    write_manifest(tmp_path / name, rows)
    found = read_truth(tmp_path / name)
    one, two = found["a1"], found["a2"]
    assert (one.patient, one.scan, one.split, one.labels, one.report) == ("p_a", "a1", "valid", VALUES, "Text.")
    assert one.lesions == {"pleural_effusion": tmp_path / "masks/e.nii.gz", "lung_nodule": tmp_path / "masks/n.nii.gz"}
    assert one.partial == {"pleural_effusion"}
    assert (one.volume, one.regions) == (tmp_path / "scans/a1.nii.gz", None)
    assert all(map(isnan, two.labels))
    assert (two.report, dict(two.lesions), two.volume) == (None, {}, None)


def test_excluded_rows_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [row("a1"), row("b1", exclusion="no chest"), row("c1", split="train", exclusion="blank")]
    write_manifest(tmp_path / "manifest.csv", rows)
    found = read_truth(tmp_path)
    assert list(found) == ["a1"]
    assert found.excluded == {"b1": "no chest", "c1": "blank"}
    assert read_truth(tmp_path, split="valid").excluded == {"b1": "no chest"}


def test_a_manifest_of_excluded_rows_alone_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.csv", [row("b1", exclusion="no chest")])
    refused(tmp_path, "manifest.csv", "all 1 rows are excluded", "no chest")


def test_a_missing_lesion_file_is_named_with_row_and_case(tmp_path: Path) -> None:
    rows = [row("a1"), row("b1", lesions={"partial:lung_nodule": "masks/b.nii.gz"})]
    write_manifest(tmp_path / "manifest.csv", rows)
    refused(tmp_path, "manifest.csv", "row 2", "'b1'", "lung_nodule", "masks/b.nii.gz")


def test_a_whole_mask_goes_before_a_partial_one_of_the_same_finding(tmp_path: Path) -> None:
    (tmp_path / "n.nii.gz").touch()
    (tmp_path / "p.nii.gz").touch()
    lesions = {"lung_nodule": "n.nii.gz", "partial:lung_nodule": "p.nii.gz"}
    write_manifest(tmp_path / "manifest.csv", [row("a1", lesions=lesions)])
    one = read_truth(tmp_path)["a1"]
    assert (one.lesions, one.partial) == ({"lung_nodule": tmp_path / "n.nii.gz"}, frozenset())


def test_a_part_of_a_mask_file_is_kept_and_its_file_looked_for(tmp_path: Path) -> None:
    (tmp_path / "ts.nii.gz").touch()
    write_manifest(tmp_path / "manifest.csv", [row("a1", lesions={"lung_nodule": "ts.nii.gz#value=2"})])
    mask = read_truth(tmp_path)["a1"].lesions["lung_nodule"]
    assert file_and_part(mask) == (tmp_path / "ts.nii.gz", "value=2")
    assert file_and_part(Path("d#1/a#2.nii.gz")) == (Path("d#1/a#2.nii.gz"), "")


def test_only_the_split_that_was_asked_for_is_read(tmp_path: Path, table: Write) -> None:
    rows = [row("a1"), row("b1", split="train", lesions={"lung_nodule": "gone.nii.gz"})]
    write_manifest(tmp_path / "manifest.csv", rows)
    assert list(read_truth(tmp_path, split="valid")) == ["a1"]
    refused(tmp_path, "manifest.csv", "'test'", "'train', 'valid'", split="test")
    labels = table("labels.csv", ["train_1_a_1.nii.gz", *ONES], ["valid_1_a_1.nii.gz", *ONES])
    assert list(read_truth(labels, split="valid")) == ["valid_1_a_1"]
    refused(labels, "'test'", split="test")


def test_a_manifest_with_a_damaged_column_is_not_taken_for_a_table_of_labels(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.csv", [row("a1")])
    text = (tmp_path / "manifest.csv").read_text()
    (tmp_path / "other.csv").write_text(text.replace("exclusion", "excluded"))
    refused(tmp_path / "other.csv", "'exclusion' is missing")


def test_ct_rates_labels_give_patients_and_scans_by_name(table: Write) -> None:
    names = ["valid_1_a_1", "valid_1_a_2", "valid_1_b_1", "valid_2_a_1", "other"]
    found = read_truth(table("labels.csv", *([f"{name}.nii.gz", *ONES] for name in names)))
    pairs = Pairs(truths=tuple(found.values()), predictions=(None,) * 5)
    assert pairs.patients.tolist() == [1, 1, 1, 2, 0]
    assert len(set(pairs.scans.tolist())) == 4
    assert found["valid_1_a_2"].labels == VALUES
    assert (found["other"].patient, found["other"].scan, found["other"].split) == ("other", "other", "")


def test_columns_of_patient_scan_and_split_go_before_names(table: Write) -> None:
    header = ["AccessionNo", "patient", "scan", "split", *LABELS]
    rows = (["x", "Ann", "1", "test", *ONES], ["y", "", "", "", *ONES])
    found = read_truth(table("labels.csv", *rows, header=header))
    assert (found["x"].patient, found["x"].scan, found["x"].split) == ("Ann", "1", "test")
    assert (found["y"].patient, found["y"].scan, found["y"].split) == ("y", "y", "")


def test_an_empty_label_is_unknown(table: Write) -> None:
    cells = ["1.0", "", "nan", "0.0", *("0",) * 14]
    labels = read_truth(table("labels.csv", ["a", *cells]))["a"].labels
    assert labels[0] == 1
    assert [isnan(v) for v in labels[:4]] == [False, True, True, False]


@pytest.mark.parametrize("value", ["True", "0.53", "-1", "yes", "100 %", "inf"])
def test_what_is_no_label_is_refused_with_row_and_column(table: Write, value: str) -> None:
    path = table("labels.csv", ["a", *ONES], ["b", value, *ONES[1:]])
    refused(path, "labels.csv", "row 3", "'Medical material'", value, "give 0, 1")


def test_misspelt_labels_and_names_that_occur_twice_are_refused(table: Write) -> None:
    header = ["VolumeName", *(label.replace("Consolidation", "Consolidations") for label in LABELS)]
    refused(table("labels.csv", ["a", *ONES], header=header), "'Consolidation' is missing", "'Consolidations'")
    refused(table("labels.csv", ["a.nii.gz", *ONES], ["a.nii", *ONES]), "row 3", "'a'", "row 2")
    refused(table("labels.csv", ["a", "b"], header=["VolumeName", "age"]), "neither")


def test_ct_rates_reports_are_read_alone_and_a_missing_one_is_unknown(table: Write) -> None:
    header = ["VolumeName", "ClinicalInformation_EN", "Technique_EN", "Findings_EN", "Impressions_EN"]
    rows = (["a.nii.gz", "", "", "A nodule.", "Not given."], ["b.nii.gz", "", "", "", "Not given."])
    found = read_truth(table("valid_reports.csv", *rows, header=header))
    assert (found["a"].report, found["b"].report) == ("Findings:\nA nodule.", None)
    assert all(map(isnan, found["a"].labels))


def test_a_folder_merges_labels_reports_and_masks(tmp_path: Path, table: Write) -> None:
    table("valid_predicted_labels.csv", ["a.nii.gz", *ONES], ["b.nii.gz", *ONES])
    table("reports.csv", ["a.nii.gz", "One.", "Two."], header=["VolumeName", "Findings_EN", "Impressions_EN"])
    (tmp_path / "b").mkdir()
    for name in ("lung_nodule", "volume", "regions"):
        (tmp_path / "b" / f"{name}.nii.gz").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "empty").mkdir()
    found = read_truth(tmp_path)
    assert list(found) == ["a", "b"]
    assert (found["a"].labels, found["a"].report) == (VALUES, "Findings:\nOne.\n\nImpression:\nTwo.")
    assert found["b"].lesions == {"lung_nodule": tmp_path / "b/lung_nodule.nii.gz"}
    assert (found["b"].volume, found["b"].regions) == (tmp_path / "b/volume.nii.gz", tmp_path / "b/regions.nii.gz")
    assert (found["b"].report, found["b"].partial) == (None, frozenset())


def test_a_folder_of_masks_alone_is_a_reference(tmp_path: Path) -> None:
    (tmp_path / "valid_1_a_1").mkdir()
    (tmp_path / "valid_1_a_1" / "lung_nodule.nii.gz").touch()
    found = read_truth(tmp_path)["valid_1_a_1"]
    assert (found.patient, list(found.lesions)) == ("valid_1", ["lung_nodule"])


def test_a_misspelt_mask_is_refused_with_the_nearest_finding(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "lung_nodules.nii.gz").touch()
    refused(tmp_path, "a: lung_nodules.nii.gz", "nearest is 'lung_nodule'")


def test_tables_of_different_names_are_refused(tmp_path: Path, table: Write) -> None:
    table("labels.csv", ["valid_1_a_1.nii.gz", *ONES])
    table("reports.csv", ["valid_1_a", "Text."], header=["VolumeName", "report"])
    refused(tmp_path, "reports.csv", "'valid_1_a_1'", "'valid_1_a'")


def test_a_folder_of_nothing_and_one_of_too_much_are_refused(tmp_path: Path, table: Write) -> None:
    refused(tmp_path, "no reference in this folder")
    table("train_labels.csv", ["a", *ONES])
    table("valid_labels.csv", ["b", *ONES])
    refused(tmp_path, "train_labels.csv and valid_labels.csv")


def test_tables_of_a_folder_must_hold_what_they_are_called(tmp_path: Path, table: Write) -> None:
    table("labels.csv", ["a", "Text."], header=["VolumeName", "report"])
    refused(tmp_path, "labels.csv", "18 label columns")


def test_the_challenges_reference_reports_are_read_and_its_predictions_refused(tmp_path: Path) -> None:
    path = tmp_path / "ground_truth.json"
    path.write_text('[{"input_image_name": "valid_3_a_1.mha", "report": "Text."}]')
    found = read_truth(path)["valid_3_a_1"]
    assert (found.report, found.patient) == ("Text.", "valid_3")
    cells = ", ".join(f'"{label}": 0.5' for label in LABELS)
    path.write_text(f'[{{"input_image_name": "a", "probabilities": {{{cells}}}}}]')
    refused(path, "ground_truth.json", "not a reference")


def test_a_path_that_is_nothing_we_know_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "nowhere", "no such file")
    (tmp_path / "labels.txt").touch()
    refused(tmp_path / "labels.txt", "labels.txt", "a reference is")
    (tmp_path / "labels.csv").touch()
    refused(tmp_path / "labels.csv", "labels.csv", "empty")
    (tmp_path / "labels.csv").write_bytes(b"VolumeName\n\xff")
    refused(tmp_path / "labels.csv", "line 2", "UTF-8")


def test_a_patient_in_two_splits_is_refused_as_in_a_manifest(table: Write) -> None:
    header = ["case_id", "patient", "split", *LABELS]
    rows = ["a", "Ann", "train", *ONES], ["b", "Ann", "test", *ONES], ["c", "Ben", "test", *ONES]
    for split in ("test", ""):
        refused(table("labels.csv", *rows, header=header), "'Ann'", "'train' (a)", "'test' (b)", split=split)
    assert list(read_truth(table("labels.csv", *rows[1:], header=header), split="test")) == ["b", "c"]
