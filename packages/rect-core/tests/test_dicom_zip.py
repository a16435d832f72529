"""A zip of DICOM slices reads like its folder; one that tries something is refused unopened."""

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rect_core.readers.dicom import read_dicom


def zipped(folder: Path, path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path("export") / file.relative_to(folder))
    return path


def test_a_zip_reads_like_its_folder_and_nothing_is_unpacked(dicom: Any, tmp_path: Path) -> None:
    folder = dicom.write(tmp_path / "s", dicom.chest())
    path = zipped(folder, tmp_path / "a.b.zip")
    before = sorted(tmp_path.rglob("*"))
    raw = read_dicom(path)
    assert np.array_equal(raw.array, read_dicom(folder).array)
    assert (raw.name, raw.case_id) == ("a.b.zip", "a.b")
    assert sorted(tmp_path.rglob("*")) == before


def link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("IM1.dcm")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


def locked(archive: zipfile.ZipFile) -> None:
    archive.writestr("IM1.dcm", b"x")
    archive.filelist[0].flag_bits |= 1


def large(archive: zipfile.ZipFile) -> None:
    """A member that declares 20 GiB: nothing need be there for it to be refused."""
    archive.writestr("IM1.dcm", b"x")
    archive.filelist[0].file_size, archive.filelist[0].compress_size = 20 << 30, 10 << 30


@pytest.mark.parametrize(
    ("spoil", "fragment"),
    [
        (lambda z: z.writestr("../../etc/cron.d/x", b"x"), "leads outside"),
        (lambda z: z.writestr("/etc/cron.d/x", b"x"), "leads outside"),
        (lambda z: z.writestr("a\\..\\..\\x", b"x"), "leads outside"),
        (lambda z: z.writestr("C:/Windows/x", b"x"), "leads outside"),
        (link, "symbolic link"),
        (locked, "encrypted"),
        (lambda z: z.writestr("IM1.dcm", bytes(100 << 20)), "bomb"),
        (lambda z: [z.writestr(f"{i}", bytes(30 << 20)) for i in range(3)], "bomb"),
        (large, "20 GiB, more than 16"),
        (lambda z: None, "empty"),
        (lambda z: z.writestr("notes.txt", b"x"), "no DICOM"),
    ],
)
def test_zips_that_try_something_are_refused(
    dicom: Any, tmp_path: Path, spoil: Callable[[zipfile.ZipFile], None], fragment: str
) -> None:
    with zipfile.ZipFile(tmp_path / "case.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        spoil(archive)
    assert fragment in str(dicom.refusal(tmp_path / "case.zip"))


def test_too_many_files_are_refused(dicom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dicom.write(tmp_path / "s", dicom.chest())
    path = zipped(folder, tmp_path / "case.zip")
    monkeypatch.setattr("rect_core.readers.dicom_files.MAX_FILES", 11)
    assert "holds 12 files, more than 11" in str(dicom.refusal(path))
    assert "holds more than 11 files" in str(dicom.refusal(folder))


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_zip_cut_off_or_damaged_is_refused(dicom: Any, tmp_path: Path, cut: float) -> None:
    path = zipped(dicom.write(tmp_path / "s", dicom.chest()), tmp_path / "case.zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    assert "not a readable zip" in str(dicom.refusal(path))
    path.write_bytes(data[:2000] + bytes(3000) + data[5000:])
    assert dicom.refusal(path).check == "file"
