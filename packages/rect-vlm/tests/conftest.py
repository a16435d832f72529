"""The real sample scan, an untrained model built once, and the predictions the tests share."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rect_core.read import read_volume
from rect_core.volume import Volume
from rect_vlm import Prediction, ReCTVLM
from rect_vlm.cli import common, predict, rooms
from rect_vlm.sample import sample_path

LOW = 0.02


@pytest.fixture(scope="session")
def sample() -> Path:
    return sample_path()


@pytest.fixture(scope="session")
def volume(sample: Path) -> Volume:
    return read_volume(sample)


@pytest.fixture(scope="session")
def model() -> ReCTVLM:
    return ReCTVLM.untrained("tiny")


@pytest.fixture(autouse=True)
def one_build(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands take untrained:tiny from the session, all but `rect info`, which builds its own."""
    load = common.load_model

    def load_once(options: Namespace) -> ReCTVLM:
        if options.model != "untrained:tiny" or options.device:
            return load(options)
        return request.getfixturevalue("model")

    for command in (predict, rooms):
        monkeypatch.setattr(command, "load_model", load_once)


@pytest.fixture(scope="session")
def prediction(model: ReCTVLM, volume: Volume) -> Prediction:
    """Masks at a threshold low enough that untrained weights outline something."""
    return model.predict(volume, localization_threshold=LOW)


@pytest.fixture(scope="session")
def dicom_copy() -> Callable[[Volume, Path], Path]:
    """Writes a volume as an axial CT series with file names in shuffled order."""
    return write_dicom


def write_dicom(volume: Volume, folder: Path) -> Path:
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ volume.affine
    down, right = (to_lps[:3, axis] / np.linalg.norm(to_lps[:3, axis]) for axis in (1, 2))
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    for d in range(volume.shape[0]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image: Dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.PatientName, image.PatientID, image.PatientAge = "Doe^Jane", "MRN-4711", "061Y"
        image.Modality, image.SeriesNumber, image.InstanceNumber = "CT", 3, volume.shape[0] - d
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.ImageOrientationPatient = [float(x) for x in (*right, *down)]
        image.ImagePositionPatient = [float(x) for x in (to_lps @ [d, 0, 0, 1])[:3]]
        image.PixelSpacing = [float(x) for x in volume.spacing_mm[1:]]
        image.SliceThickness = float(volume.spacing_mm[0])
        image.Rows, image.Columns = volume.shape[1:]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.RescaleSlope, image.RescaleIntercept, image.RescaleType = 1, -1024, "HU"
        image.PixelData = np.ascontiguousarray(volume.hu[d] + 1024).astype("<i2").tobytes()
        image.save_as(folder / f"{(d * 7919) % 1000:03d}.dcm", enforce_file_format=True)
    return folder
