"""The door: every check a scan must pass before any other part of the house sees it.

Each check is one row of `rect doctor`; a row that an earlier failure keeps from being computed says "not reached".
"""

from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Shaped

from rect_core.errors import ScanError
from rect_core.hounsfield import Survey, hounsfield_check, survey, to_hu
from rect_core.raw import Check, RawScan, Status
from rect_core.readers.payload import check_grid
from rect_core.volume import StoredGrid, Volume

CHECKS: Final = (
    "file",
    "format",
    "modality",
    "series",
    "slices",
    "orientation",
    "tilt",
    "dimensions",
    "finite",
    "hounsfield",
    "coverage",
    "chest",
    "age",
)
"""The rows in their order; the first that fails is the error of `read_volume`."""

SPACING_MM: Final = (0.1, 15.0)
"""Smallest and largest voxel size of a chest CT that is believed."""

MIN_SLICES: Final = 16
MIN_COVERAGE_MM: Final = 80.0
MIN_IN_PLANE: Final = 16
MAX_TILT_DEGREES: Final = 0.2
"""Half a voxel over the depth of a chest; rounded direction cosines stay far below."""

ADULT_YEARS: Final = 18
_NOT_REACHED: Final = "not reached"


def inspect(raw: RawScan, *, allow_tilt: bool = False) -> tuple[tuple[Check, ...], Volume | None]:
    """All rows of a scan that could be read, and its Volume when none of them fails."""
    rows = {row.name: row for row in raw.checks}
    rows["file"] = Check("file", "pass", "read completely")
    rows["format"] = Check("format", "pass", raw.format)
    for name in ("modality", "series", "slices"):
        rows.setdefault(name, Check(name, "skip", f"not stated by this format ({raw.format})"))
    rows["age"] = _age(raw)
    rows["orientation"] = _worse(affine_check(raw), rows.get("orientation"))
    rows["dimensions"] = _dimensions(raw, placed=_usable(rows["orientation"]))
    hu = _values(raw, rows)
    volume = None
    if _usable(rows["orientation"]):
        volume = _placed(raw, hu, rows, allow_tilt)
    return ordered(rows), volume if all(_usable(row) for row in rows.values()) else None


def ordered(rows: dict[str, Check]) -> tuple[Check, ...]:
    """Every row in the order of CHECKS, the ones that are missing as "not reached"."""
    return tuple(rows.get(name, Check(name, "skip", _NOT_REACHED)) for name in CHECKS)


def _values(raw: RawScan, rows: dict[str, Check]) -> Shaped[np.ndarray, "i j k"] | None:
    """Adds the rows about voxel values; the voxels in HU when they can be told."""
    if raw.array.ndim != 3 or raw.array.size == 0 or raw.array.dtype.kind not in "iufb":
        return None
    found = survey(raw.array)
    rows["finite"] = _finite(raw, found)
    if not found.finite:
        return None
    rows["hounsfield"] = hounsfield_check(found, raw.name)
    return to_hu(raw.array, found.lowest) if _usable(rows["hounsfield"]) else None


def _placed(
    raw: RawScan, hu: Shaped[np.ndarray, "i j k"] | None, rows: dict[str, Check], allow_tilt: bool
) -> Volume | None:
    """Adds the rows that need the affine: tilt, coverage, chest. The Volume when there are voxels in HU."""
    affine = raw.affine
    rows["tilt"] = _tilt(raw, allow_tilt)
    if not _usable(rows["dimensions"]):
        return None
    if rows["tilt"].status == "warn" and hu is not None:
        from rect_core.tilt import unshear

        hu, affine = unshear(hu, affine)
    shape = raw.array.shape if hu is None else hu.shape
    grid = StoredGrid(shape=(shape[0], shape[1], shape[2]), affine=affine)
    rows["coverage"] = _coverage(raw, grid)
    if hu is None:
        return None
    volume = Volume(hu=grid.to_house(hu), affine=grid.house_affine, stored=grid, case_id=raw.case_id)
    if _usable(rows["coverage"]):
        rows["chest"] = _chest(raw, volume)
    warnings = tuple(row.message for row in ordered(rows) if row.status == "warn")
    return replace(volume, warnings=warnings)


def _usable(row: Check) -> bool:
    return row.status != "fail"


def _worse(computed: Check, stated: Check | None) -> Check:
    """The reader's row unless the door's is worse: a reader knows why an affine is no good, the door only that."""
    severity: dict[Status, int] = {"skip": 0, "pass": 1, "warn": 2, "fail": 3}
    return computed if stated is None or severity[computed.status] > severity[stated.status] else stated


def affine_check(raw: RawScan) -> Check:
    """The "orientation" row as the affine alone gives it: fails for one that cannot be inverted."""
    axes = raw.affine[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(raw.affine).all() or not np.array_equal(raw.affine[3], (0, 0, 0, 1)):
        return Check(
            "orientation", "fail", f"{raw.name}: the affine is not one (NaN or a wrong last row): write the true one"
        )
    if lengths.min() == 0 or abs(np.linalg.det(axes / lengths)) < 0.1:
        return Check("orientation", "fail", f"{raw.name}: singular affine, it flattens the scan: write the true one")
    grid = StoredGrid(shape=(1, 1, 1), affine=raw.affine)
    return Check("orientation", "pass", f"stored as {grid.axes}")


def _tilt(raw: RawScan, allow_tilt: bool) -> Check:
    from rect_core.tilt import shear_degrees

    degrees = shear_degrees(raw.affine)
    if degrees <= MAX_TILT_DEGREES:
        return Check("tilt", "pass", "slices are perpendicular to their stacking direction")
    if allow_tilt:
        return Check("tilt", "warn", f"gantry tilt of {degrees:.1f} degrees resampled; masks are on the resampled grid")
    return Check(
        "tilt", "fail", f"{raw.name}: sheared by {degrees:.1f} degrees (gantry tilt): give --allow-tilt to resample it"
    )


def _dimensions(raw: RawScan, *, placed: bool) -> Check:
    try:
        shape = check_grid(raw.name, raw.array.shape, raw.array.dtype)
    except ScanError as error:
        return Check("dimensions", "fail", str(error))
    size = " x ".join(str(n) for n in shape)
    spacing = np.linalg.norm(raw.affine[:3, :3], axis=0)
    sizes = " x ".join(f"{s:.4g}" for s in spacing)
    if placed and not np.all((spacing >= SPACING_MM[0]) & (spacing <= SPACING_MM[1])):
        limits = f"{SPACING_MM[0]:g} to {SPACING_MM[1]:g} mm"
        return Check(
            "dimensions",
            "fail",
            f"{raw.name}: voxels of {sizes} mm are not a chest CT's ({limits}): is the header in mm?",
        )
    if sorted(shape)[1] < MIN_IN_PLANE:
        return Check("dimensions", "fail", f"{raw.name}: {size} voxels are no volume: give the whole scan")
    return Check("dimensions", "pass", f"{size} voxels" + (f" of {sizes} mm" if placed else ""))


def _finite(raw: RawScan, found: Survey) -> Check:
    if found.finite:
        return Check("finite", "pass", "every voxel is a number")
    bad = sum(int(np.count_nonzero(~np.isfinite(raw.array[i]))) for i in range(raw.array.shape[0]))
    return Check("finite", "fail", f"{raw.name}: {bad} voxels are NaN or infinite: write the scan again without them")


def _coverage(raw: RawScan, grid: StoredGrid) -> Check:
    slices = grid.house_shape[0]
    spacing = float(np.linalg.norm(grid.house_affine[:3, 0]))
    covered = f"{slices} slices over {slices * spacing:.0f} mm"
    if slices < MIN_SLICES or slices * spacing < MIN_COVERAGE_MM:
        needed = f"{MIN_SLICES} slices and {MIN_COVERAGE_MM:.0f} mm"
        return Check("coverage", "fail", f"{raw.name}: {covered} from feet to head: at least {needed} are needed")
    return Check("coverage", "pass", covered)


def _chest(raw: RawScan, volume: Volume) -> Check:
    # here, because anatomy reads masks, and reading masks needs the door
    from rect_core.anatomy import LUNG_AIR_MIN_ML, lung_air_ml

    ml = lung_air_ml(volume.hu, volume.spacing_mm)
    if ml < LUNG_AIR_MIN_ML:
        return Check(
            "chest",
            "fail",
            f"{raw.name}: {ml:.0f} ml of lung-like air, a chest holds {LUNG_AIR_MIN_ML:.0f} and more: "
            "is it another body part?",
        )
    return Check("chest", "pass", f"{ml:.0f} ml of lung-like air")


def _age(raw: RawScan) -> Check:
    if raw.age_years is None:
        return Check("age", "skip", "not stated")
    if raw.age_years < ADULT_YEARS:
        return Check("age", "warn", f"the patient is under {ADULT_YEARS}: nothing here was made or tested for children")
    return Check("age", "pass", f"{ADULT_YEARS} or older")
