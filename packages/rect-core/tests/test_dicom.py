"""DICOM in: which series is read, in which order, where it lies, and what is refused. Every file written here names a
patient, and no message may."""

import importlib.util
import logging
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from einops import rearrange
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    MediaStorageDirectoryStorage,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from rect_core.errors import ScanError
from rect_core.geometry import parse_axes
from rect_core.raw import RawScan
from rect_core.readers.dicom import read_dicom
from rect_core.volume import StoredGrid

IDENTITY = ("Zyxwvut", "Quorra", "PID-987123", "19470131", "Elsewhere", "1.2.826.0.1.3680043.77")
ROOT = "1.2.826.0.1.3680043.77"
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
AXIAL = LPS_TO_RAS @ np.diag([0.8, 0.7, 2.5, 1.0])

Change = Callable[[Dataset, int], None]


def slice_of(k: int, pixels: np.ndarray, affine: np.ndarray, series: int = 4) -> Dataset:
    """Slice k of a grid [column row slice] with this RAS+ affine, as a scanner would write it (unsigned 16 bits)."""
    lps = LPS_TO_RAS @ affine
    row, column = (lps[:3, i] / np.linalg.norm(lps[:3, i]) for i in (0, 1))
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{ROOT}.{series}.{k + 1}"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Zyxwvut^Quorra", "PID-987123", "19470131"
    ds.InstitutionName, ds.SeriesDescription = "Saint Elsewhere Clinic", "Thorax of Quorra Zyxwvut"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2.{series}"
    ds.Modality, ds.PatientAge, ds.SeriesNumber, ds.AcquisitionNumber = "CT", "067Y", series, 1
    ds.ImageType, ds.InstanceNumber = ["ORIGINAL", "PRIMARY", "AXIAL"], 999 - k
    ds.ConvolutionKernel, ds.SliceThickness = "B60f", "2.5"
    ds.ImagePositionPatient = [f"{x:.6f}" for x in lps[:3, 3] + k * lps[:3, 2]]
    ds.ImageOrientationPatient = [f"{x:.9f}" for x in (*row, *column)]
    ds.PixelSpacing = [f"{np.linalg.norm(lps[:3, i]):.6f}" for i in (1, 0)]
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = "1", "-1024", "HU"
    ds.PixelData = pixels.tobytes()
    return ds


def put(ds: Dataset, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    syntax = ds.file_meta.TransferSyntaxUID
    implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
    ds.save_as(path, enforce_file_format=True, implicit_vr=implicit, little_endian=little)


def write(
    folder: Path, stored: np.ndarray, affine: np.ndarray = AXIAL, *, series: int = 4, change: Change | None = None
) -> Path:
    """One file a slice, under names that say nothing about their order."""
    names = np.random.default_rng(series).permutation(stored.shape[2])
    for k, plane in enumerate(rearrange(stored, "column row slice -> slice row column")):
        ds = slice_of(k, np.ascontiguousarray(plane), affine, series)
        if change is not None:
            change(ds, k)
        put(ds, folder / f"IM{series}_{names[k]:03d}.dcm")
    return folder


def chest(slices: int = 12) -> np.ndarray:
    """Stored values 0..4095 on an uneven grid [column row slice]; HU is 1024 less."""
    return np.random.default_rng(7).integers(0, 4096, (20, 16, slices)).astype(np.uint16)


def hu_of(stored: np.ndarray) -> np.ndarray:
    return stored.astype(np.int32) - 1024


def said(raw: RawScan) -> str:
    """All words of a scan that was read; none may name the patient."""
    words = " | ".join([raw.name, raw.case_id, *(check.message for check in raw.checks)])
    assert not [name for name in IDENTITY if name in words]
    return words


def refusal(path: Path) -> ScanError:
    """The error of a scan that must be refused: one line, without the patient and without the path."""
    with pytest.raises(ScanError) as caught:
        read_dicom(path)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path.parent) not in text
    assert not [name for name in IDENTITY if name in text]
    return caught.value


def test_a_dicom_copy_of_a_real_ct_is_the_same_scan(tmp_path: Path) -> None:
    import nrrd

    spec = importlib.util.find_spec("slicerio")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    hu, header = nrrd.read(str(Path(spec.submodule_search_locations[0]) / "data" / "CTChest4.nrrd"))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = header["space directions"].T, header["space origin"]
    affine = LPS_TO_RAS @ affine

    raw = read_dicom(write(tmp_path / "deep" / "study", (hu + 1024).astype(np.int16), affine).parent)

    theirs, ours = StoredGrid(shape=hu.shape, affine=affine), StoredGrid(shape=raw.array.shape, affine=raw.affine)
    assert np.array_equal(ours.to_house(raw.array), theirs.to_house(hu))
    assert np.abs(ours.house_affine - theirs.house_affine).max() < 1e-3
    assert raw.array.dtype == np.int16
    assert (raw.format, raw.rescaled, raw.age_years, raw.case_id) == ("dicom", True, 67.0, "deep")
    assert [check.name for check in raw.checks] == ["modality", "series", "slices"]
    assert "34 slices 10.00 mm apart" in said(raw)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LAI", "RPI", "LSA", "PIR", "ASL"])
@pytest.mark.parametrize("degrees", [0.0, 9.0])
def test_position_and_orientation_decide_where_voxels_lie(tmp_path: Path, axes: str, degrees: float) -> None:
    """Supine and prone, head first and feet first, stacked upward and downward, coronal and sagittal, oblique."""
    affine = np.eye(4)
    for column, (world, sign) in enumerate(parse_axes(axes)):
        affine[:3, column] = np.eye(3)[world] * sign * (0.8, 0.7, 2.5)[column]
    angle = np.radians(degrees)
    turned = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3], affine[:3, 3] = turned @ affine[:3, :3], (12.5, -80.25, 410.0)
    stored = chest()
    raw = read_dicom(write(tmp_path / "s", stored, affine))
    theirs, ours = StoredGrid(shape=stored.shape, affine=affine), StoredGrid(shape=raw.array.shape, affine=raw.affine)
    assert np.array_equal(ours.to_house(raw.array), theirs.to_house(hu_of(stored)))
    assert np.abs(ours.house_affine - theirs.house_affine).max() < 1e-4


@pytest.mark.parametrize("degrees", [-18.0, 18.0])
def test_gantry_tilt_stays_in_the_affine(tmp_path: Path, degrees: float) -> None:
    from rect_core.tilt import shear_degrees

    affine = AXIAL.copy()
    affine[1, 2] = 2.5 * np.tan(np.radians(degrees))
    raw = read_dicom(write(tmp_path / "s", chest(), affine))
    assert shear_degrees(raw.affine) == pytest.approx(18.0, abs=0.01)
    assert np.abs(raw.affine - affine).max() < 1e-4


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_no_tilt(tmp_path: Path) -> None:
    from rect_core.tilt import shear_degrees

    affine = AXIAL.copy()
    affine[:3, 2], affine[:3, 3] = (0.0, 0.0, 0.625), (3.33, -7.77, 1.11)

    def rounded(ds: Dataset, k: int) -> None:
        ds.ImagePositionPatient = [f"{x:.1f}" for x in ds.ImagePositionPatient]

    raw = read_dicom(write(tmp_path / "s", chest(40), affine, change=rounded))
    assert shear_degrees(raw.affine) < 0.2


def gdcm_compressed(path: Path, kind: str) -> None:
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, kind)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize("bits", ["u12", "u16", "i12", "i16"])
@pytest.mark.parametrize(
    "kind", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless"]
)
def test_compressed_slices_read_as_the_ones_they_were_made_from(tmp_path: Path, kind: str, bits: str) -> None:
    stored = chest(4) if bits[0] == "u" else (chest(4).astype(np.int16) - 2048)

    def declared(ds: Dataset, k: int) -> None:
        ds.BitsStored = int(bits[1:])
        ds.HighBit = ds.BitsStored - 1

    folder = write(tmp_path / "s", stored, change=declared)
    for path in folder.iterdir():
        gdcm_compressed(path, kind)
    assert dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(read_dicom(folder).array, hu_of(stored))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_read_the_same(tmp_path: Path, syntax: str) -> None:
    stored = chest(4)

    def encoded(ds: Dataset, k: int) -> None:
        ds.file_meta.TransferSyntaxUID = syntax
        ds.PixelPaddingValue = 63536
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, np.uint16).byteswap().tobytes()
            ds["PixelData"].VR = "OW"

    assert np.array_equal(read_dicom(write(tmp_path / "s", stored, change=encoded)).array, hu_of(stored))


def test_old_files_without_a_preamble_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", chest())
    for path in folder.iterdir():
        ds = dcmread(path)
        path.unlink()
        del ds.file_meta
        ds.save_as(path.with_suffix(""), implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert np.array_equal(read_dicom(folder).array, hu_of(chest()))


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    def whole(ds: Dataset, k: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = 1 + k % 2, -1000 - k

    def broken(ds: Dataset, k: int) -> None:
        ds.RescaleSlope, ds.RescaleIntercept = f"0.{k + 5}", "-1000.5"

    stored, k = chest(4), np.arange(4)
    raw = read_dicom(write(tmp_path / "whole", stored, change=whole))
    assert raw.array.dtype == np.int16
    assert np.array_equal(raw.array, stored.astype(int) * (1 + k % 2) - 1000 - k)
    raw = read_dicom(write(tmp_path / "broken", stored, change=broken))
    assert raw.array.dtype == np.float32
    assert np.allclose(raw.array, stored * (0.5 + 0.1 * k) - 1000.5, atol=1e-3)


def test_values_beyond_int16_become_float_and_do_not_wrap(tmp_path: Path) -> None:
    stored = chest(4)
    stored[3, 3, 3] = 60000
    raw = read_dicom(write(tmp_path / "s", stored))
    assert raw.array.dtype == np.float32
    assert np.array_equal(raw.array, hu_of(stored))


@pytest.mark.parametrize("bits", [12, 16])
def test_padding_written_as_a_negative_number_in_unsigned_pixels_becomes_air(tmp_path: Path, bits: int) -> None:
    stored = chest(4)
    stored[:2] = 63536  # -2000 in 16 bits

    def padded(ds: Dataset, k: int) -> None:
        ds.PixelPaddingValue, ds.BitsStored, ds.HighBit = 63536, bits, bits - 1

    raw = read_dicom(write(tmp_path / "s", stored, change=padded))
    assert (raw.array[:2] == -1024).all()
    assert np.array_equal(raw.array[2:], hu_of(stored)[2:])


def test_unused_bits_are_sign_zeros_or_an_overlay(tmp_path: Path) -> None:
    signed = chest(4).astype(np.int16) - 2048

    def twelve(ds: Dataset, k: int) -> None:
        ds.BitsStored, ds.HighBit = 12, 11

    def overlaid(ds: Dataset, k: int) -> None:
        twelve(ds, k)
        ds.add_new(0x60000100, "US", 16)

    assert np.array_equal(read_dicom(write(tmp_path / "sign", signed, change=twelve)).array, hu_of(signed))
    assert np.array_equal(read_dicom(write(tmp_path / "zero", signed & 0xFFF, change=twelve)).array, hu_of(signed))
    assert np.array_equal(
        read_dicom(write(tmp_path / "over", chest(4) | 0x8000, change=overlaid)).array, hu_of(chest(4))
    )


def test_the_series_with_most_axial_ct_slices_is_read_and_the_others_are_told(tmp_path: Path) -> None:
    study = tmp_path / "study"
    write(study / "thick", chest(5), series=2)
    write(study / "thin", chest(12), series=7)
    coronal = AXIAL[:, [0, 2, 1, 3]]
    write(study, chest(14), coronal, series=9)

    def typed(*kind: str) -> Change:
        return lambda ds, k: setattr(ds, "ImageType", list(kind))

    def scout_in_the_series(ds: Dataset, k: int) -> None:
        ds.SeriesInstanceUID, ds.SeriesNumber = f"{ROOT}.2.7", 7

    write(study, chest(6), series=11, change=typed("DERIVED", "SECONDARY", "MPR"))
    write(study, chest(2), series=1, change=typed("ORIGINAL", "PRIMARY", "LOCALIZER"))
    write(study, chest(1), coronal, series=12, change=scout_in_the_series)
    write(study, chest(3), series=13, change=lambda ds, k: setattr(ds, "Modality", "PT"))
    write(study, chest(3), series=14, change=lambda ds, k: setattr(ds, "SOPClassUID", SecondaryCaptureImageStorage))
    raw = read_dicom(study)
    assert np.array_equal(raw.array, hu_of(chest(12)))
    words = said(raw)
    assert "series 7, 12 axial slices of 2.5 mm, kernel B60f; not used: " in words
    for other in ("series 2, 5 axial slices", "series 9, 14 coronal slices", "series 7, 1 coronal slice "):
        assert other in words
    assert "series 1, 2 images (localizer)" in words
    assert "series 11, 6 images (derived)" in words
    assert "and 1 more" in words


def test_phases_under_one_series_uid_are_told_apart_by_acquisition(tmp_path: Path) -> None:
    def second_phase(ds: Dataset, k: int) -> None:
        ds.SeriesInstanceUID, ds.SeriesNumber, ds.AcquisitionNumber = f"{ROOT}.2.4", 4, 2

    write(tmp_path / "s", chest(12))
    write(tmp_path / "s", chest(10) // 2, series=5, change=second_phase)
    raw = read_dicom(tmp_path / "s")
    assert np.array_equal(raw.array, hu_of(chest(12)))
    assert "not used: series 4, 10 axial slices" in said(raw)


def test_step_and_shoot_numbers_its_steps_and_stays_one_series(tmp_path: Path) -> None:
    raw = read_dicom(write(tmp_path / "s", chest(), change=lambda ds, k: setattr(ds, "AcquisitionNumber", k // 4)))
    assert raw.array.shape[2] == 12


def test_identical_copies_are_left_out_with_a_note(tmp_path: Path) -> None:
    write(tmp_path / "s" / "a", chest())
    write(tmp_path / "s" / "b", chest())
    raw = read_dicom(tmp_path / "s")
    assert np.array_equal(raw.array, hu_of(chest()))
    assert raw.checks[-1].status == "warn"
    assert "12 identical copies" in said(raw)


def test_only_the_series_that_is_read_must_be_whole(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", chest())
    scout = next(write(tmp_path / "s" / "scout", chest(1), series=1).iterdir())
    scout.write_bytes(scout.read_bytes()[:-300])
    assert read_dicom(folder).array.shape == (20, 16, 12)


def test_files_that_are_no_slices_are_passed_over(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", chest())
    (folder / "report.txt").write_text("Zyxwvut")
    (folder / "empty").touch()
    (folder / "._IM4_001.dcm").write_bytes(b"\0\5\x16\7" + bytes(200))
    (folder / "DICOMDIR").write_bytes(b"not even a directory")
    directory = slice_of(0, chest()[:, :, 0].T, AXIAL)
    directory.file_meta.MediaStorageSOPClassUID = directory.SOPClassUID = MediaStorageDirectoryStorage
    put(directory, folder / "content")
    assert read_dicom(folder).array.shape == (20, 16, 12)


def enhanced(path: Path, stored: np.ndarray) -> Dataset:
    """The same slices as one multi-frame file, frames in no order; orientation and spacing shared."""
    order = np.random.default_rng(1).permutation(stored.shape[2])
    ds = slice_of(0, np.ascontiguousarray(stored[:, :, 0].T), AXIAL)
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = EnhancedCTImageStorage

    def group(name: str, *moved: str, of: Dataset) -> Dataset:
        outer, inner = Dataset(), Dataset()
        for keyword in moved:
            setattr(inner, keyword, of[keyword].value)
        setattr(outer, name, Sequence([inner]))
        return outer

    shared, frames = Dataset(), []
    for name, moved in (
        ("PlaneOrientationSequence", ("ImageOrientationPatient",)),
        ("PixelMeasuresSequence", ("PixelSpacing", "SliceThickness")),
    ):
        shared.update(group(name, *moved, of=ds))
    for k in order:
        own = slice_of(int(k), np.zeros((1, 1), np.uint16), AXIAL)
        frame = group("PlanePositionSequence", "ImagePositionPatient", of=own)
        rescale = ("RescaleSlope", "RescaleIntercept", "RescaleType")
        frame.update(group("PixelValueTransformationSequence", *rescale, of=own))
        frames.append(frame)
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(frames)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"):
        delattr(ds, keyword)
    ds.NumberOfFrames = len(order)
    ds.PixelData = np.ascontiguousarray(rearrange(stored[:, :, order], "c r k -> k r c")).tobytes()
    put(ds, path)
    return ds


def test_an_enhanced_multi_frame_ct_reads_like_its_single_slices(tmp_path: Path) -> None:
    enhanced(tmp_path / "multi" / "file", chest())
    multi, single = read_dicom(tmp_path / "multi"), read_dicom(write(tmp_path / "single", chest()))
    assert np.array_equal(multi.array, single.array)
    assert np.allclose(multi.affine, single.affine)
    assert "12 axial slices of 2.5 mm" in said(multi)


def test_frames_without_positions_are_refused(tmp_path: Path) -> None:
    ds = enhanced(tmp_path / "multi" / "file", chest())
    del ds.PerFrameFunctionalGroupsSequence
    put(ds, tmp_path / "multi" / "file")
    assert "12 frames but positions for 0" in str(refusal(tmp_path / "multi"))


@pytest.mark.parametrize(
    ("stated", "years"),
    [("036Y", 36.0), ("008M", 8 / 12), ("012W", 0.23), ("003D", 0.008), ("", None), ("Quorra", None)],
)
def test_age_is_read_in_every_unit(tmp_path: Path, stated: str, years: float | None) -> None:
    def aged(ds: Dataset, k: int) -> None:
        ds["PatientAge"]._value = stated

    found = read_dicom(write(tmp_path / "s", chest(2), change=aged)).age_years
    assert found == (None if years is None else pytest.approx(years, abs=0.001))


def test_an_unspecified_rescale_type_leaves_hu_open(tmp_path: Path) -> None:
    raw = read_dicom(write(tmp_path / "s", chest(2), change=lambda ds, k: setattr(ds, "RescaleType", "US")))
    assert raw.rescaled is None


def test_odd_headers_are_neither_logged_nor_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def odd(ds: Dataset, k: int) -> None:
        ds["PatientBirthDate"]._value = "Zyxwvut was born"
        ds["ConvolutionKernel"]._value = "as for Quorra Zyxwvut, B60"
        ds["SeriesNumber"]._value = "4"
        ds.SpecificCharacterSet = "ISO_IR 100"

    said(read_dicom(write(tmp_path / "s", chest(), change=odd)))
    path = next((tmp_path / "s").iterdir())
    path.write_bytes(path.read_bytes()[:700])
    refusal(tmp_path / "s")
    assert not caplog.records
    assert not logging.getLogger("pydicom").disabled


def zipped(folder: Path, path: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path("export") / file.relative_to(folder))
    return path


def test_a_zip_reads_like_its_folder_and_nothing_is_unpacked(tmp_path: Path) -> None:
    folder = write(tmp_path / "s", chest())
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
    tmp_path: Path, spoil: Callable[[zipfile.ZipFile], None], fragment: str
) -> None:
    with zipfile.ZipFile(tmp_path / "case.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        spoil(archive)
    assert fragment in str(refusal(tmp_path / "case.zip"))


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "s", chest())
    path = zipped(folder, tmp_path / "case.zip")
    monkeypatch.setattr("rect_core.readers.dicom_files.MAX_FILES", 11)
    assert "holds 12 files, more than 11" in str(refusal(path))
    assert "holds more than 11 files" in str(refusal(folder))


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_zip_cut_off_or_damaged_is_refused(tmp_path: Path, cut: float) -> None:
    path = zipped(write(tmp_path / "s", chest()), tmp_path / "case.zip")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * cut)])
    assert "not a readable zip" in str(refusal(path))
    path.write_bytes(data[:2000] + bytes(3000) + data[5000:])
    assert refusal(path).check == "file"


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
def test_a_series_with_a_wrong_header_is_refused(tmp_path: Path, case: str) -> None:
    change, check, fragment = HEADERS[case]
    error = refusal(write(tmp_path / "case", chest(), change=change))
    assert fragment in str(error)
    assert error.check == check


def nth(folder: Path, k: int) -> Path:
    return next(p for p in folder.iterdir() if dcmread(p).SOPInstanceUID.endswith(f".{k + 1}"))


def deleted(*slices: int) -> Callable[[Path], None]:
    return lambda folder: [nth(folder, k).unlink() for k in slices] and None


def cut(keep: float) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = nth(folder, 5)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * keep)])

    return spoil


def changed_copy(folder: Path) -> None:
    """A second copy of a slice under the same instance UID, with one pixel changed."""
    ds = dcmread(nth(folder, 3))
    ds.PixelData = b"\1\1" + ds.PixelData[2:]
    put(ds, folder / "copy.dcm")


def doubled(folder: Path) -> None:
    ds = dcmread(nth(folder, 3))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{ROOT}.9.9"
    put(ds, folder / "another.dcm")


def broken_codestream(folder: Path) -> None:
    path = nth(folder, 5)
    gdcm_compressed(path, "JPEGLSLossless")
    path.write_bytes(path.read_bytes()[:-200] + bytes(200))


def inflating(folder: Path) -> None:
    """A deflated data set of 100 kB that unpacks to 100 MB."""
    path = nth(folder, 5)
    ds = dcmread(path)
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    put(ds, path)
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path.write_bytes(data[:start] + squeeze.compress(bytes(100 << 20)) + squeeze.flush())


def emptied(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def only_notes(folder: Path) -> None:
    emptied(folder)
    (folder / "readme.txt").write_text("Quorra")


FILES: dict[str, tuple[Callable[[Path], None], str, str]] = {
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
def test_a_folder_with_missing_doubled_or_broken_files_is_refused(tmp_path: Path, case: str) -> None:
    spoil, check, fragment = FILES[case]
    folder = write(tmp_path / "case", chest())
    spoil(folder)
    error = refusal(folder)
    assert fragment in str(error)
    assert error.check == check
    assert check != "file" or str(error).startswith(("IM4_", "case"))


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "no such file" in str(refusal(tmp_path / "nothing.zip"))


def test_without_pydicom_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path / "s", chest(2))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert "pip install 'rect-core[dicom]'" in str(refusal(folder))
