"""DICOM's ways to write pixels: compressions, byte orders, unused bits and padding."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from rect_core.readers.dicom import read_dicom


@pytest.mark.parametrize("bits", ["u12", "u16", "i12", "i16"])
@pytest.mark.parametrize(
    "kind", ["JPEGLosslessProcess14", "JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless"]
)
def test_compressed_slices_read_as_the_ones_they_were_made_from(
    dicom: Any, tmp_path: Path, kind: str, bits: str
) -> None:
    stored = dicom.chest(4) if bits[0] == "u" else (dicom.chest(4).astype(np.int16) - 2048)

    def declared(ds: Dataset, k: int) -> None:
        ds.BitsStored = int(bits[1:])
        ds.HighBit = ds.BitsStored - 1

    folder = dicom.write(tmp_path / "s", stored, change=declared)
    for path in folder.iterdir():
        dicom.compress(path, kind)
    assert dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(read_dicom(folder).array, dicom.hu_of(stored))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_other_encodings_read_the_same(dicom: Any, tmp_path: Path, syntax: str) -> None:
    stored = dicom.chest(4)

    def encoded(ds: Dataset, k: int) -> None:
        ds.file_meta.TransferSyntaxUID = syntax
        ds.PixelPaddingValue = 63536
        if syntax == ExplicitVRBigEndian:
            ds.PixelData = np.frombuffer(ds.PixelData, np.uint16).byteswap().tobytes()
            ds["PixelData"].VR = "OW"

    assert np.array_equal(read_dicom(dicom.write(tmp_path / "s", stored, change=encoded)).array, dicom.hu_of(stored))


def test_old_files_without_a_preamble_are_read(dicom: Any, tmp_path: Path) -> None:
    folder = dicom.write(tmp_path / "s", dicom.chest())
    for path in folder.iterdir():
        ds = dcmread(path)
        path.unlink()
        del ds.file_meta
        ds.save_as(path.with_suffix(""), implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert np.array_equal(read_dicom(folder).array, dicom.hu_of(dicom.chest()))


@pytest.mark.parametrize("bits", [12, 16])
def test_padding_written_as_a_negative_number_in_unsigned_pixels_becomes_air(
    dicom: Any, tmp_path: Path, bits: int
) -> None:
    stored = dicom.chest(4)
    stored[:2] = 63536  # -2000 in 16 bits

    def padded(ds: Dataset, k: int) -> None:
        ds.PixelPaddingValue, ds.BitsStored, ds.HighBit = 63536, bits, bits - 1

    raw = read_dicom(dicom.write(tmp_path / "s", stored, change=padded))
    assert (raw.array[:2] == -1024).all()
    assert np.array_equal(raw.array[2:], dicom.hu_of(stored)[2:])


def test_unused_bits_are_sign_zeros_or_an_overlay(dicom: Any, tmp_path: Path) -> None:
    signed = dicom.chest(4).astype(np.int16) - 2048

    def twelve(ds: Dataset, k: int) -> None:
        ds.BitsStored, ds.HighBit = 12, 11

    def overlaid(ds: Dataset, k: int) -> None:
        twelve(ds, k)
        ds.add_new(0x60000100, "US", 16)

    assert np.array_equal(read_dicom(dicom.write(tmp_path / "sign", signed, change=twelve)).array, dicom.hu_of(signed))
    assert np.array_equal(
        read_dicom(dicom.write(tmp_path / "zero", signed & 0xFFF, change=twelve)).array, dicom.hu_of(signed)
    )
    assert np.array_equal(
        read_dicom(dicom.write(tmp_path / "over", dicom.chest(4) | 0x8000, change=overlaid)).array,
        dicom.hu_of(dicom.chest(4)),
    )
