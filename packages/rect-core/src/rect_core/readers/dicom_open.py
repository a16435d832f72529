"""From one file to the headers of its image planes: no DICOM is passed over, broken DICOM is refused."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from io import BufferedReader
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

from rect_core.errors import ScanError
from rect_core.readers.dicom_files import Part
from rect_core.readers.dicom_header import OVERLAY_BITS, TAGS, SliceHeader, slice_header, whole
from rect_core.readers.dicom_zip import bomb

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

CT_CLASSES: Final = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
NATIVE: Final = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")
_DIRECTORY: Final = "1.2.840.10008.1.3.10"
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"

# Where an enhanced (multi-frame) CT keeps what a classic one has at the top: keyword -> (group, keyword inside).
_IN_GROUP: Final = {
    "ImagePositionPatient": ("PlanePositionSequence", "ImagePositionPatient"),
    "ImageOrientationPatient": ("PlaneOrientationSequence", "ImageOrientationPatient"),
    "PixelSpacing": ("PixelMeasuresSequence", "PixelSpacing"),
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness"),
    "RescaleSlope": ("PixelValueTransformationSequence", "RescaleSlope"),
    "RescaleIntercept": ("PixelValueTransformationSequence", "RescaleIntercept"),
    "RescaleType": ("PixelValueTransformationSequence", "RescaleType"),
    "ImageType": ("CTImageFrameTypeSequence", "FrameType"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
}


def read_headers(part: Part) -> list[SliceHeader]:
    """The image planes of one file: none where it is not DICOM or only a directory, several where it is multi-frame.

    Raises ScanError("file") for a DICOM file that is broken, cut off, or inflates beyond measure.
    """
    try:
        with part.open() as stream:
            dataset = _parse(stream, part)
            return [] if dataset is None else list(_planes(dataset, part))
    except ScanError:
        raise
    except broken() as error:
        raise unreadable(part.name) from error


def broken() -> tuple[type[Exception], ...]:
    """What pydicom, its decoders, struct, zlib and zipfile raise on bytes that are not what they claim to be."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    return (
        AttributeError, BadZipFile, BytesLengthException, EOFError, IndexError, InvalidDicomError, KeyError,
        NotImplementedError, OSError, OverflowError, RecursionError, RuntimeError, TypeError, ValueError, struct.error,
        zlib.error,
    )  # fmt: skip


def unreadable(label: str) -> ScanError:
    """The error for a file whose bytes are not a whole DICOM image."""
    return ScanError("file", f"{label}: truncated or unreadable DICOM: copy it again from the archive")


def _parse(stream: BufferedReader, part: Part) -> "FileDataset | None":
    from pydicom import dcmread

    head = stream.read(2048)
    marked = head[128:132] == b"DICM"
    # Old archives leave out the preamble and start with group 0002 or 0008, little endian.
    bare = len(head) > 64 and head[0] in (2, 8) and head[1] == 0 and head[3] == 0
    if not (marked or bare):
        if part.name.lower().endswith((".dcm", ".dicom")):
            raise unreadable(part.name)
        return None
    if _DEFLATED in head:
        _refuse_inflating(stream, head, part)
    stream.seek(0)
    return dcmread(stream, stop_before_pixels=True, specific_tags=_tags(), force=not marked)


@cache
def _tags() -> list[int]:
    """As numbers: pydicom would look the words up again for every file."""
    from pydicom.datadict import tag_for_keyword

    return [*(tag for tag in map(tag_for_keyword, TAGS) if tag is not None), *OVERLAY_BITS]


def _refuse_inflating(stream: BufferedReader, head: bytes, part: Part) -> None:
    """A deflated data set starts after the file meta group, whose length is the group's first element."""
    stream.seek(144 + int.from_bytes(head[140:144], "little"))
    inflate, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
    waiting = stream.read(1 << 16)
    while waiting and not inflate.eof:
        total += len(inflate.decompress(waiting, 1 << 24))
        if reason := bomb(total, part.size):
            raise ScanError("file", f"{part.name}: {reason}: not opened")
        waiting = inflate.unconsumed_tail or stream.read(1 << 16)


def _planes(dataset: "FileDataset", part: Part) -> Iterator[SliceHeader]:
    meta = dataset.file_meta
    sop_class = str(dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")
    if sop_class == _DIRECTORY:
        return
    syntax = str(meta.get("TransferSyntaxUID") or NATIVE[0 if dataset.original_encoding[0] else 1])
    frames = max(1, whole(dataset.get("NumberOfFrames")) or 1) if sop_class in CT_CLASSES else 1
    # A file that ends early often keeps a readable head: what it lacks gives it away.
    if sop_class in CT_CLASSES and not all(dataset.get(tag) for tag in ("Modality", "Rows", "Columns")):
        raise unreadable(part.name)
    own = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    if frames > 1 and len(own) != frames:
        raise ScanError(
            "format", f"{part.name}: {frames} frames but positions for {len(own)}: export the series as single slices"
        )
    for frame in range(frames):
        value = _lookup(dataset, [*own[frame : frame + 1], *shared])
        yield slice_header(
            dataset, value, part=part, frame=frame, frames=frames, syntax=syntax, sop_class=sop_class
        )  # fmt: skip


def _lookup(dataset: "Dataset", groups: Sequence["Dataset"]) -> Callable[[str], Any]:
    def value(keyword: str) -> Any:
        outer, inner = _IN_GROUP.get(keyword, ("", ""))
        for group in groups:
            if outer and (held := group.get(outer)) and inner in held[0]:
                return held[0].get(inner)
        return dataset.get(keyword)

    return value
