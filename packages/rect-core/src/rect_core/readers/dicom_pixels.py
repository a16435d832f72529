"""The pixels of a stack: checked before anything is decoded, then decoded slice by slice into one array."""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Integer, Shaped

from rect_core.errors import ScanError
from rect_core.readers.dicom_header import SliceHeader
from rect_core.readers.dicom_hu import hounsfield
from rect_core.readers.dicom_open import NATIVE, broken, unreadable
from rect_core.readers.payload import check_grid

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# The Image Pixel module: samples, photometric, frames, rows, columns, bits, stored, high bit, sign; and the pixels.
_PIXEL_TAGS: Final = [
    0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
    0x7FE00010,
]  # fmt: skip


def check_pixels(slices: Sequence[SliceHeader], name: str) -> bool | None:
    """Everything that can be refused before a pixel is decoded. True where the header says that values are HU, None
    where its RescaleType leaves it open.

    Raises ScanError: "hounsfield" (rescale missing, or to another unit), "format" (no decoder), "file" (declared size
    beyond the memory, or beyond the file).
    """
    bare = [s for s in slices if s.slope is None or s.intercept is None or s.slope == 0]
    if bare:
        count = f"{len(bare)} of {len(slices)} slices" if len(bare) > 1 else "the slice"
        raise ScanError(
            "hounsfield",
            f"{bare[0].label}: {count} without RescaleSlope and RescaleIntercept, so pixels are not Hounsfield units: "
            "export the original CT series",
        )
    units = {s.rescale_type for s in slices}
    if other := units - {"", "HU", "US"}:
        raise ScanError(
            "hounsfield", f"{name}: pixels rescale to {min(other)}, not HU: give the Hounsfield-unit series"
        )
    for header in slices:
        declared = header.rows * header.columns * header.frames * header.bits // 8
        if header.syntax in NATIVE and declared > header.part.size:
            raise unreadable(header.label)
    for syntax in sorted({s.syntax for s in slices}):
        _require_decoder(syntax, name)
    first = slices[0]
    check_grid(name, (first.columns, first.rows, len(slices)), _target(slices))
    return None if "US" in units else True


def decode(slices: Sequence[SliceHeader]) -> Shaped[np.ndarray, "n rows columns"]:
    """Hounsfield units of slices that `check_pixels` passed: int16 where all are whole numbers in its range, else
    float32. Raises ScanError("file") for a slice that cannot be decoded, "format" for one that contradicts its header.
    """
    shape = (len(slices), slices[0].rows, slices[0].columns)
    block = np.empty(shape, _target(slices))
    if not _fill(block, slices):
        block = np.empty(shape, np.float32)
        _fill(block, slices)
    return block


def same_pixels(a: SliceHeader, b: SliceHeader) -> bool:
    """Whether two slices hold the same stored values."""
    return np.array_equal(_stored(_pixel_data(a), a), _stored(_pixel_data(b), b))


def _target(slices: Sequence[SliceHeader]) -> np.dtype[Any]:
    integers = all(x.is_integer() for s in slices for x in (s.slope or 0.0, s.intercept or 0.0))
    return np.dtype(np.int16 if integers else np.float32)


def _require_decoder(syntax: str, name: str) -> None:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    try:
        available = get_decoder(UID(syntax)).is_available
    except NotImplementedError:
        available = False
    if not available:
        kind = UID(syntax).name if UID(syntax).name != syntax else "an unknown way"
        raise ScanError(
            "format",
            f"{name}: no decoder for pixels compressed as {kind}: pip install 'rect-core[dicom]', or export the series "
            "uncompressed",
        )


def _fill(block: Shaped[np.ndarray, "n rows columns"], slices: Sequence[SliceHeader]) -> bool:
    """Decodes into `block`; False, with the rest undone, when a value does not fit its int16."""
    by_part: dict[int, list[tuple[int, SliceHeader]]] = defaultdict(list)
    for place, header in enumerate(slices):
        by_part[id(header.part)].append((place, header))
    for group in by_part.values():
        dataset = _pixel_data(group[0][1])
        for place, header in group:
            hu = hounsfield(_stored(dataset, header), header)
            if block.dtype == np.int16 and (hu.min() < -32768 or hu.max() > 32767):
                return False
            block[place] = hu
    return True


def _pixel_data(header: SliceHeader) -> "Dataset":
    from pydicom import dcmread

    try:
        with header.part.open() as stream:
            return dcmread(stream, specific_tags=_PIXEL_TAGS, force=True)
    except broken() as error:
        raise unreadable(header.label) from error


def _stored(dataset: "Dataset", header: SliceHeader) -> Integer[np.ndarray, "rows columns"]:
    """The stored words of one plane, unused bits as they come."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import UID

    try:
        decoder: Any = get_decoder(UID(header.syntax))
        # Unused bits stay: they tell padding from tissue, and a header that lies from one that does not.
        words, _ = decoder.as_array(dataset, index=header.frame, raw=True, correct_unused_bits=False)
    except broken() as error:
        if header.syntax in NATIVE:
            raise unreadable(header.label) from error
        kind = UID(header.syntax).name
        raise ScanError(
            "file", f"{header.label}: pixels cannot be decoded as {kind}: copy it again, or export it uncompressed"
        ) from error
    if words.shape != (header.rows, header.columns) or words.dtype.kind not in "iu":
        raise unreadable(header.label)
    return np.asarray(words, words.dtype.newbyteorder("="))
