"""Scans on their way to the door of rect-core, with what their data set needs done to them first."""

from ast import literal_eval
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from rect_core.door import inspect
from rect_core.errors import DataError, ScanError
from rect_core.raw import RawScan
from rect_core.read import read_scan
from rect_core.readers.rescale import rescale
from rect_core.volume import Volume
from rect_data.readers.tables import Line


def through(raw: RawScan, case_id: str) -> Volume:
    """The scan as a Volume, or ScanError with the first check that fails."""
    checks, volume = inspect(replace(raw, case_id=case_id))
    if volume is None:
        failed = next(row for row in checks if row.status == "fail")
        raise ScanError(failed.name, failed.message)
    return volume


def hu_scan(path: Path, case_id: str) -> Volume:
    """A scan whose voxels are HU as they are stored. Raises ScanError where its header rescales them once more."""
    raw = read_scan(path)
    if raw.rescaled and raw.format == "nifti":
        raise ScanError(
            "hounsfield",
            f"{raw.name}: its header holds a slope and intercept, but version 2 is already in HU: set scl_slope to 1 "
            "and scl_inter to 0, or download the file again",
        )
    return through(raw, case_id)


def rescaled_scan(path: Path, case_id: str, line: Line) -> Volume:
    """A scan of version 1: slope and intercept of the metadata applied once, its place taken from there as well.

    As CT-RATE's own `download_scripts/fix_metadata.py` makes version 2 of version 1: the headers of version 1 hold
    neither. A header that already rescales is left to do it, so that it happens once.
    """
    raw = read_scan(path)
    affine = metadata_affine(line)
    array = raw.array
    if not raw.rescaled and array.ndim == 3:
        array = rescale(array, line.number("RescaleSlope"), line.number("RescaleIntercept"))
    kept = tuple(check for check in raw.checks if check.name != "orientation")
    return through(replace(raw, array=array, affine=affine, rescaled=True, checks=kept), case_id)


def metadata_affine(line: Line) -> Float[np.ndarray, "4 4"]:
    """Stored indices to RAS+ mm of a scan of version 1, from ImageOrientationPatient, ImagePositionPatient, XYSpacing
    and ZSpacing. Raises DataError for a cell that is not what it should be."""
    row_column, origin = _numbers(line, "ImageOrientationPatient", 6), _numbers(line, "ImagePositionPatient", 3)
    row, column = np.array(row_column[:3]), np.array(row_column[3:])
    axes = np.stack([row, column, np.cross(row, column)], axis=1)
    if np.abs(axes.T @ axes - np.eye(3)).max() > 1e-3:  # NaN goes on to the door, which refuses the scan alone
        raise DataError(
            f"{line.where}: ImageOrientationPatient is {line.cells['ImageOrientationPatient']!r}: give two directions "
            "of length 1 at right angles"
        )
    spacing = np.array([*_numbers(line, "XYSpacing", 2), line.number("ZSpacing")])
    if (spacing <= 0).any():
        raise DataError(f"{line.where}: XYSpacing and ZSpacing are {spacing.tolist()}: a minus would mirror: give mm")
    lps = np.eye(4)
    lps[:3, :3] = axes * spacing
    lps[:3, 3] = origin
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps, np.float64)


def _numbers(line: Line, column: str, count: int) -> list[float]:
    """A cell such as "[0.75, 0.75]"."""
    try:
        found = literal_eval(line.cells[column])
        numbers = [float(x) for x in found]
    except (ValueError, SyntaxError, TypeError):
        numbers = []
    if len(numbers) != count:
        raise DataError(
            f"{line.where}: {column} is {line.cells[column]!r}: give {count} numbers in brackets, as in [1, 0]"
        )
    return numbers
