"""Splits by patient: nobody in two; and the manifest of a phantom tree."""

from pathlib import Path

import pytest

from rect_core.errors import DataError
from rect_core.manifest import read_manifest, write_manifest
from rect_core.types import ManifestRow
from rect_data.readers import CtRate
from rect_data.splits import kfold, split_by_patient, without_leaks


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


def same(one: ManifestRow, other: ManifestRow) -> bool:
    """Equal, where NaN equals NaN."""
    return repr(one) == repr(other)


def test_the_rows_of_a_phantom_tree_come_back(phantom_tree: Path, tmp_path: Path) -> None:
    rows = CtRate(phantom_tree).rows()
    for name in ("a.parquet", "a.csv"):
        write_manifest(tmp_path / name, rows)
        assert all(same(a, b) for a, b in zip(rows, read_manifest(tmp_path / name), strict=True))
    assert rows[0].reasoning is not None


def many() -> list[ManifestRow]:
    """20 patients with one to three scans each."""
    return [row(10 * p + s, patient=f"p{p}") for p in range(20) for s in range(1 + p % 3)]


def test_folds_hold_out_every_patient_once_with_all_scans() -> None:
    rows = many()
    folds = kfold(rows, 5, seed=3)
    held = [{r.patient for r in test} for _, test in folds]
    assert sorted(p for fold in held for p in fold) == sorted({r.patient for r in rows})
    assert all(not {r.patient for r in train} & fold for (train, _), fold in zip(folds, held, strict=True))
    assert all(len(train) + len(test) == len(rows) for train, test in folds)
    assert {len(fold) for fold in held} == {4}


def test_folds_depend_on_the_seed_and_not_on_the_order() -> None:
    rows = many()

    def held(order: list[ManifestRow], seed: int) -> list[set[str]]:
        return [{r.case_id for r in test} for _, test in kfold(order, 4, seed)]

    assert held(rows, 1) == held(rows[::-1], 1)
    assert held(rows, 1) != held(rows, 2)


def test_excluded_rows_are_in_no_fold() -> None:
    rows = [*many(), row(999, patient="p1", exclusion="NaN"), row(1000, exclusion="NaN")]
    assert not any(r.exclusion for train, test in kfold(rows, 4, seed=0) for r in (*train, *test))


@pytest.mark.parametrize("k", [0, 1, 21])
def test_folds_that_cannot_be_are_refused(k: int) -> None:
    with pytest.raises(DataError, match=f"{k} folds of 20 patients: give 2 to 20 folds"):
        kfold(many(), k, seed=0)


def test_a_split_by_patient_gives_each_share_and_keeps_the_order() -> None:
    rows = split_by_patient(many(), {"train": 0.7, "valid": 0.2, "test": 0.1}, seed=5)
    assert [r.case_id for r in rows] == [r.case_id for r in many()]
    patients = {split: {r.patient for r in rows if r.split == split} for split in ("train", "valid", "test")}
    assert [len(p) for p in patients.values()] == [14, 4, 2]
    assert not patients["train"] & patients["valid"]


def test_a_small_share_still_gets_a_patient() -> None:
    rows = split_by_patient([row(i) for i in range(3)], {"train": 0.98, "valid": 0.01, "test": 0.01}, seed=0)
    assert sorted(r.split for r in rows) == ["test", "train", "valid"]
    with pytest.raises(DataError, match="1 patients for 2 splits: each split needs one"):
        split_by_patient([row()], {"train": 0.5, "valid": 0.5}, seed=0)
    with pytest.raises(DataError, match="give positive shares that add up to 1"):
        split_by_patient([row()], {"train": 0.5, "valid": 0.4}, seed=0)


def test_a_patient_of_two_splits_stays_in_the_later_one() -> None:
    rows = [row(1, "a"), row(2, "a", "valid"), row(3, "a", "test"), row(4, "b"), row(5, "b", "valid", "NaN")]
    cleaned = without_leaks(rows)
    assert [r.exclusion for r in cleaned] == [
        "leak: patient a is also in split test (c3)",
        "leak: patient a is also in split test (c3)",
        "",
        "",
        "NaN",
    ]
    assert [r.exclusion for r in without_leaks(cleaned)] == [r.exclusion for r in cleaned]
