"""Scans that are in memory already: numpy arrays and nibabel images. The caller's voxels are copied, never changed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Shaped

from rect_core.errors import ScanError
from rect_core.geometry import parse_axes
from rect_core.raw import Check, RawScan
from rect_core.readers.names import case_id_of
from rect_core.readers.nifti import orientation_check
from rect_core.readers.payload import check_grid, native
from rect_core.readers.rescale import rescale

_NAME: Final = "scan"


def read_array(
    array: Shaped[np.ndarray, "..."],
    *,
    affine: Shaped[np.ndarray, "..."] | None = None,
    spacing_mm: Sequence[float | int] | None = None,
    axes: str | None = None,
) -> RawScan:
    """An array with `affine` (its own indices to RAS+ mm), or with `spacing_mm` and `axes` of its own axes.

    Raises ScanError("orientation") with the corrected call when its place is not given, ScanError("dimensions").
    """
    placed = _affine(affine, spacing_mm, axes)
    shape = check_grid("the array", array.shape, array.dtype)
    return RawScan(array=_own(array).reshape(shape), affine=placed, name="the array", case_id=_NAME, format="array")


def read_image(image: Any) -> RawScan:
    """A nibabel image of any spatial format, its scl_slope applied once.

    Raises ScanError("file" | "dimensions"); a blank affine is a failed "orientation" row.
    """
    from nibabel.arrayproxy import ArrayProxy

    path = image.get_filename()
    name = Path(path).name if path else "the image"
    shape = check_grid(name, image.shape, image.get_data_dtype())
    proxy = image.dataobj if isinstance(image.dataobj, ArrayProxy) else None
    try:
        array = np.asanyarray(image.dataobj) if proxy is None else proxy.get_unscaled()
    except (OSError, EOFError, ValueError) as error:
        raise ScanError("file", f"{name}: the voxels cannot be read: copy the file again from its source") from error
    check_grid(name, array.shape, array.dtype)
    slope, intercept = (1.0, 0.0) if proxy is None else (float(proxy.slope), float(proxy.inter))
    return RawScan(
        array=rescale(_own(array).reshape(shape), slope, intercept),
        affine=np.eye(4) if image.affine is None else np.asarray(image.affine, np.float64),
        name=name,
        case_id=case_id_of(name) if path else _NAME,
        format="nibabel image",
        rescaled=True if (slope, intercept) != (1.0, 0.0) else None,
        checks=(found,) if (found := _orientation(image, name)) else (),
    )


def _orientation(image: Any, name: str) -> Check | None:
    """The "orientation" row that only the header can fill."""
    from nibabel.analyze import AnalyzeHeader
    from nibabel.nifti1 import Nifti1Header

    if image.affine is None:
        return Check("orientation", "fail", f"{name}: blank affine: give the image its affine")
    if isinstance(image.header, Nifti1Header):
        return orientation_check(image.header, name)
    if isinstance(image.header, AnalyzeHeader):
        # what nibabel calls its affine is a guess: the format has no field for it
        return Check(
            "orientation",
            "fail",
            f"{name}: an Analyze image does not state left and right: convert the original scan to NIfTI",
        )
    return None


def _own(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """A copy where the door would go on with this very memory; other types are converted, and so copied, later."""
    kept = array.dtype.newbyteorder("=") in (np.int16, np.float32)
    return native(np.array(array, order="K")) if kept else np.asarray(array, array.dtype.newbyteorder("="))


def _affine(
    affine: Shaped[np.ndarray, "..."] | None, spacing_mm: Sequence[float | int] | None, axes: str | None
) -> Float[np.ndarray, "4 4"]:
    if affine is not None and spacing_mm is None and axes is None:
        if affine.shape != (4, 4):
            raise ScanError("orientation", f"affine= has shape {affine.shape}: give the (4, 4) matrix to RAS+ mm")
        return np.asarray(affine, np.float64)
    if affine is not None or spacing_mm is None or axes is None or np.shape(spacing_mm) != (3,):
        raise ScanError(
            "orientation",
            "an array does not say where it lies: call read_volume(array, affine=image.affine), or "
            'read_volume(array, spacing_mm=(0.75, 0.75, 1.5), axes="RAS") with the values of its own axes',
        )
    try:
        placed = np.zeros((4, 4))
        for axis, (world, sign) in enumerate(parse_axes(str(axes))):
            placed[world, axis] = sign * spacing_mm[axis]
    except ValueError as error:
        raise ScanError("orientation", str(error)) from error
    placed[3, 3] = 1.0
    return placed
