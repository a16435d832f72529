"""NIfTI-1 and NIfTI-2 single files, plain or gzipped.

The header is nibabel's to interpret (sform before qform); the voxels are read by us, straight into one array.
"""

import logging
import math
from io import BufferedIOBase
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from rect_core.errors import ScanError
from rect_core.geometry import apply_affine
from rect_core.raw import Check, RawScan
from rect_core.readers.names import case_id_of
from rect_core.readers.payload import check_grid, check_size, fill, gunzip, opened
from rect_core.readers.rescale import rescale

_SILENT: Final = logging.Logger("rect_core.readers.nifti", level=logging.CRITICAL + 1)
_LONGEST_EXTENSIONS: Final = 64 << 20


def read_nifti(path: Path) -> RawScan:
    """A .nii or .nii.gz file: stored values after scl_slope and scl_inter, and nibabel's choice of affine.

    Raises ScanError("file" | "format" | "dimensions"). An affine the header does not really hold is a failed
    "orientation" row, so that the other checks still run.
    """
    name = path.name
    compressed = name.lower().endswith(".gz")
    with opened(path) as file:
        stream = gunzip(file, name) if compressed else file
        header, start = _header(stream, name)
        orientation = orientation_check(header, name)
        dtype = header.get_data_dtype()
        shape = check_grid(name, tuple(int(n) for n in header.get_data_shape()), dtype)
        held = path.stat().st_size - (0 if compressed else start)
        check_size(name, math.prod(shape) * dtype.itemsize, held, compressed=compressed)
        array = fill(stream, name, shape, dtype)
    slope, intercept = _slope(header, name)
    return RawScan(
        array=rescale(array, slope, intercept),
        affine=affine_of(header),
        name=name,
        case_id=case_id_of(path),
        format="nifti",
        rescaled=True if (slope, intercept) != (1.0, 0.0) else None,
        checks=(orientation,) if orientation else (),
    )


def orientation_check(header: Any, name: str) -> Check | None:
    """Fails where neither qform nor sform says where the scan lies, warns where the two disagree, else None."""
    qform, sform = int(header["qform_code"]), int(header["sform_code"])
    if qform <= 0 and sform <= 0:
        return Check(
            "orientation",
            "fail",
            f"{name}: blank affine (qform_code and sform_code are 0), so left and right are unknown: "
            "copy the affine of the original scan into the header",
        )
    if sform <= 0 and not np.all(header["pixdim"][1:4] > 0):
        sizes = " x ".join(f"{x:g}" for x in header["pixdim"][1:4])
        return Check(
            "orientation", "fail", f"{name}: the header gives {sizes} mm as voxel size: write the true spacing"
        )
    if np.array_equal(affine_of(header), np.eye(4)):
        return Check("orientation", "warn", "the affine is exactly the identity: was the true one lost?")
    return _disagreement(header) if qform > 0 and sform > 0 else None


def affine_of(header: Any) -> Float[np.ndarray, "4 4"]:
    """nibabel's best affine; NaN where the quaternion is not one."""
    from nibabel.spatialimages import HeaderDataError

    try:
        return np.asarray(header.get_best_affine(), np.float64)
    except (HeaderDataError, ValueError):
        return np.full((4, 4), np.nan)


def _disagreement(header: Any) -> Check | None:
    from nibabel.spatialimages import HeaderDataError

    try:
        qform = np.asarray(header.get_qform(), np.float64)
    except (HeaderDataError, ValueError):
        return None
    if header["dim"][0] < 3:
        return None
    corners = np.array(list(product(*[(0.0, n - 1.0) for n in header.get_data_shape()[:3]])))
    apart = np.abs(apply_affine(qform, corners) - apply_affine(affine_of(header), corners)).max()
    if not apart > 1.0:
        return None
    return Check("orientation", "warn", f"sform and qform place the scan {apart:.0f} mm apart: the sform is used")


def _header(stream: BufferedIOBase, name: str) -> tuple[Any, int]:
    """The header and the place of the first voxel, to which the stream has been moved."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header
    from nibabel.spatialimages import HeaderDataError

    block = stream.read(348)
    kind, magic = (Nifti1Header, block[344:348]) if block[:4] in _sizes(348) else (Nifti2Header, block[4:8])
    known = block[:4] in _sizes(348) + _sizes(540)
    if known and len(block) < 348:
        raise EOFError("header ends early")
    if not known or magic[:3] not in (b"n+1", b"n+2"):
        raise ScanError("format", f"{name}: not a single-file NIfTI (wrong magic number): is it another kind of file?")
    block += stream.read(kind.sizeof_hdr - len(block))
    if len(block) < kind.sizeof_hdr:
        raise EOFError("header ends early")
    parse: Any = kind
    header = parse(block, check=False)
    pixdim = header["pixdim"].copy()
    start = max(int(_finite(float(header["vox_offset"]))), kind.single_vox_offset)
    header["vox_offset"] = start
    try:
        header.check_fix(logger=_SILENT)
        header.get_data_dtype()
    except (HeaderDataError, KeyError) as error:
        raise ScanError(
            "format", f"{name}: the NIfTI header is damaged: write the file again from its source"
        ) from error
    # nibabel turns a voxel size of 0 into 1; we want to see it
    header["pixdim"][1:4] = np.abs(pixdim[1:4])
    if start > _LONGEST_EXTENSIONS or len(stream.read(start - len(block))) < start - len(block):
        raise EOFError("no voxels")
    return header, start


def _sizes(size: int) -> tuple[bytes, bytes]:
    return size.to_bytes(4, "little"), size.to_bytes(4, "big")


def _finite(number: float) -> float:
    return number if math.isfinite(number) else 0.0


def _slope(header: Any, name: str) -> tuple[float, float]:
    from nibabel.spatialimages import HeaderDataError

    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise ScanError("format", f"{name}: scl_inter is not a number: write the file again from its source") from error
    return (1.0, 0.0) if slope is None else (float(slope), float(intercept or 0.0))
