"""NRRD files, attached (.nrrd) or with a detached header (.nhdr); the header is pynrrd's to parse.

Format: teem.sourceforge.net/nrrd/format.html.
"""

import bz2
import math
import warnings
from collections.abc import Mapping
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_core.errors import ScanError
from rect_core.raw import Check, RawScan
from rect_core.readers.names import case_id_of
from rect_core.readers.payload import Stream, beside, check_grid, check_size, fill, gunzip, opened

_TO_RAS: Final = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "las": (-1.0, 1.0, 1.0),
    "left-posterior-superior": (-1.0, -1.0, 1.0),
    "lps": (-1.0, -1.0, 1.0),
}
_TYPES: Final = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_MILLIMETRES: Final = {"mm", "millimeter", "millimeters", "millimetre", "millimetres", "", "???"}
"""And what writers put where they know no unit."""

_GZIP: Final = ("gzip", "gz")
_BZIP2: Final = ("bzip2", "bz2")


def read_nrrd(path: Path) -> RawScan:
    """A .nrrd or .nhdr file in any anatomical space.

    Raises ScanError("file" | "format" | "dimensions"). A missing space or missing directions are a failed "orientation"
    row, so that the other checks still run.
    """
    name = path.name
    with opened(path) as file:
        header = _header(file, name)
        dtype = _dtype(header, name)
        shape = check_grid(name, tuple(int(n) for n in header["sizes"]), dtype)
        data = _data_file(header, path)
        if data is None:
            array = _voxels(file, path, header, shape, dtype)
        else:
            with opened(data) as detached:
                array = _voxels(detached, data, header, shape, dtype)
    affine, blank = _affine(header, name)
    return RawScan(
        array=array,
        affine=affine,
        name=name,
        case_id=case_id_of(path),
        format="nrrd",
        checks=(Check("orientation", "fail", blank),) if blank else (),
    )


def _header(file: BufferedIOBase, name: str) -> Mapping[str, Any]:
    import nrrd

    if file.read(4) != b"NRRD":
        raise ScanError("format", f"{name}: not an NRRD file (wrong magic number): is it another kind of file?")
    file.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            header: Mapping[str, Any] = nrrd.read_header(file)
    except (
        nrrd.NRRDError,
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OverflowError,
        StopIteration,
        Warning,
    ) as error:
        raise ScanError(
            "format", f"{name}: the NRRD header is damaged: write the file again from its source"
        ) from error
    missing = [key for key in ("dimension", "type", "encoding", "sizes") if key not in header]
    if missing or header["dimension"] != len(header["sizes"]):
        what = f"lacks {', '.join(missing)}" if missing else "gives another number of sizes than dimensions"
        raise ScanError("format", f"{name}: the NRRD header {what}: write the file again from its source")
    return header


def _dtype(header: Mapping[str, Any], name: str) -> np.dtype:
    code = next((code for code, names in _TYPES.items() if header["type"] in names), None)
    if code is None:
        raise ScanError("dimensions", f"{name}: NRRD type {header['type']!r} is not one number a voxel")
    dtype: np.dtype = np.dtype(code)
    if dtype.itemsize > 1 and header.get("endian") not in ("little", "big"):
        raise ScanError("format", f"{name}: the NRRD header does not state the byte order (endian: little or big)")
    return dtype.newbyteorder(">" if header.get("endian") == "big" else "<")


def _data_file(header: Mapping[str, Any], path: Path) -> Path | None:
    named = header.get("data file", header.get("datafile"))
    return None if named is None else beside(path, str(named))


def _voxels(
    file: BufferedIOBase, path: Path, header: Mapping[str, Any], shape: tuple[int, int, int], dtype: np.dtype
) -> np.ndarray:
    encoding, nbytes = str(header["encoding"]).lower(), math.prod(shape) * dtype.itemsize
    for _ in range(max(0, int(header.get("line skip", header.get("lineskip", 0))))):
        file.readline()
    skip = int(header.get("byte skip", header.get("byteskip", 0)))
    if encoding == "raw" and skip == -1:
        file.seek(max(0, path.stat().st_size - nbytes))
        skip = 0
    if skip < 0:
        raise ScanError(
            "format", f"{path.name}: byte skip {skip} with encoding {encoding!r} is not read: write raw or gzip"
        )
    if encoding == "raw":
        check_size(path.name, nbytes, path.stat().st_size - file.tell() - skip, compressed=False)
    elif encoding in _GZIP:
        check_size(path.name, nbytes, path.stat().st_size, compressed=True)
    stream = _stream(file, encoding, path.name)
    if skip:
        stream.readinto(memoryview(bytearray(skip)))
    return fill(stream, path.name, shape, dtype)


def _stream(file: BufferedIOBase, encoding: str, name: str) -> Stream:
    if encoding in _GZIP:
        return gunzip(file, name)
    if encoding in _BZIP2:
        return bz2.open(file)
    if encoding != "raw":
        raise ScanError("format", f"{name}: NRRD encoding {encoding!r} is not read: write raw, gzip or bzip2")
    return file


def _affine(header: Mapping[str, Any], name: str) -> tuple[Float[np.ndarray, "4 4"], str]:
    """Stored indices to RAS+ mm, and what is missing from it ("" when nothing is)."""
    affine = np.eye(4)
    space, directions = str(header.get("space", "")).lower(), header.get("space directions")
    if space not in _TO_RAS:
        return affine, (
            f"{name}: NRRD space {space or 'missing'!r} says nothing about left and right: "
            f"write one of {', '.join(s for s in _TO_RAS if '-' in s)}"
        )
    origin = header.get("space origin")
    origin = (0.0, 0.0, 0.0) if origin is None else origin
    if directions is None or np.shape(directions) != (3, 3) or not np.isfinite(np.asarray(directions, float)).all():
        return affine, f"{name}: blank affine (no 'space directions' for three axes): write the true ones"
    if np.shape(origin) != (3,):
        return affine, f"{name}: 'space origin' has no three numbers: write the true ones"
    if other := set(header.get("space units", ())) - _MILLIMETRES:
        return (
            affine,
            f"{name}: NRRD space units {str(min(other))[:16]!r} instead of 'mm': write the scan in millimetres",
        )
    to_ras = np.array(_TO_RAS[space])
    affine[:3, :3] = to_ras[:, None] * np.asarray(directions, float).T
    affine[:3, 3] = to_ras * np.asarray(origin, float)
    return affine, ""
