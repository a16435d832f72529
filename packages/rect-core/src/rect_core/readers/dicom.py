"""A DICOM CT series, from a folder or a zip, as one array with its affine.

Slices are found by what their headers say and sorted by where they lie; file names and instance numbers mean nothing.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from einops import rearrange

from rect_core.errors import ScanError
from rect_core.raw import Check, RawScan
from rect_core.readers.dicom_files import parts_of
from rect_core.readers.dicom_header import SliceHeader
from rect_core.readers.dicom_open import read_headers
from rect_core.readers.dicom_pixels import check_pixels, decode, same_pixels
from rect_core.readers.dicom_series import choose_series
from rect_core.readers.dicom_stack import ordered_stack, stack_affine
from rect_core.readers.names import case_id_of


def read_dicom(path: Path | str) -> RawScan:
    """Reads the one CT series of a folder (searched with its subfolders), a zip, or a multi-frame file.

    The array is [column, row, slice], as ITK and NIfTI converters order it: int16 HU where rescaling gives whole
    numbers, else float32. Its affine follows the slices' positions and is truly sheared under gantry tilt: the
    door decides about that, for all formats alike. The checks "modality", "series" and "slices"
    come filled. Raises ScanError with the check that failed: file, format, modality, series, slices, orientation,
    dimensions or hounsfield.
    """
    path = Path(path)
    name = path.name or path.resolve().name
    _require_pydicom(name)
    with _quiet(), parts_of(path, name) as parts:
        if not parts:
            raise ScanError("file", f"{name}: empty: give the folder or zip that holds the slices of a chest CT")
        stack, checks = choose_series([header for part in parts for header in read_headers(part)], name)
        slices, copies = _without_copies(stack.slices)
        ordered = ordered_stack(slices, name)
        rescaled = check_pixels(ordered, name)
        block = decode(ordered)
    affine = stack_affine(ordered)
    return RawScan(
        array=rearrange(block, "slice row column -> column row slice"),
        affine=affine,
        name=name,
        case_id=case_id_of(path),
        format="dicom",
        rescaled=rescaled,
        age_years=ordered[0].age_years,
        checks=(*checks, _slices_check(len(ordered), float(np.linalg.norm(affine[:3, 2])), copies)),
    )


def _require_pydicom(name: str) -> None:
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise ScanError("format", f"{name}: DICOM needs the pydicom package: pip install 'rect-core[dicom]'") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """pydicom warns and logs about odd values by quoting them, and about short files with their whole path: both could
    name a patient. What matters of it is refused here in words of our own."""
    from pydicom import config

    logger = logging.getLogger("pydicom")
    was = logger.disabled
    try:
        logger.disabled = True
        with warnings.catch_warnings(), config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was


def _without_copies(slices: Sequence[SliceHeader]) -> tuple[list[SliceHeader], int]:
    """Drops second copies of a slice (same instance, same pixels, as two exports into one folder leave them); a copy
    that differs in any way stays, and is refused as a duplicate position."""
    kept: dict[str, SliceHeader] = {}
    differing: list[SliceHeader] = []
    for header in slices:
        first = kept.setdefault(header.sop, header)
        if first is not header and not _same_slice(first, header):
            differing.append(header)
    unique = [*kept.values(), *differing]
    return unique, len(slices) - len(unique)


def _same_slice(a: SliceHeader, b: SliceHeader) -> bool:
    told = [(s.rows, s.columns, s.position, s.cosines, s.spacing, s.slope, s.intercept) for s in (a, b)]
    return told[0] == told[1] and same_pixels(a, b)


def _slices_check(count: int, step_mm: float, copies: int) -> Check:
    told = f"{count} slices {step_mm:.2f} mm apart, none missing"
    if copies:
        return Check(name="slices", status="warn", message=f"{told}; {copies} identical copies of slices left out")
    return Check(name="slices", status="pass", message=f"{told} or duplicated")
