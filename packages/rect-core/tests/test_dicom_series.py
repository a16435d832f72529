"""Which DICOM files of a folder are the scan, and which are passed over."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import MediaStorageDirectoryStorage, SecondaryCaptureImageStorage

from rect_core.readers.dicom import read_dicom

Change = Callable[[Dataset, int], None]


def test_the_series_with_most_axial_ct_slices_is_read_and_the_others_are_told(dicom: Any, tmp_path: Path) -> None:
    study = tmp_path / "study"
    dicom.write(study / "thick", dicom.chest(5), series=2)
    dicom.write(study / "thin", dicom.chest(12), series=7)
    coronal = dicom.AXIAL[:, [0, 2, 1, 3]]
    dicom.write(study, dicom.chest(14), coronal, series=9)

    def typed(*kind: str) -> Change:
        return lambda ds, k: setattr(ds, "ImageType", list(kind))

    def scout_in_the_series(ds: Dataset, k: int) -> None:
        ds.SeriesInstanceUID, ds.SeriesNumber = f"{dicom.ROOT}.2.7", 7

    dicom.write(study, dicom.chest(6), series=11, change=typed("DERIVED", "SECONDARY", "MPR"))
    dicom.write(study, dicom.chest(2), series=1, change=typed("ORIGINAL", "PRIMARY", "LOCALIZER"))
    dicom.write(study, dicom.chest(1), coronal, series=12, change=scout_in_the_series)
    dicom.write(study, dicom.chest(3), series=13, change=lambda ds, k: setattr(ds, "Modality", "PT"))
    dicom.write(
        study, dicom.chest(3), series=14, change=lambda ds, k: setattr(ds, "SOPClassUID", SecondaryCaptureImageStorage)
    )
    raw = read_dicom(study)
    assert np.array_equal(raw.array, dicom.hu_of(dicom.chest(12)))
    words = dicom.said(raw)
    assert "series 7, 12 axial slices of 2.5 mm, kernel B60f; not used: " in words
    for other in ("series 2, 5 axial slices", "series 9, 14 coronal slices", "series 7, 1 coronal slice "):
        assert other in words
    assert "series 1, 2 images (localizer)" in words
    assert "series 11, 6 images (derived)" in words
    assert "and 1 more" in words


def test_phases_under_one_series_uid_are_told_apart_by_acquisition(dicom: Any, tmp_path: Path) -> None:
    def second_phase(ds: Dataset, k: int) -> None:
        ds.SeriesInstanceUID, ds.SeriesNumber, ds.AcquisitionNumber = f"{dicom.ROOT}.2.4", 4, 2

    dicom.write(tmp_path / "s", dicom.chest(12))
    dicom.write(tmp_path / "s", dicom.chest(10) // 2, series=5, change=second_phase)
    raw = read_dicom(tmp_path / "s")
    assert np.array_equal(raw.array, dicom.hu_of(dicom.chest(12)))
    assert "not used: series 4, 10 axial slices" in dicom.said(raw)


def test_step_and_shoot_numbers_its_steps_and_stays_one_series(dicom: Any, tmp_path: Path) -> None:
    raw = read_dicom(
        dicom.write(tmp_path / "s", dicom.chest(), change=lambda ds, k: setattr(ds, "AcquisitionNumber", k // 4))
    )
    assert raw.array.shape[2] == 12


def test_identical_copies_are_left_out_with_a_note(dicom: Any, tmp_path: Path) -> None:
    dicom.write(tmp_path / "s" / "a", dicom.chest())
    dicom.write(tmp_path / "s" / "b", dicom.chest())
    raw = read_dicom(tmp_path / "s")
    assert np.array_equal(raw.array, dicom.hu_of(dicom.chest()))
    assert raw.checks[-1].status == "warn"
    assert "12 identical copies" in dicom.said(raw)


def test_only_the_series_that_is_read_must_be_whole(dicom: Any, tmp_path: Path) -> None:
    folder = dicom.write(tmp_path / "s", dicom.chest())
    scout = next(dicom.write(tmp_path / "s" / "scout", dicom.chest(1), series=1).iterdir())
    scout.write_bytes(scout.read_bytes()[:-300])
    assert read_dicom(folder).array.shape == (20, 16, 12)


def test_files_that_are_no_slices_are_passed_over(dicom: Any, tmp_path: Path) -> None:
    folder = dicom.write(tmp_path / "s", dicom.chest())
    (folder / "report.txt").write_text("Zyxwvut")
    (folder / "empty").touch()
    (folder / "._IM4_001.dcm").write_bytes(b"\0\5\x16\7" + bytes(200))
    (folder / "DICOMDIR").write_bytes(b"not even a directory")
    directory = dicom.slice_of(0, dicom.chest()[:, :, 0].T, dicom.AXIAL)
    directory.file_meta.MediaStorageSOPClassUID = directory.SOPClassUID = MediaStorageDirectoryStorage
    dicom.put(directory, folder / "content")
    assert read_dicom(folder).array.shape == (20, 16, 12)
