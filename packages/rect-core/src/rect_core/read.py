"""A scan from anywhere, as a Volume: read, checked at the door, in the house's orientation."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Shaped

from rect_core.door import CHECKS, inspect, ordered
from rect_core.errors import ScanError
from rect_core.raw import Check, RawScan
from rect_core.readers.memory import read_array, read_image
from rect_core.readers.metaimage import read_metaimage
from rect_core.readers.names import SUFFIXES, case_id_of, check_case_id, suffix_of
from rect_core.readers.nifti import read_nifti
from rect_core.readers.nrrd import read_nrrd
from rect_core.volume import Volume

__all__ = ["Examination", "case_id_of", "examine", "read_scan", "read_volume"]

_PASSED_ON: Final = "a Volume was checked when it was read"


@dataclass(frozen=True, kw_only=True, slots=True)
class Examination:
    """What the door found: a row for every check of `door.CHECKS`, and the Volume when none of them failed."""

    case_id: str
    checks: tuple[Check, ...]
    volume: Volume | None

    @property
    def failure(self) -> Check | None:
        """The first row that fails."""
        return next((row for row in self.checks if row.status == "fail"), None)


def read_volume(
    source: Any,
    *,
    affine: Shaped[np.ndarray, "..."] | None = None,
    spacing_mm: Sequence[float | int] | None = None,
    axes: str | None = None,
    case_id: str | None = None,
    allow_tilt: bool = False,
) -> Volume:
    """The scan as (d, h, w) Hounsfield units with increasing index toward Superior, Posterior, Left.

    source: path of a .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd file, of a DICOM folder or .zip; a nibabel image; a
    numpy array; or a Volume, which passes through.
    affine: of an array, its own indices to RAS+ mm; or spacing_mm and axes (an orientation code such as "RAS") of the
    array's own axes.
    case_id: name of the case instead of the file's.
    allow_tilt: resample a gantry-tilted scan instead of refusing it. Nothing is resampled otherwise.
    Raises ScanError with the first check that fails.
    """
    found = examine(source, affine=affine, spacing_mm=spacing_mm, axes=axes, case_id=case_id, allow_tilt=allow_tilt)
    if found.volume is None:
        failure = found.failure
        assert failure is not None, "a scan without a failed check has a volume"
        raise ScanError(failure.name, failure.message)
    return found.volume


def examine(
    source: Any,
    *,
    affine: Shaped[np.ndarray, "..."] | None = None,
    spacing_mm: Sequence[float | int] | None = None,
    axes: str | None = None,
    case_id: str | None = None,
    allow_tilt: bool = False,
) -> Examination:
    """Every check of a scan as a row (pass, warn, fail, skip), whatever fails; arguments as for `read_volume`."""
    name = case_id or _default_case_id(source)
    try:
        check_case_id(name)
        if isinstance(source, Volume):
            rows = tuple(Check(check, "skip", _PASSED_ON) for check in CHECKS)
            return Examination(case_id=name, checks=rows, volume=_named(source, name))
        if isinstance(source, np.ndarray):
            raw = read_array(source, affine=affine, spacing_mm=spacing_mm, axes=axes)
        else:
            raw = read_scan(source)
            _refuse_keywords(affine, spacing_mm, axes)
    except ScanError as error:
        return Examination(case_id=name, checks=_refused(error), volume=None)
    checks, volume = inspect(replace(raw, case_id=name), allow_tilt=allow_tilt)
    return Examination(case_id=name, checks=checks, volume=volume)


def read_scan(source: Any) -> RawScan:
    """A path or nibabel image through its reader, not yet through the door. Raises ScanError."""
    if isinstance(source, str | PathLike):
        return _read_path(Path(source))
    from nibabel.spatialimages import SpatialImage

    if isinstance(source, SpatialImage):
        return read_image(source)
    raise ScanError(
        "format", f"cannot read a {type(source).__name__}: give a path, a nibabel image, a numpy array or a Volume"
    )


def _read_path(path: Path) -> RawScan:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        # ValueError: a NUL in the name. The name alone: the path would tell who and where
        reason = "no permission to read it" if isinstance(error, PermissionError) else "no such file or folder"
        raise ScanError("file", f"{path.name}: {reason}") from error
    suffix = suffix_of(path)
    if stat.S_ISDIR(mode) or suffix in (".zip", ".dcm"):
        from rect_core.readers.dicom import read_dicom

        return read_dicom(path)
    if suffix == "":
        known = ", ".join(SUFFIXES)
        raise ScanError("format", f"{path.name}: unknown suffix: known are {known}, and a folder of DICOM slices")
    if not stat.S_ISREG(mode):
        raise ScanError("file", f"{path.name}: not a regular file: copy the scan to a file first")
    if suffix in (".nii", ".nii.gz"):
        return read_nifti(path)
    return read_nrrd(path) if suffix in (".nrrd", ".nhdr") else read_metaimage(path)


def _default_case_id(source: Any) -> str:
    if isinstance(source, Volume):
        return source.case_id
    if isinstance(source, str | PathLike):
        return case_id_of(Path(source))
    return case_id_of(source.get_filename() or "scan") if hasattr(source, "get_filename") else "scan"


def _named(volume: Volume, case_id: str) -> Volume:
    return volume if case_id == volume.case_id else replace(volume, case_id=case_id)


def _refuse_keywords(*given: Any) -> None:
    if any(value is not None for value in given):
        raise ScanError(
            "orientation", "affine=, spacing_mm= and axes= belong to an array: a file or image states its own"
        )


def _refused(error: ScanError) -> tuple[Check, ...]:
    """The rows of a scan that its reader refused."""
    rows = {error.check: Check(error.check, "fail", str(error))}
    if error.check != "file":
        rows["file"] = Check("file", "pass", "can be read")
        rows.setdefault("format", Check("format", "pass", "known"))
    return ordered(rows)
