"""What no DICOM series may be: wrong headers, missing, doubled and broken slices, each refused in one line."""

import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEGLosslessSV1,
    RLELossless,
    SecondaryCaptureImageStorage,
)

Change = Callable[[Dataset, int], None]


Spoil = Callable[[Any, Path], None]


ROOT = "1.2.826.0.1.3680043.77"


def tags(at: int | None = None, **values: Any) -> Change:
    """Sets tags of slice `at`, or of all; None deletes a tag."""

    def change(ds: Dataset, k: int) -> None:
        for keyword, value in values.items():
            if at in (None, k):
                delattr(ds, keyword) if value is None else setattr(ds, keyword, value)

    return change


def moved(at: int, **by_mm: float) -> Change:
    def change(ds: Dataset, k: int) -> None:
        if k == at:
            x, y, z = (float(v) for v in ds.ImagePositionPatient)
            ds.ImagePositionPatient = [f"{v:.3f}" for v in (x + by_mm.get("x", 0.0), y, z + by_mm.get("z", 0.0))]

    return change


def coloured(ds: Dataset, k: int) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.PixelData = ds.PixelData * 3


def in_free_text(ds: Dataset, k: int) -> None:
    ds["Modality"]._value = "Quorra Zyxwvut"


def claimed(syntax: str, **values: Any) -> Change:
    """Compressed pixels under the name of another compression."""

    def change(ds: Dataset, k: int) -> None:
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.file_meta.TransferSyntaxUID = syntax
        tags(**values)(ds, k)

    return change


HEADERS: dict[str, tuple[Change, str, str]] = {
    "MR": (tags(Modality="MR"), "modality", "modality MR instead of CT"),
    "modality in free text": (in_free_text, "modality", "modality unknown"),
    "localizers": (tags(ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]), "series", "12 images (localizer)"),
    "derived": (tags(ImageType=["DERIVED", "SECONDARY", "AXIAL"]), "series", "12 images (derived)"),
    "colour": (coloured, "series", "12 images (RGB)"),
    "inverted": (tags(PhotometricInterpretation="MONOCHROME1"), "series", "MONOCHROME1"),
    "screenshots": (tags(SOPClassUID=SecondaryCaptureImageStorage), "series", "12 images (derived)"),
    "two studies": (tags(0, StudyInstanceUID=f"{ROOT}.7", SeriesInstanceUID=f"{ROOT}.8"), "series", "2 studies"),
    "shifted along": (moved(5, z=0.6), "slices", "irregular slice spacing"),
    "shifted sideways": (moved(5, x=4.0), "slices", "irregular slice spacing"),
    "turned": (
        tags(4, ImageOrientationPatient=[1, 0, 0, 0, "0.9962", "0.0872"]),
        "orientation",
        "conflicting slice orientations",
    ),
    "other pixel size": (tags(4, PixelSpacing=["0.9", "0.9"]), "dimensions", "conflicting pixel spacings"),
    "other image size": (tags(4, Rows=8), "dimensions", "conflicting image sizes"),
    "no position": (tags(ImagePositionPatient=None), "orientation", "no usable ImagePositionPatient (nor 11 more"),
    "one without position": (tags(7, ImagePositionPatient=None), "orientation", "no usable ImagePositionPatient"),
    "no orientation": (tags(7, ImageOrientationPatient=None), "orientation", "no usable ImageOrientationPatient"),
    "zero orientation": (tags(ImageOrientationPatient=[0] * 6), "orientation", "no usable ImageOrientationPatient"),
    "no pixel size": (tags(PixelSpacing=None), "dimensions", "no usable PixelSpacing"),
    "zero pixel size": (tags(PixelSpacing=[0, 0]), "dimensions", "no usable PixelSpacing"),
    "no rescale": (tags(RescaleSlope=None, RescaleIntercept=None), "hounsfield", "12 of 12 slices without Rescale"),
    "zero slope": (tags(3, RescaleSlope="0"), "hounsfield", "without RescaleSlope"),
    "other unit": (tags(RescaleType="MGML"), "hounsfield", "rescale to MGML, not HU"),
    "more bits than declared": (tags(BitsStored=8, HighBit=7), "format", "more than the 8 bits declared"),
    "impossible bits": (tags(BitsStored=12, HighBit=3), "format", "HighBit 3 with 12 of 16 bits"),
    "no decoder": (claimed(HTJ2KLossless), "format", "pip install 'rect-core[dicom]'"),
    "wrong compression": (claimed(JPEGLosslessSV1), "file", "cannot be decoded as JPEG Lossless"),
    "beyond the memory": (claimed(RLELossless, Rows=65535, Columns=65535), "file", "of memory is free"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_series_with_a_wrong_header_is_refused(dicom: Any, tmp_path: Path, case: str) -> None:
    change, check, fragment = HEADERS[case]
    error = dicom.refusal(dicom.write(tmp_path / "case", dicom.chest(), change=change))
    assert fragment in str(error)
    assert error.check == check


def nth(folder: Path, k: int) -> Path:
    return next(p for p in folder.iterdir() if dcmread(p).SOPInstanceUID.endswith(f".{k + 1}"))


def deleted(*slices: int) -> Spoil:
    return lambda dicom, folder: [nth(folder, k).unlink() for k in slices] and None


def cut(keep: float) -> Spoil:
    def spoil(dicom: Any, folder: Path) -> None:
        path = nth(folder, 5)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])

    return spoil


def changed_copy(dicom: Any, folder: Path) -> None:
    """A second copy of a slice under the same instance UID, with one pixel changed."""
    ds = dcmread(nth(folder, 3))
    ds.PixelData = b"\1\1" + ds.PixelData[2:]
    dicom.put(ds, folder / "copy.dcm")


def doubled(dicom: Any, folder: Path) -> None:
    ds = dcmread(nth(folder, 3))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{ROOT}.9.9"
    dicom.put(ds, folder / "another.dcm")


def broken_codestream(dicom: Any, folder: Path) -> None:
    path = nth(folder, 5)
    dicom.compress(path, "JPEGLSLossless")
    path.write_bytes(path.read_bytes()[:-200] + bytes(200))


def inflating(dicom: Any, folder: Path) -> None:
    """A deflated data set of 100 kB that unpacks to 100 MB."""
    path = nth(folder, 5)
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    dicom.put(ds, path)
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + squeeze.compress(bytes(100 << 20)) + squeeze.flush())


def emptied(dicom: Any, folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def only_notes(dicom: Any, folder: Path) -> None:
    emptied(dicom, folder)
    (folder / "readme.txt").write_text("Quorra")


FILES: dict[str, tuple[Spoil, str, str]] = {
    "no file": (emptied, "file", "case: empty"),
    "no DICOM": (only_notes, "format", "case: no DICOM images"),
    "a slice missing": (
        deleted(5),
        "slices",
        "1 slice missing between 10.0 and 15.0 mm (the others are 2.50 mm apart)",
    ),
    "more missing": (deleted(2, 3, 7), "slices", "2 slices missing between 2.5 and 10.0 mm"),
    "one place twice": (doubled, "slices", "1 duplicated slice positions, the first at 7.5 mm"),
    "a copy that differs": (changed_copy, "slices", "duplicated slice positions"),
    "pixels cut off": (cut(0.8), "file", "truncated or unreadable"),
    "header cut off": (cut(0.35), "file", "truncated or unreadable"),
    "nothing but a name": (cut(0.0), "file", "truncated or unreadable"),
    "broken codestream": (broken_codestream, "file", "cannot be decoded as JPEG-LS"),
    "deflate bomb": (inflating, "file", "looks like a bomb"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_folder_with_missing_doubled_or_broken_files_is_refused(dicom: Any, tmp_path: Path, case: str) -> None:
    spoil, check, fragment = FILES[case]
    folder = dicom.write(tmp_path / "case", dicom.chest())
    spoil(dicom, folder)
    error = dicom.refusal(folder)
    assert fragment in str(error)
    assert error.check == check
    assert check != "file" or str(error).startswith(("IM4_", "case"))


def test_frames_without_positions_are_refused(dicom: Any, tmp_path: Path) -> None:
    ds = dicom.enhanced(tmp_path / "multi" / "file", dicom.chest())
    del ds.PerFrameFunctionalGroupsSequence
    dicom.put(ds, tmp_path / "multi" / "file")
    assert "12 frames but positions for 0" in str(dicom.refusal(tmp_path / "multi"))


def test_a_path_that_is_not_there_is_refused(dicom: Any, tmp_path: Path) -> None:
    assert "no such file" in str(dicom.refusal(tmp_path / "nothing.zip"))


def test_without_pydicom_the_extra_is_named(dicom: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = dicom.write(tmp_path / "s", dicom.chest(2))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert "pip install 'rect-core[dicom]'" in str(dicom.refusal(folder))
