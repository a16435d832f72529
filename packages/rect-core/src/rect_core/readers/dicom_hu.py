"""From stored words to Hounsfield units: which bits count, what is padding, and the rescale (DICOM PS3.5 8.1)."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Integer, Shaped

from rect_core.errors import ScanError
from rect_core.readers.dicom_header import SliceHeader

_HIGHEST_HU: Final = 3071
"""Of 12 bits and the usual intercept; padding that would lie above it was meant to be no tissue at all."""
_AIR_HU: Final = -1024
_DAMAGED: Final = "the header is damaged, export the series again"


def hounsfield(words: Integer[np.ndarray, "rows columns"], header: SliceHeader) -> Shaped[np.ndarray, "rows columns"]:
    """Hounsfield units of one plane: its own rescale applied once, in whole numbers (int32) where it is whole, else in
    float32. Raises ScanError("format") where pixels contradict the header's bits."""
    slope, intercept = header.slope or 1.0, header.intercept or 0.0
    padded = _padded(words, header)
    values = _used_bits(words, padded, header)
    largest = abs(slope) * float(np.iinfo(words.dtype).max) + abs(intercept)
    if slope.is_integer() and intercept.is_integer() and largest < 2**31:
        hu: np.ndarray = values.astype(np.int32)
        hu *= int(slope)
        hu += int(intercept)
    else:
        hu = values.astype(np.float32)
        hu *= slope
        hu += intercept
    if padded is not None:
        # Padding may also lie in bits that are not stored, and would come back as bone.
        hu[padded & ((hu > _HIGHEST_HU) | (values != words))] = _AIR_HU
    return hu


def _padded(words: Integer[np.ndarray, "rows columns"], header: SliceHeader) -> Bool[np.ndarray, "rows columns"] | None:
    """Where the scanner saw nothing. Some headers write a signed padding value unsigned: the same word is meant."""
    if header.padding is None:
        return None
    bits = 8 * words.dtype.itemsize
    lowest = -(2 ** (bits - 1)) if words.dtype.kind == "i" else 0
    first, last = sorted((end - lowest) % 2**bits + lowest for end in header.padding)
    found: Bool[np.ndarray, "rows columns"] = (words >= first) & (words <= last)
    return found


def _used_bits(
    words: Integer[np.ndarray, "rows columns"],
    padded: Bool[np.ndarray, "rows columns"] | None,
    header: SliceHeader,
) -> Integer[np.ndarray, "rows columns"]:
    """The BitsStored bits below HighBit, with their sign. Other bits may repeat the sign, be zero or hold an overlay;
    tissue in them means that the header is wrong."""
    bits = 8 * words.dtype.itemsize
    stored, high = header.bits_stored, header.high_bit
    if not stored - 1 <= high < bits:
        raise ScanError("format", f"{header.label}: HighBit {high} with {stored} of {bits} bits stored: {_DAMAGED}")
    if stored == bits:
        return words
    values = (words << (bits - 1 - high)) >> (bits - stored)
    foreign = (values != words) & (words >> stored != 0)
    if padded is not None:
        foreign &= ~padded
    if high == stored - 1 and foreign.any() and not header.overlaid:
        raise ScanError("format", f"{header.label}: pixels hold more than the {stored} bits declared: {_DAMAGED}")
    return values
