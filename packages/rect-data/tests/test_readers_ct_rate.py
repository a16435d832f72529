"""CT-RATE as it lies on disk: which volumes are listed, what joins them, what stops the listing."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.manifest import moved, read_manifest, write_manifest
from rect_core.masks import read_mask
from rect_data import ct_rate
from rect_data.ct_rate import lesion_path, map_path, ts_path, volume_path
from rect_data.readers import CtRate, read_lesions, read_regions

NAMES = ["train_1_a_1", "train_2_a_1", "train_3_a_1", "valid_1_a_1"]


def test_a_phantom_tree_is_listed_with_all_it_holds(phantom_tree: Path) -> None:
    rows = CtRate(phantom_tree).rows()
    assert [row.case_id for row in rows] == NAMES
    assert [row.split for row in rows] == ["train", "train", "train", "valid"]
    for row in rows:
        assert (phantom_tree / row.volume).is_file()
        assert row.regions == map_path("regions", row.case_id)
        assert row.lobes == map_path("lobes", row.case_id)
        assert row.lesions["lung_nodule"] == lesion_path(row.case_id, "lung_nodule")
        assert set(row.labels) <= {0.0, 1.0}
        assert row.report.startswith("Findings:\n")
        assert "\n\nImpression:\n" in row.report
        assert row.reasoning is not None
        assert row.spacing_mm == (6.0, 4.0, 4.0)
        assert row.exclusion == ""


def test_labels_are_those_of_the_table_in_our_order(phantom_tree: Path) -> None:
    lines = (phantom_tree / ct_rate.LABELS["train"]).read_text().splitlines()
    assert lines[0].split(",")[1:] == list(LABELS)
    for row, line in zip(CtRate(phantom_tree, splits=("train",)).rows(), lines[1:], strict=True):
        assert [f"{value:g}" for value in row.labels] == line.split(",")[1:]


def test_a_row_is_loaded_with_its_regions_and_lesions(phantom_tree: Path) -> None:
    reader = CtRate(phantom_tree)
    row = reader.rows()[0]
    volume = reader.load(row)
    regions = read_regions(phantom_tree, row, volume)
    assert volume.case_id == row.case_id
    assert regions is not None
    assert regions.origin == "given"
    for finding, mask in read_lesions(phantom_tree, row, volume).items():
        assert np.array_equal(mask, read_mask(phantom_tree / lesion_path(row.case_id, finding), volume))


def test_a_manifest_in_another_folder_leads_back_to_the_tree(phantom_tree: Path, tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.parquet", moved(CtRate(phantom_tree).rows(), phantom_tree, tmp_path))
    for row in read_manifest(tmp_path / "m.parquet"):
        assert (tmp_path / row.volume).is_file()
        assert all((tmp_path / path).is_file() for path in row.lesions.values())


def test_without_our_own_maps_totalsegmentators_are_the_regions(tree_copy: Path) -> None:
    shutil.rmtree(tree_copy / "dataset/regions")
    reader = CtRate(tree_copy)
    row = reader.rows()[0]
    assert row.regions == ts_path("ts_total", row.case_id)
    found = read_regions(tree_copy, row, reader.load(row))
    assert found is not None
    assert found.origin == "totalsegmentator"


def test_pseudo_lesions_are_taken_only_on_request_and_where_nothing_better_is(tree_copy: Path) -> None:
    shutil.rmtree(tree_copy / "dataset/lesions/train")
    assert CtRate(tree_copy).rows()[0].lesions == {}
    reader = CtRate(tree_copy, pseudo_lesions=True)
    row = reader.rows()[0]
    assert set(row.lesions) == {"lung_nodule", "pleural_effusion", "pericardial_effusion"}
    assert reader.rows()[3].lesions["lung_nodule"] == lesion_path("valid_1_a_1", "lung_nodule")
    volume = reader.load(row)
    value = read_mask(tree_copy / ts_path("ts_lung_nodules", row.case_id), volume) == 2
    nodules = read_lesions(tree_copy, row, volume)["lung_nodule"]
    assert np.array_equal(nodules > 0, value)
    assert value.any()


def test_a_part_of_the_set_can_be_read(tree_copy: Path) -> None:
    (tree_copy / volume_path("train_2_a_1")).unlink()
    assert [row.case_id for row in CtRate(tree_copy).rows()] == ["train_1_a_1", "train_3_a_1", "valid_1_a_1"]
    assert [row.case_id for row in CtRate(tree_copy, splits=("valid",)).rows()] == ["valid_1_a_1"]


def test_rows_are_in_the_order_of_their_numbers(tree_copy: Path) -> None:
    folder = tree_copy / "dataset/train_fixed"
    for old, new in (("train_3", "train_10"),):
        shutil.move(folder / old, folder / new)
        shutil.move(folder / new / f"{old}_a", folder / new / f"{new}_a")
        shutil.move(folder / new / f"{new}_a" / f"{old}_a_1.nii.gz", folder / new / f"{new}_a" / f"{new}_a_1.nii.gz")
        for table in (ct_rate.LABELS, ct_rate.REPORTS):
            path = tree_copy / table["train"]
            path.write_text(path.read_text().replace(f"{old}_a_1", f"{new}_a_1"))
    assert [row.case_id for row in CtRate(tree_copy, splits=("train",)).rows()][-2:] == ["train_2_a_1", "train_10_a_1"]


def test_a_reader_survives_pickling_as_for_workers(phantom_tree: Path) -> None:
    reader = pickle.loads(pickle.dumps(CtRate(phantom_tree)))
    assert reader == CtRate(phantom_tree)


def test_a_report_whose_sections_are_not_given_is_no_report(tree_copy: Path) -> None:
    path = tree_copy / ct_rate.REPORTS["train"]
    header = path.read_text().splitlines()[0]
    lines = [
        "train_1_a_1.nii.gz,x,y,Not given.,Not given.",
        "train_2_a_1.nii.gz,x,y,Clear lungs.,",
        "train_3_a_1.nii.gz,x,y,,No nodule.",
    ]
    path.write_text("\n".join([header, *lines]) + "\n")
    found = [row.report for row in CtRate(tree_copy, splits=("train",)).rows()]
    assert found == ["", "Findings:\nClear lungs.", "Impression:\nNo nodule."]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (1, "copy: no volume of version 1 of CT-RATE in it; only version 2 is there: give version=2"),
        (2, "empty: no volume of version 2 of CT-RATE in it; give the folder with dataset/"),
    ],
)
def test_the_other_version_is_named(tree_copy: Path, tmp_path: Path, version: int, message: str) -> None:
    (tmp_path / "empty").mkdir()
    root = tree_copy if version == 1 else tmp_path / "empty"
    with pytest.raises(DataError) as error:
        (CtRate(root, version=1) if version == 1 else CtRate(root)).rows()
    assert str(error.value) == message


def test_unknown_splits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="CT-RATE has no split 'test': give train or valid"):
        CtRate(tmp_path, splits=("test",))


def test_a_volume_in_the_wrong_place_or_of_a_wrong_name_stops(tree_copy: Path) -> None:
    source = tree_copy / volume_path("train_1_a_1")
    wrong = source.with_name("train_1_b_1.nii.gz")
    wrong.write_bytes(source.read_bytes())
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == (
        "dataset/train_fixed/train_1/train_1_a/train_1_b_1.nii.gz: CT-RATE keeps it in "
        "dataset/train_fixed/train_1/train_1_b: move it there"
    )
    wrong.rename(source.with_name("scan.nii.gz"))
    with pytest.raises(DataError, match="not the name of a volume of split train, such as train_1_a_1"):
        CtRate(tree_copy).rows()


def test_a_missing_table_stops(tree_copy: Path) -> None:
    (tree_copy / ct_rate.LABELS["valid"]).unlink()
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == (
        "valid_predicted_labels.csv: no such table: it was looked for in multi_abnormality_labels"
    )


def test_a_name_that_stands_twice_in_a_table_stops(tree_copy: Path) -> None:
    path = tree_copy / ct_rate.LABELS["train"]
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[2]]) + "\n")
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == "train_predicted_labels.csv: row 5: 'train_2_a_1' stands already in row 3: keep one"


def test_a_column_that_stands_twice_stops(tree_copy: Path) -> None:
    path = tree_copy / ct_rate.LABELS["train"]
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{lines[0]},Emphysema", *(f"{line},0" for line in lines[1:])]) + "\n")
    with pytest.raises(DataError, match=r"predicted_labels\.csv: column 'Emphysema' is there 2 times: keep one"):
        CtRate(tree_copy).rows()


def test_a_row_with_too_many_cells_stops(tree_copy: Path) -> None:
    path = tree_copy / ct_rate.REPORTS["train"]
    path.write_text(path.read_text() + "train_7_a_1.nii.gz,x,y,Clear, lungs,No\n")
    with pytest.raises(DataError, match=r"train_reports\.csv: row 5: 6 cells under 5 columns: quote texts"):
        CtRate(tree_copy).rows()


def test_a_list_of_no_chest_with_other_lines_stops(tree_copy: Path) -> None:
    (tree_copy / "dataset/metadata/no_chest_train.txt").write_text("train_1_a_1.nii.gz\nthese too\n")
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == (
        "no_chest_train.txt: row 2: 'these too' is not a volume of split train: correct the list"
    )


def test_broken_reasoning_stops_with_its_line(tree_copy: Path) -> None:
    path = tree_copy / ct_rate.REASONING["train"]
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:40]]))
    with pytest.raises(DataError, match=r"train_reasoning\.jsonl: line 2 is no reasoning"):
        CtRate(tree_copy).rows()


def test_a_truncated_file_is_excluded_with_its_reason(tree_copy: Path) -> None:
    path = tree_copy / volume_path("train_1_a_1")
    path.write_bytes(path.read_bytes()[:40])
    assert CtRate(tree_copy).rows()[0].exclusion == (
        "unreadable: train_1_a_1.nii.gz: the header cannot be read: copy the file again from its source"
    )


def test_linked_folders_are_listed_like_others(phantom_tree: Path, tmp_path: Path) -> None:
    for name in ("metadata", "multi_abnormality_labels", "radiology_text_reports"):
        (tmp_path / "dataset").mkdir(exist_ok=True)
        (tmp_path / "dataset" / name).symlink_to(phantom_tree / "dataset" / name)
    (tmp_path / "dataset/train_fixed").mkdir()
    (tmp_path / "dataset/train_fixed/train_2").symlink_to(phantom_tree / "dataset/train_fixed/train_2")
    assert [row.case_id for row in CtRate(tmp_path).rows()] == ["train_2_a_1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines, lines[0]], "line 4: 'train_1_a_1' stands in an earlier line already: keep one"),
        (
            lambda lines: [lines[0].replace("train_1_a_1", "valid_1_a_1")],
            "line 1: 'valid_1_a_1' is not a volume of split train: correct the name",
        ),
    ],
)
def test_reasoning_of_another_split_or_twice_of_one_volume_stops(
    tree_copy: Path, change: Callable[[list[str]], list[str]], message: str
) -> None:
    path = tree_copy / ct_rate.REASONING["train"]
    path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")
    with pytest.raises(DataError) as error:
        CtRate(tree_copy).rows()
    assert str(error.value) == f"train_reasoning.jsonl: {message}"


def test_a_line_separator_inside_reasoning_ends_no_line(tree_copy: Path) -> None:
    path = tree_copy / ct_rate.REASONING["train"]
    first, *rest = path.read_text().splitlines()
    entry = json.loads(first)
    entry["reasoning"]["steps"][0]["observation"] = "one\u2028two"
    path.write_text("\n".join([json.dumps(entry, ensure_ascii=False), *rest]), encoding="utf-8")
    reasoning = CtRate(tree_copy).rows()[0].reasoning
    assert reasoning is not None
    assert "one\u2028two" in json.dumps(reasoning.to_json(), ensure_ascii=False)
