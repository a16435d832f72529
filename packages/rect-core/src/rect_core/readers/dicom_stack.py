"""From loose slices to a stack: sorted by position, whole, evenly spaced, and with its affine."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.errors import ScanError
from rect_core.readers.dicom_header import SliceHeader

GAP: Final = 1.5
"""A step beyond this many median steps is a gap where slices are missing."""
SAME_PLACE_MM: Final = 0.01
UNEVEN: Final = 0.1
"""How far, in steps, a slice may lie from its even place; at least 0.1 mm, to which positions are often rounded."""
_AGAIN: Final = "export the whole series again"


def ordered_stack(slices: Sequence[SliceHeader], name: str) -> list[SliceHeader]:
    """The slices sorted along their normal.

    Raises ScanError: "dimensions" (size or pixel spacing missing or not one for all), "orientation" (position or
    orientation likewise), "slices" (missing, doubled or unevenly spaced).
    """
    _require(slices, "orientation", "ImageOrientationPatient", lambda s: s.cosines is not None)
    _require(slices, "orientation", "ImagePositionPatient", lambda s: s.position is not None)
    _require(slices, "dimensions", "PixelSpacing", lambda s: s.spacing is not None and min(s.spacing) > 0)
    _require_one(slices, "dimensions", "image sizes", [(s.rows, s.columns) for s in slices], name)
    _require_one(slices, "dimensions", "pixel spacings", [s.spacing or () for s in slices], name)
    _require_one(slices, "orientation", "slice orientations", [s.cosines or () for s in slices], name)
    # One normal for all: rounding of single headers must not move slices against each other.
    order = np.argsort(_along(slices), kind="stable")
    ordered = [slices[i] for i in order]
    if len(ordered) > 1:
        along = _along(ordered)
        _refuse_doubled(ordered, along, name)
        _refuse_gaps(along, name)
        _refuse_uneven(ordered, along, name)
    return ordered


def stack_affine(ordered: Sequence[SliceHeader]) -> Float[np.ndarray, "4 4"]:
    """[column, row, slice] indices to RAS+ mm (DICOM PS3.3 C.7.6.2.1.1, x and y turned from LPS).

    The slice axis runs from the first slice's position to the last one's: under gantry tilt it leans, and the affine
    is truly sheared.
    """
    first = ordered[0]
    row, column = np.split(np.asarray(first.cosines), 2)
    between_rows, between_columns = np.asarray(first.spacing)
    places = _positions(ordered)
    lps = np.eye(4)
    lps[:3, 0] = row * between_columns
    lps[:3, 1] = column * between_rows
    lps[:3, 2] = np.cross(row, column) * (first.thickness or 1.0)
    if len(ordered) > 1:
        lps[:3, 2] = (places[-1] - places[0]) / (len(ordered) - 1)
    lps[:3, 3] = places[0]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ lps


def _positions(slices: Sequence[SliceHeader]) -> Float[np.ndarray, "n 3"]:
    return np.array([s.position for s in slices], np.float64)


def _along(slices: Sequence[SliceHeader]) -> Float[np.ndarray, " n"]:
    row, column = np.split(np.asarray(slices[0].cosines), 2)
    return _positions(slices) @ np.cross(row, column)


def _require(slices: Sequence[SliceHeader], check: str, tag: str, good: Callable[[SliceHeader], bool]) -> None:
    bad = [s for s in slices if not good(s)]
    if bad:
        many = f" (nor {len(bad) - 1} more of {len(slices)} slices)" if len(bad) > 1 else ""
        raise ScanError(check, f"{bad[0].label}: has no usable {tag}{many}: {_AGAIN}, with its full header")


def _require_one(
    slices: Sequence[SliceHeader], check: str, what: str, values: Sequence[tuple[float | int, ...]], name: str
) -> None:
    """All values equal, but for the rounding of decimals."""
    apart = np.abs(np.asarray(values, np.float64) - np.asarray(values[0])).max(axis=1)
    if apart.max() > 0.002:
        odd = int(np.argmax(apart))
        seen = " and ".join(_numbers(values[i]) for i in (0, odd))
        labels = f"{slices[0].label} and {slices[odd].label}"
        raise ScanError(check, f"{name}: conflicting {what} in one series: {seen} ({labels}): give one series alone")


def _refuse_doubled(ordered: Sequence[SliceHeader], along: Float[np.ndarray, " n"], name: str) -> None:
    doubled = np.flatnonzero(np.diff(along) < SAME_PLACE_MM)
    if doubled.size:
        at = int(doubled[0])
        pair = f"{ordered[at].label} and {ordered[at + 1].label}"
        raise ScanError(
            "slices",
            f"{name}: {doubled.size} duplicated slice positions, the first at {along[at]:.1f} mm ({pair}): "
            "give one series of one phase",
        )


def _refuse_gaps(along: Float[np.ndarray, " n"], name: str) -> None:
    steps = np.diff(along)
    usual = float(np.median(steps))
    gaps = np.flatnonzero(steps > GAP * usual)
    if gaps.size:
        at = int(gaps[0])
        missing = max(1, round(steps[at] / usual) - 1)
        more = f", and slices in {gaps.size - 1} more places" if gaps.size > 1 else ""
        raise ScanError(
            "slices",
            f"{name}: {missing} slice{'s' * (missing != 1)} missing between {along[at]:.1f} and {along[at + 1]:.1f} mm "
            f"(the others are {usual:.2f} mm apart){more}: {_AGAIN}",
        )


def _refuse_uneven(ordered: Sequence[SliceHeader], along: Float[np.ndarray, " n"], name: str) -> None:
    """Along the normal, and across it: a stack whose slices are shifted sideways one by one is no grid either."""
    index = np.arange(len(ordered))
    places = _positions(ordered)
    fit = np.stack([np.polyval(np.polyfit(index, places[:, axis], 1), index) for axis in range(3)], axis=1)
    usual = float(np.median(np.diff(along)))
    worst = float(np.linalg.norm(places - fit, axis=1).max())
    if worst > max(0.1, UNEVEN * usual):
        steps = np.diff(along)
        raise ScanError(
            "slices",
            f"{name}: irregular slice spacing: steps of {steps.min():.2f} to {steps.max():.2f} mm put a slice "
            f"{worst:.2f} mm off an even stack: give a series with even spacing",
        )


def _numbers(values: Sequence[float | int]) -> str:
    return "(" + ", ".join(f"{v:.5g}" for v in values) + ")"
