"""A hospital's own folders: what would quietly lose a mask or a patient stops instead."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_data.readers import FolderCt

HEADER = ",".join(["VolumeName", *LABELS])


def scan(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((6, 5, 4), np.int16), np.diag([0.8, 0.7, 2.5, 1.0])), path)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in ("ann", "bob"):
        scan(tmp_path / "images" / f"{name}.nii.gz")
    return tmp_path / "images"


def test_masks_of_every_volume_format_are_found(images: Path, tmp_path: Path) -> None:
    for name in ("ann_lung_nodule.nrrd", "bob_consolidation.mha"):
        (tmp_path / "masks").mkdir(exist_ok=True)
        (tmp_path / "masks" / name).write_bytes(b"read later")
    ann, bob = FolderCt(images, masks=tmp_path / "masks").rows()
    assert (ann.lesions, bob.lesions) == (
        {"lung_nodule": "../masks/ann_lung_nodule.nrrd"},
        {"consolidation": "../masks/bob_consolidation.mha"},
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ann.nii.gz", "ann_lung_nodule.nii.gz"], "ann_lung_nodule.nii.gz is a second mask of lung_nodule of 'ann'"),
        (["ann/lung_nodule.nii.gz", "ann_lung_nodule.nii"], "is a second mask of lung_nodule of 'ann': keep one"),
        (["ann/lung_nodles.nii.gz"], "masks/ann: no mask of pericardial_effusion, "),
        (["readme.txt"], "masks: no mask in it: masks are folders and files .nii.gz, "),
    ],
)
def test_masks_that_are_there_twice_or_not_at_all_stop(
    images: Path, tmp_path: Path, names: list[str], message: str
) -> None:
    for name in names:
        if name.endswith(".txt"):
            (tmp_path / "masks").mkdir()
            (tmp_path / "masks" / name).write_text("x")
        else:
            scan(tmp_path / "masks" / name)
    with pytest.raises(DataError) as error:
        FolderCt(images, masks=tmp_path / "masks").rows()
    assert message in str(error.value)


def test_two_region_maps_of_one_scan_stop(images: Path, tmp_path: Path) -> None:
    scan(tmp_path / "maps" / "ann.nii.gz")
    scan(tmp_path / "maps" / "ann" / "heart.nii.gz")
    with pytest.raises(DataError, match=r"maps: ann and ann\.nii\.gz are both of 'ann': keep one"):
        FolderCt(images, regions=tmp_path / "maps").rows()


def test_an_empty_cell_makes_no_patient_of_its_own(images: Path, tmp_path: Path) -> None:
    zeros = ",".join(["0"] * 18)
    (tmp_path / "labels.csv").write_text(f"{HEADER},patient\nann,{zeros},7\n\nbob,{zeros}, \n")
    with pytest.raises(DataError) as error:
        FolderCt(images, tmp_path / "labels.csv").rows()
    assert str(error.value) == "labels.csv: row 4: patient is empty: name the patient, or remove the column"
