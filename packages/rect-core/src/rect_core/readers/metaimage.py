"""MetaImage files: .mha (voxels in the file) and .mhd (voxels in a file beside it).

Format: itk.org/Wiki/ITK/MetaIO/Documentation. World coordinates are LPS mm; row i of TransformMatrix is the direction
of array axis i, as ITK reads it.
"""

import math
from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.errors import ScanError
from rect_core.raw import Check, RawScan
from rect_core.readers.names import case_id_of
from rect_core.readers.payload import ZlibStream, beside, check_grid, check_size, fill, opened

_TYPES: Final = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_LONGEST_HEADER: Final = 1000


def read_metaimage(path: Path) -> RawScan:
    """A .mha or .mhd file.

    Raises ScanError("file" | "format" | "dimensions"). A missing direction or spacing is a failed "orientation" row, a
    Modality other than CT a failed "modality" row, so that the other checks still run.
    """
    name = path.name
    with opened(path) as file:
        header = _header(file, name)
        dtype = _dtype(header, name)
        shape = check_grid(name, tuple(int(n) for n in _numbers(header, "DimSize", name)), dtype)
        if header["ElementDataFile"].upper() == "LOCAL":  # MetaIO reads three spellings
            array = _voxels(file, path, header, shape, dtype)
        else:
            data = beside(path, header["ElementDataFile"])
            with opened(data) as detached:
                array = _voxels(detached, data, header, shape, dtype)
    affine, blank = _affine(header, name)
    checks = (Check("orientation", "fail", blank),) if blank else ()
    return RawScan(
        array=array,
        affine=affine,
        name=name,
        case_id=case_id_of(path),
        format="metaimage",
        checks=checks + _modality(header, name),
    )


def _header(file: BufferedIOBase, name: str) -> dict[str, str]:
    """The fields up to ElementDataFile, behind which local voxels begin."""
    header: dict[str, str] = {}
    for _ in range(_LONGEST_HEADER):
        key, equals, value = file.readline(4096).decode("latin-1").partition("=")
        if not equals:
            break
        header[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            break
    missing = [key for key in ("DimSize", "ElementType", "ElementDataFile") if key not in header]
    if missing:
        raise ScanError(
            "format", f"{name}: not a MetaImage header (no {', '.join(missing)}): is it another kind of file?"
        )
    return header


def _dtype(header: Mapping[str, str], name: str) -> np.dtype:
    kind, channels = header["ElementType"], header.get("ElementNumberOfChannels", "1")
    if channels != "1" or kind.endswith("_ARRAY"):
        raise ScanError("dimensions", f"{name}: colour or vector voxels ({kind}): give the original grey-value CT")
    if kind not in _TYPES:
        raise ScanError("format", f"{name}: unknown ElementType {kind!r}: write the file again from its source")
    if not _flag(header, "BinaryData", default=True):
        raise ScanError("format", f"{name}: MetaImage voxels as text are not read: write them as binary data")
    big = _flag(header, "BinaryDataByteOrderMSB") or _flag(header, "ElementByteOrderMSB")
    return np.dtype(_TYPES[kind]).newbyteorder(">" if big else "<")


def _voxels(
    file: BufferedIOBase, path: Path, header: Mapping[str, str], shape: tuple[int, int, int], dtype: np.dtype
) -> np.ndarray:
    compressed, nbytes = _flag(header, "CompressedData"), math.prod(shape) * dtype.itemsize
    skip = int(_numbers(header, "HeaderSize", path.name, "0")[0])
    if skip == -1 and not compressed:
        file.seek(max(0, path.stat().st_size - nbytes))
    elif skip > 0:
        file.seek(skip)
    check_size(path.name, nbytes, path.stat().st_size - file.tell(), compressed=compressed)
    return fill(ZlibStream(file) if compressed else file, path.name, shape, dtype)


def _affine(header: Mapping[str, str], name: str) -> tuple[Float[np.ndarray, "4 4"], str]:
    """Stored indices to RAS+ mm, and what is missing from it ("" when nothing is)."""
    affine = np.eye(4)
    matrix = next((key for key in ("TransformMatrix", "Rotation", "Orientation") if key in header), None)
    spacing = "ElementSpacing" if "ElementSpacing" in header else "ElementSize"
    if matrix is None or spacing not in header:
        lost = "TransformMatrix" if matrix is None else "ElementSpacing"
        return affine, f"{name}: blank affine (no {lost}), so the scan's place is unknown: write the true one"
    offset = next((key for key in ("Offset", "Position", "Origin") if key in header), "Offset")
    directions, sizes = _numbers(header, matrix, name), _numbers(header, spacing, name)
    origin = _numbers(header, offset, name, "0 0 0")
    if (len(directions), len(sizes), len(origin)) != (9, 3, 3):
        return affine, f"{name}: {matrix}, {spacing} and {offset} do not describe three axes: write the true ones"
    affine[:3, :3] = np.reshape(directions, (3, 3)).T * np.array(sizes)
    affine[:3, 3] = origin
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, ""


def _modality(header: Mapping[str, str], name: str) -> tuple[Check, ...]:
    modality = header.get("Modality", "MET_MOD_UNKNOWN").removeprefix("MET_MOD_")
    if modality in ("UNKNOWN", "OTHER"):
        return ()
    if modality == "CT":
        return (Check("modality", "pass", "CT"),)
    return (Check("modality", "fail", f"{name}: modality {modality[:16]!r}: give a CT"),)


def _flag(header: Mapping[str, str], key: str, *, default: bool = False) -> bool:
    return header[key].lower() in ("true", "t", "1", "yes") if key in header else default


def _numbers(header: Mapping[str, str], key: str, name: str, default: str = "") -> list[float]:
    try:
        return [float(part) for part in header.get(key, default).split()]
    except ValueError as error:
        raise ScanError(
            "format", f"{name}: {key} is not a list of numbers: write the file again from its source"
        ) from error
