"""ReXGroundingCT: masks with an identity affine, partial labels, categories, leakage."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import DataError, ScanError
from rect_core.manifest import read_manifest, write_manifest
from rect_core.masks import read_mask
from rect_core.types import ManifestRow
from rect_data.ct_rate import lesion_path, volume_path
from rect_data.readers import CtRate, ReXGroundingCt, read_lesions
from rect_data.readers.rexgrounding import joined, our_finding

TEXTS = {"0": "nodule in the right upper lobe", "1": "left pleural thickening", "2": "two more nodules"}
CODES = {"0": "2d", "1": "2e", "2": "2d"}


def entry(name: str, texts: dict[str, str] = TEXTS, codes: dict[str, str] = CODES) -> dict[str, Any]:
    return {"name": f"{name}.nii.gz", "findings": texts, "categories": codes, "shape": [96, 96, 48]}


def rex(root: Path, **splits: Sequence[dict[str, Any]]) -> Path:
    (root / "segmentations").mkdir(parents=True, exist_ok=True)
    (root / "dataset.json").write_text(json.dumps({"train": [], "val": [], "test": []} | splits))
    return root


def outlined(tree: Path, name: str) -> np.ndarray:
    """Three findings of a phantom, stored as the set stores them: (finding, i, j, k). The first lies in one corner."""
    stored = np.asanyarray(nib.load(tree / lesion_path(name, "lung_nodule")).dataobj)
    findings = np.zeros((3, *stored.shape), np.uint8)
    findings[0] = stored
    findings[1, 3:6, 3:6, 3:6] = 1
    findings[2, 2, 2, 2], findings[2, 90, 2, 2] = 1, 2
    return findings


def save(root: Path, name: str, findings: np.ndarray, affine: np.ndarray | None) -> None:
    nib.save(nib.Nifti1Image(findings, affine), root / "segmentations" / f"{name}.nii.gz")


@pytest.mark.parametrize("affine", [np.eye(4), None])
def test_a_mask_with_an_identity_or_blank_affine_lies_where_its_finding_is(
    phantom_tree: Path, tmp_path: Path, affine: np.ndarray | None
) -> None:
    name = "valid_1_a_1"
    root = rex(tmp_path, val=[entry(name)])
    save(root, name, outlined(phantom_tree, name), affine)
    reader = ReXGroundingCt(root, phantom_tree)
    row = reader.rows()[0]
    volume = reader.load(row)
    assert row.lesions == {"lung_nodule": "segmentations/valid_1_a_1.nii.gz#findings=0,2"}
    mask = read_lesions(root, row, volume)["lung_nodule"]
    truth = read_mask(phantom_tree / lesion_path(name, "lung_nodule"), volume)
    count = int(truth.max())
    assert np.array_equal(np.where(mask <= count, mask, 0), truth)
    # stored (2, 2, 2) of RAS axes: right, posterior, inferior corner; (90, 2, 2) is its mirror image
    assert mask[2, 93, 93] == count + 1
    assert mask[2, 93, 5] == count + 2
    assert mask.max() == count + 2


def test_a_mask_that_is_written_with_the_scans_affine_is_the_same(phantom_tree: Path, tmp_path: Path) -> None:
    name = "valid_1_a_1"
    root = rex(tmp_path, val=[entry(name)])
    reader = ReXGroundingCt(root, phantom_tree)
    findings = outlined(phantom_tree, name)
    masks = []
    for affine in (np.eye(4), nib.load(phantom_tree / volume_path(name)).affine):
        save(root, name, findings, affine)
        row = reader.rows()[0]
        masks.append(read_lesions(root, row, reader.load(row))["lung_nodule"])
    assert np.array_equal(*masks)


def test_a_mask_with_a_mirrored_affine_is_refused(phantom_tree: Path, tmp_path: Path) -> None:
    name = "valid_1_a_1"
    root = rex(tmp_path, val=[entry(name)])
    mirrored = nib.load(phantom_tree / volume_path(name)).affine.copy()
    mirrored[0] *= -1
    save(root, name, outlined(phantom_tree, name), mirrored)
    reader = ReXGroundingCt(root, phantom_tree)
    row = reader.rows()[0]
    with pytest.raises(ScanError) as error:
        read_lesions(root, row, reader.load(row))
    assert str(error.value) == (
        "valid_1_a_1.nii.gz: its affine is neither the identity nor that of the scan 'valid_1_a_1', so its left and "
        "right are unknown: download the mask again"
    )


def test_a_mask_of_other_voxels_or_too_few_findings_is_refused(phantom_tree: Path, tmp_path: Path) -> None:
    name = "valid_1_a_1"
    root = rex(tmp_path, val=[entry(name)])
    reader = ReXGroundingCt(root, phantom_tree)
    findings = outlined(phantom_tree, name)
    save(root, name, findings[..., ::2], np.eye(4))
    row = reader.rows()[0]
    volume = reader.load(row)
    with pytest.raises(ScanError) as error:
        read_lesions(root, row, volume)
    assert str(error.value) == (
        "valid_1_a_1.nii.gz: (3, 96, 96, 24) voxels for the scan 'valid_1_a_1' stored as (96, 96, 48): "
        "a mask of ReXGroundingCT has (findings, i, j, k), with the scan's own (i, j, k)"
    )
    save(root, name, findings[:2], np.eye(4))
    with pytest.raises(ScanError, match="2 findings, but finding 2 is asked for"):
        read_lesions(root, row, volume)


def test_masks_of_the_training_split_are_partial(phantom_tree: Path, tmp_path: Path) -> None:
    root = rex(tmp_path, train=[entry("train_1_a_1")])
    save(root, "train_1_a_1", outlined(phantom_tree, "train_1_a_1"), np.eye(4))
    rows = ReXGroundingCt(root, phantom_tree).rows()
    assert list(rows[0].lesions) == ["partial:lung_nodule"]
    write_manifest(tmp_path / "m.parquet", [replace(rows[0], volume="x.nii.gz")])
    assert list(read_manifest(tmp_path / "m.parquet")[0].lesions) == ["partial:lung_nodule"]


def test_a_test_entry_without_a_mask_has_unknown_findings(phantom_tree: Path, tmp_path: Path) -> None:
    rows = ReXGroundingCt(rex(tmp_path, test=[entry("valid_1_a_1")]), phantom_tree).rows()
    assert (rows[0].split, rows[0].lesions) == ("test", {})


@pytest.mark.parametrize(
    ("category", "text", "finding"),
    [
        ("2b", "Consolidation with air bronchograms", "consolidation"),
        ("2b", "Linear atelectasis in the left base", ""),
        ("2b", "Atelectasis and consolidations", "consolidation"),
        ("2c", "Patchy densities", "ground_glass_opacity"),
        ("2d", "Mass in the hilum", "lung_nodule"),
        ("2e", "Right pleural effusion", "pleural_effusion"),
        ("2e", "Pleural fluid of 2 cm", "pleural_effusion"),
        ("2e", "Pleural thickening", ""),
        ("1c", "Emphysema", ""),
        ("2a", "Consolidation", ""),
    ],
)
def test_categories_become_our_findings_where_they_are_the_same(category: str, text: str, finding: str) -> None:
    assert our_finding(category, text) == finding


def test_training_scans_of_ct_rates_valid_split_are_excluded_as_leaks(phantom_tree: Path, tmp_path: Path) -> None:
    root = rex(tmp_path, train=[entry("train_1_a_1"), entry("valid_1_a_1")], val=[entry("train_2_a_1")])
    rows = ReXGroundingCt(root, phantom_tree).rows()
    assert [(r.case_id, r.patient, r.split, r.exclusion) for r in rows] == [
        ("train_1_a_1", "train_1", "train", ""),
        ("valid_1_a_1", "valid_1", "train", "leak: a scan of CT-RATE's split valid in the training split"),
        ("train_2_a_1", "train_2", "valid", ""),
    ]


def test_a_patient_of_two_splits_of_the_set_is_kept_in_the_later_one(tree_copy: Path, tmp_path: Path) -> None:
    source = tree_copy / volume_path("train_1_a_1")
    for name in ("train_1_b_1", "train_1_c_1"):
        path = tree_copy / volume_path(name)
        path.parent.mkdir(parents=True)
        path.write_bytes(source.read_bytes())
    root = rex(tmp_path / "rex", train=[entry("train_1_a_1")], val=[entry("train_1_b_1")], test=[entry("train_1_c_1")])
    found = [row.exclusion for row in ReXGroundingCt(root, tree_copy).rows()]
    assert found == ["leak: patient train_1 is also in split test (train_1_c_1)"] * 2 + [""]


def test_masks_join_the_rows_of_ct_rate(phantom_tree: Path, tmp_path: Path) -> None:
    root = rex(tmp_path, train=[entry("valid_1_a_1")], val=[entry("train_2_a_1")])
    for name in ("valid_1_a_1", "train_2_a_1"):
        save(root, name, outlined(phantom_tree, name), np.eye(4))
    bare: list[ManifestRow] = [replace(row, lesions={}) for row in CtRate(phantom_tree).rows()]
    rows = joined(bare, ReXGroundingCt(root, phantom_tree).rows(), root, phantom_tree)
    assert [list(row.lesions) for row in rows] == [[], ["lung_nodule"], [], []]
    volume = CtRate(phantom_tree).load(rows[1])
    assert read_lesions(phantom_tree, rows[1], volume)["lung_nodule"].any()
    own = CtRate(phantom_tree).rows()
    assert joined(own, ReXGroundingCt(root, phantom_tree).rows(), root, phantom_tree)[1].lesions == own[1].lesions


def test_a_partial_mask_does_not_stand_beside_a_whole_one(phantom_tree: Path, tmp_path: Path) -> None:
    root = rex(tmp_path, train=[entry("train_1_a_1")])
    save(root, "train_1_a_1", outlined(phantom_tree, "train_1_a_1"), np.eye(4))
    own = CtRate(phantom_tree).rows()[0]
    grounded = ReXGroundingCt(root, phantom_tree).rows()
    assert joined([own], grounded, root, phantom_tree)[0].lesions == own.lesions
    assert list(joined([replace(own, lesions={})], grounded, root, phantom_tree)[0].lesions) == ["partial:lung_nodule"]


def test_a_mask_that_is_no_file_of_its_kind_is_refused_as_a_mask(phantom_tree: Path, tmp_path: Path) -> None:
    root = rex(tmp_path, val=[entry("train_1_a_1")])
    (root / "segmentations/train_1_a_1.nii.gz").write_bytes(b"not a mask")
    reader = ReXGroundingCt(root, phantom_tree)
    row = reader.rows()[0]
    with pytest.raises(ScanError, match=r"train_1_a_1\.nii\.gz: the header cannot be read: download the mask again"):
        read_lesions(root, row, reader.load(row))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {"train": [{"name": "train_1_a_1.nii.gz", "findings": {}}]},
            "dataset.json: train[0]: 'categories' is missing: download dataset.json again",
        ),
        (
            {"train": [entry("scan_1")]},
            "dataset.json: train[0]: 'scan_1' is not a volume of CT-RATE: names begin with train or valid",
        ),
        ({"val": [], "training": []}, "dataset.json: splits val, training: train, val and test are needed"),
        (
            {"train": [entry("train_77_a_1")]},
            "tree: none of the scans of dataset.json is there: give the root of CT-RATE",
        ),
        ([], "dataset.json: a list where an object is needed"),
    ],
)
def test_what_is_wrong_with_the_file_is_named(phantom_tree: Path, tmp_path: Path, data: Any, message: str) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(data))
    with pytest.raises(DataError) as error:
        ReXGroundingCt(tmp_path, phantom_tree).rows()
    assert str(error.value) == message


def test_a_finding_without_a_category_stops(phantom_tree: Path, tmp_path: Path) -> None:
    root = rex(tmp_path, train=[entry("train_1_a_1", codes={"0": "2d"})])
    save(root, "train_1_a_1", outlined(phantom_tree, "train_1_a_1"), np.eye(4))
    with pytest.raises(DataError, match=r"dataset\.json: train\[0\]: finding 1 has no category"):
        ReXGroundingCt(root, phantom_tree).rows()


def test_the_grounding_file_of_phantoms_is_read_by_the_same_code(phantom_tree: Path) -> None:
    root = phantom_tree / "dataset/grounding"
    rows = ReXGroundingCt(root, phantom_tree).rows()
    assert [(row.case_id, row.split) for row in rows] == [
        ("train_1_a_1", "train"),
        ("train_2_a_1", "train"),
        ("train_3_a_1", "train"),
        ("valid_1_a_1", "valid"),
    ]
    assert all((root / row.volume).is_file() for row in rows)
