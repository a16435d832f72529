"""Manifests: written and read alike."""

from dataclasses import replace
from math import isnan
from pathlib import Path

import pytest

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.manifest import COLUMNS, moved, read_manifest, write_manifest
from rect_core.types import ManifestRow, Reasoning, ReasoningStep

STEP = ReasoningStep(region="heart", observation='a, b\n"c"', inference="d", evidence=("score:emphysema",))


def row(number: int = 1, patient: str = "", split: str = "train", exclusion: str = "") -> ManifestRow:
    return ManifestRow(
        case_id=f"c{number}",
        volume=f"scans/c{number}.nii.gz",
        patient=patient or f"p{number}",
        scan=f"s{number}",
        split=split,
        spacing_mm=(1.25, 0.7, 0.7),
        exclusion=exclusion,
    )


def full() -> ManifestRow:
    return replace(
        row(),
        regions="regions/c1.nii.gz",
        lobes="lobes/c1.nii.gz",
        lesions={"lung_nodule": "m/c1.nii.gz#value=2", "partial:consolidation": "m/c1.nii.gz#findings=0,3"},
        labels=(1.0, 0.0, float("nan"), *(0.0,) * 15),
        report='Findings:\nA "quoted", word.\n\nImpression:\nÜber.',
        reasoning=Reasoning(steps=(STEP,), conclusion="e"),
    )


def same(one: ManifestRow, other: ManifestRow) -> bool:
    """Equal, where NaN equals NaN."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("name", ["manifest.parquet", "manifest.csv"])
def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path, name: str) -> None:
    rows = [full(), replace(row(2), spacing_mm=(float("nan"),) * 3, exclusion="no chest: c2 is in a list")]
    write_manifest(tmp_path / name, rows)
    back = read_manifest(tmp_path / name)
    assert [same(a, b) for a, b in zip(rows, back, strict=True)] == [True, True]
    assert back[0].reasoning == rows[0].reasoning
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["manifest.parquet", "manifest.csv"])
def test_an_empty_manifest_has_its_columns(tmp_path: Path, name: str) -> None:
    write_manifest(tmp_path / name, [])
    assert read_manifest(tmp_path / name) == []


def test_an_unknown_label_is_null_in_parquet_and_empty_in_csv(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    write_manifest(tmp_path / "a.parquet", [full()])
    write_manifest(tmp_path / "a.csv", [full()])
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert table[0]["Cardiomegaly"] is None
    assert table[0]["Medical material"] == 1.0
    header, first = (line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()[:2])
    assert header == list(COLUMNS)
    assert first[header.index("Cardiomegaly")] == ""


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (replace(row(), labels=(0.5, *(0.0,) * 17)), "label 'Medical material' is 0.5: give 0, 1 or NaN (unknown)"),
        (replace(row(), volume="/data/c1.nii.gz"), "path 'c1.nii.gz' is not relative to the manifest: see moved"),
        (replace(row(), regions="C:/x.nii.gz"), "path 'x.nii.gz' is not relative to the manifest: see moved"),
        (
            replace(row(), volume="scans\\c1.nii.gz"),
            "path 'scans\\\\c1.nii.gz' is not relative to the manifest: see moved",
        ),
        (replace(row(), patient=""), "patient is empty: every row needs one"),
        (
            replace(row(), lesions={"nodule": "a.nii.gz"}),
            "no finding is named 'nodule': give one of pericardial_effusion, pleural_effusion, consolidation, "
            "ground_glass_opacity, lung_nodule",
        ),
    ],
)
def test_a_bad_row_is_refused_and_nothing_is_written(tmp_path: Path, bad: ManifestRow, message: str) -> None:
    with pytest.raises(DataError) as error:
        write_manifest(tmp_path / "m.csv", [bad])
    assert str(error.value) == f"m.csv: case 'c1': {message}"
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        write_manifest(tmp_path / "m.csv", [row(1), row(2), row(1)])
    assert str(error.value) == "m.csv: case 'c1' stands in rows 1 and 3: names must differ: rename one"


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"m\.json: a manifest ends in \.parquet or \.csv: rename it"):
        write_manifest(tmp_path / "m.json", [row()])
    with pytest.raises(DataError, match=r"m\.json: no such manifest"):
        read_manifest(tmp_path / "m.json")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Lung nodule", "Nodule", "m.csv: column 'Lung nodule' is missing: is it a manifest that rect-data wrote?"),
        ("1.25", "thin", "m.csv: row 1: spacing_d_mm is 'thin': give a number"),
        ("c1,scans/c1.nii.gz", ",scans/c1.nii.gz", "m.csv: case '': case_id is empty: every row needs one"),
    ],
)
def test_a_damaged_manifest_names_what_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    write_manifest(tmp_path / "m.csv", [row()])
    (tmp_path / "m.csv").write_text((tmp_path / "m.csv").read_text().replace(old, new, 1))
    with pytest.raises(DataError) as error:
        read_manifest(tmp_path / "m.csv")
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["m.parquet", "m.csv"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x89PNG nothing \xff\xfe of ours")
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        read_manifest(tmp_path / name)


def test_a_csv_row_with_too_few_cells_is_refused(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [row(1), row(2)])
    text = (tmp_path / "m.csv").read_text().rstrip("\n").rstrip(",")
    (tmp_path / "m.csv").write_text(text[: text.rindex("1.25")])
    with pytest.raises(DataError, match=r"m\.csv: row 2: 6 cells under 32 columns"):
        read_manifest(tmp_path / "m.csv")


@pytest.mark.parametrize(("old", "new"), [('""conclusion""', '""end""'), ('"{""lung_nodule"": ', '"[1]"')])
def test_reasoning_and_lesions_that_are_no_json_of_ours_are_refused(tmp_path: Path, old: str, new: str) -> None:
    write_manifest(tmp_path / "m.csv", [full()])
    text = (tmp_path / "m.csv").read_text()
    if new == '"[1]"':
        start = text.index(old)
        text = text[:start] + new + text[text.index('}"', start) + 2 :]
    (tmp_path / "m.csv").write_text(text.replace(old, new))
    with pytest.raises(DataError, match=r"m\.csv: row 1: lesions or reasoning is no JSON of ours"):
        read_manifest(tmp_path / "m.csv")


def test_moved_rows_point_at_the_same_files(tmp_path: Path) -> None:
    there, here = tmp_path / "data" / "set", tmp_path / "out"
    back = moved(moved([full()], there, here), here, there)[0]
    gone = moved([full()], there, here)[0]
    assert gone.volume == "../data/set/scans/c1.nii.gz"
    assert gone.lesions["lung_nodule"] == "../data/set/m/c1.nii.gz#value=2"
    assert same(back, full())
    assert moved([row()], there, here)[0].regions == ""


def test_a_report_with_a_lone_carriage_return_comes_back_from_csv(tmp_path: Path) -> None:
    write_manifest(tmp_path / "m.csv", [replace(row(), report="one\rtwo\r\nthree")])
    assert read_manifest(tmp_path / "m.csv")[0].report == "one\rtwo\r\nthree"


def test_labels_that_are_unknown_stay_unknown() -> None:
    assert all(isnan(value) for value in row().labels)
    assert len(row().labels) == len(LABELS)
