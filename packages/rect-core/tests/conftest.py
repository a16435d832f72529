"""A DICOM writer for the tests: CT series as a scanner would write them, each file naming a patient whom no message may
name."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from einops import rearrange
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from rect_core.errors import ScanError
from rect_core.raw import RawScan
from rect_core.readers.dicom import read_dicom

Change = Callable[[Dataset, int], None]

IDENTITY: Final = ("Zyxwvut", "Quorra", "PID-987123", "19470131", "Elsewhere", "1.2.826.0.1.3680043.77")
LPS_TO_RAS: Final = np.diag([-1.0, -1.0, 1.0, 1.0])


class DicomWriter:
    """What the DICOM tests share, as one fixture: test files cannot import each other."""

    ROOT: Final = "1.2.826.0.1.3680043.77"
    AXIAL: Final = LPS_TO_RAS @ np.diag([0.8, 0.7, 2.5, 1.0])

    def slice_of(self, k: int, pixels: np.ndarray, affine: np.ndarray, series: int = 4) -> Dataset:
        """Slice k of a grid [column row slice] with this RAS+ affine, as a scanner would write it."""
        lps = LPS_TO_RAS @ affine
        row, column = (lps[:3, i] / np.linalg.norm(lps[:3, i]) for i in (0, 1))
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{self.ROOT}.{series}.{k + 1}"
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Zyxwvut^Quorra", "PID-987123", "19470131"
        ds.InstitutionName, ds.SeriesDescription = "Saint Elsewhere Clinic", "Thorax of Quorra Zyxwvut"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{self.ROOT}.1", f"{self.ROOT}.2.{series}"
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

    @staticmethod
    def put(ds: Dataset, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        syntax = ds.file_meta.TransferSyntaxUID
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        ds.save_as(path, enforce_file_format=True, implicit_vr=implicit, little_endian=little)

    def write(
        self,
        folder: Path,
        stored: np.ndarray,
        affine: np.ndarray = AXIAL,
        *,
        series: int = 4,
        change: Change | None = None,
    ) -> Path:
        """One file a slice, under names that say nothing about their order."""
        names = np.random.default_rng(series).permutation(stored.shape[2])
        for k, plane in enumerate(rearrange(stored, "column row slice -> slice row column")):
            ds = self.slice_of(k, np.ascontiguousarray(plane), affine, series)
            if change is not None:
                change(ds, k)
            self.put(ds, folder / f"IM{series}_{names[k]:03d}.dcm")
        return folder

    @staticmethod
    def chest(slices: int = 12) -> np.ndarray:
        """Stored values 0..4095 on an uneven grid [column row slice]; HU is 1024 less."""
        return np.random.default_rng(7).integers(0, 4096, (20, 16, slices)).astype(np.uint16)

    @staticmethod
    def hu_of(stored: np.ndarray) -> np.ndarray:
        return stored.astype(np.int32) - 1024

    @staticmethod
    def said(raw: RawScan) -> str:
        """All words of a scan that was read; none may name the patient."""
        words = " | ".join([raw.name, raw.case_id, *(check.message for check in raw.checks)])
        assert not [name for name in IDENTITY if name in words]
        return words

    @staticmethod
    def refusal(path: Path) -> ScanError:
        """The error of a scan that must be refused: one line, without the patient and without the path."""
        with pytest.raises(ScanError) as caught:
            read_dicom(path)
        text = str(caught.value)
        assert "\n" not in text
        assert str(path.parent) not in text
        assert not [name for name in IDENTITY if name in text]
        return caught.value

    @staticmethod
    def compress(path: Path, kind: str) -> None:
        """Rewrites a file in the transfer syntax that gdcm calls `kind`."""
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

    def enhanced(self, path: Path, stored: np.ndarray) -> Dataset:
        """The same slices as one multi-frame file, frames in no order; orientation and spacing shared."""
        order = np.random.default_rng(1).permutation(stored.shape[2])
        ds = self.slice_of(0, np.ascontiguousarray(stored[:, :, 0].T), self.AXIAL)
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
            own = self.slice_of(int(k), np.zeros((1, 1), np.uint16), self.AXIAL)
            frame = group("PlanePositionSequence", "ImagePositionPatient", of=own)
            rescale = ("RescaleSlope", "RescaleIntercept", "RescaleType")
            frame.update(group("PixelValueTransformationSequence", *rescale, of=own))
            frames.append(frame)
        ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = Sequence([shared]), Sequence(frames)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"):
            delattr(ds, keyword)
        ds.NumberOfFrames = len(order)
        ds.PixelData = np.ascontiguousarray(rearrange(stored[:, :, order], "c r k -> k r c")).tobytes()
        self.put(ds, path)
        return ds


@pytest.fixture
def dicom() -> DicomWriter:
    """Writes DICOM series and says what became of them."""
    return DicomWriter()
