"""What is kept of a DICOM header: where a slice lies, how its numbers become HU, and nothing about the patient but age.

Names follow DICOM PS3.3 (CT Image and Enhanced CT Image). Identity (name, id, birth date, institution) is never parsed:
TAGS are the only ones that leave a file. UIDs serve grouping and are never printed.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float

from rect_core.readers.dicom_files import Part

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

TAGS: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "AcquisitionNumber",
    "Modality", "ImageType", "PatientAge", "ConvolutionKernel", "SliceThickness", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation",
    "PixelPaddingValue", "PixelPaddingRangeLimit", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "RescaleSlope", "RescaleIntercept", "RescaleType", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
)  # fmt: skip
OVERLAY_BITS: Final = tuple(0x60000100 + (group << 16) for group in range(0, 0x20, 2))
"""Tags of overlays; in old files they lie in the unused bits of the pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SliceHeader:
    """One image plane. Lengths in mm, in DICOM's patient axes (LPS+); what the header does not say or says unreadably
    is None (numbers, tuples) or "" (text).

    frame: its index in a file of `frames`; sop: names the plane; position: centre of the first pixel; cosines: unit
    vectors along a row (increasing column), then down a column; spacing: between rows, between columns; padding: first
    and last stored value that mean "outside the scanner's field".
    """

    part: Part
    frame: int
    frames: int
    syntax: str
    sop_class: str
    sop: str
    study: str
    series: str
    number: int | None
    acquisition: int | None
    modality: str
    image_type: tuple[str, ...]
    kernel: str
    thickness: float | None
    rows: int
    columns: int
    bits: int
    bits_stored: int
    high_bit: int
    overlaid: bool
    samples: int
    photometric: str
    position: tuple[float, ...] | None
    cosines: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    slope: float | None
    intercept: float | None
    rescale_type: str
    padding: tuple[int, int] | None
    age_years: float | None

    @property
    def label(self) -> str:
        """File name, with the frame where a file holds several."""
        return self.part.name if self.frames == 1 else f"{self.part.name} frame {self.frame + 1}"

    @property
    def normal(self) -> Float[np.ndarray, "3"] | None:
        """Unit vector across the slice: row direction x column direction."""
        return None if self.cosines is None else np.cross(self.cosines[:3], self.cosines[3:])

    @property
    def along_mm(self) -> float:
        """Place along the normal (z of an untilted axial slice); NaN where the header does not say."""
        normal = self.normal
        return math.nan if normal is None or self.position is None else float(normal @ np.asarray(self.position))


def slice_header(
    dataset: "Dataset", value: Callable[[str], Any], *, part: Part, frame: int, frames: int, syntax: str, sop_class: str
) -> SliceHeader:
    """The header of one plane; `value` finds what an enhanced CT keeps per frame, `dataset` holds the rest."""
    kind = value("ImageType") or ()
    stored = whole(dataset.get("BitsStored")) or whole(dataset.get("BitsAllocated")) or 0
    high = whole(dataset.get("HighBit"))
    return SliceHeader(
        part=part,
        frame=frame,
        frames=frames,
        syntax=syntax,
        sop_class=sop_class,
        sop=f"{dataset.get('SOPInstanceUID') or part.name}/{frame}",
        study=str(dataset.get("StudyInstanceUID") or ""),
        series=str(dataset.get("SeriesInstanceUID") or ""),
        number=whole(dataset.get("SeriesNumber")),
        acquisition=whole(value("AcquisitionNumber")),
        modality=_code(dataset.get("Modality")),
        image_type=tuple(str(x).upper() for x in ([kind] if isinstance(kind, str) else kind)),
        kernel=_code(value("ConvolutionKernel")),
        thickness=_number(value("SliceThickness")),
        rows=whole(dataset.get("Rows")) or 0,
        columns=whole(dataset.get("Columns")) or 0,
        bits=whole(dataset.get("BitsAllocated")) or 0,
        bits_stored=stored,
        high_bit=stored - 1 if high is None else high,
        overlaid=any(tag in dataset for tag in OVERLAY_BITS),
        samples=whole(dataset.get("SamplesPerPixel")) or 1,
        photometric=_code(dataset.get("PhotometricInterpretation")),
        position=_numbers(value("ImagePositionPatient"), 3),
        cosines=_cosines(value("ImageOrientationPatient")),
        spacing=_numbers(value("PixelSpacing"), 2),
        slope=_number(value("RescaleSlope")),
        intercept=_number(value("RescaleIntercept")),
        rescale_type=_unit(value("RescaleType")),
        padding=_padding(dataset),
        age_years=_age(dataset.get("PatientAge")),
    )


def whole(raw: Any) -> int | None:
    """The number of an IS or US value, or None."""
    found = _number(raw)
    return None if found is None else int(found)


def _code(raw: Any) -> str:
    """A coded word as messages may print it; free text, which could name a patient, becomes ""."""
    text = str(raw[0] if raw and not isinstance(raw, str) else raw or "").strip()
    return text if re.fullmatch(r"[A-Za-z0-9_.+-]{1,16}", text) else ""


def _unit(raw: Any) -> str:
    text = str(raw or "").strip()
    return (_code(text) or "another unit").upper() if text else ""


def _number(raw: Any) -> float | None:
    found = _numbers([raw], 1)
    return None if found is None else found[0]


def _numbers(raw: Any, count: int) -> tuple[float, ...] | None:
    """`count` finite numbers, or None."""
    try:
        found = tuple(float(x) for x in raw)
    except (TypeError, ValueError):
        return None
    return found if len(found) == count and all(math.isfinite(x) for x in found) else None


def _cosines(raw: Any) -> tuple[float, ...] | None:
    """Two unit vectors at right angles, made exactly so where rounding took up to 0.6 degrees; else None."""
    found = _numbers(raw, 6)
    if found is None:
        return None
    row, column = np.asarray(found[:3]), np.asarray(found[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if abs(row @ column) > 0.01 or max(abs(x - 1.0) for x in lengths) > 0.01:
        return None
    row /= lengths[0]
    column -= row * (row @ column)
    return (*row.tolist(), *(column / np.linalg.norm(column)).tolist())


def _padding(dataset: "Dataset") -> tuple[int, int] | None:
    first = whole(dataset.get("PixelPaddingValue"))
    last = whole(dataset.get("PixelPaddingRangeLimit"))
    return None if first is None else (first, first if last is None else last)


def _age(raw: Any) -> float | None:
    """Years of an AS value: "036Y", "008M", "012W", "003D"."""
    found = re.fullmatch(r"(\d{1,3})([DWMY])", str(raw or "").strip().upper())
    a_year = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
    return int(found[1]) / a_year[found[2]] if found else None
