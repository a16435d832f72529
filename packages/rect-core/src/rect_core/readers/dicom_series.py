"""Which series of a study is read: the one with the most axial CT slices. The others are told, never silently mixed."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from rect_core.errors import ScanError
from rect_core.raw import Check
from rect_core.readers.dicom_header import SliceHeader

_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7."
_REDRAWN: Final = {
    "MPR",
    "MIP",
    "MINIP",
    "MAXIP",
    "VRT",
    "REFORMATTED",
    "PROJECTION IMAGE",
    "SCREEN SAVE",
    "SCREENSHOT",
}
_PLANES: Final = ("sagittal", "coronal", "axial")
_TOLD: Final = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """The slices of one series that may form a volume. plane: 0 sagittal, 1 coronal, 2 axial; places: how many
    positions they lie at, so that copies do not count."""

    slices: tuple[SliceHeader, ...]
    plane: int
    places: int

    @property
    def rank(self) -> tuple[bool, int, float, int]:
        """Axial before all else, then more slices, then thinner ones, then the lower series number."""
        first = self.slices[0]
        return self.plane == 2, self.places, -(first.thickness or np.inf), -(first.number or 0)

    def __str__(self) -> str:
        first, count = self.slices[0], len(self.slices)
        thickness = f" of {first.thickness:g} mm" if first.thickness else ""
        kernel = f", kernel {first.kernel}" if first.kernel else ""
        return f"{_series(first)}, {count} {_PLANES[self.plane]} slice{'s' * (count != 1)}{thickness}{kernel}"


def choose_series(headers: Sequence[SliceHeader], name: str) -> tuple[Stack, tuple[Check, ...]]:
    """The stack to read, and the rows "modality" and "series".

    Left out: what is not CT, localizers, derived and colour images. Raises ScanError "format" (no DICOM at all),
    "modality" (no CT), "series" (nothing left, or several studies). Messages hold series numbers, counts, kernels and
    thicknesses, never names or descriptions.
    """
    if not headers:
        raise ScanError(
            "format", f"{name}: no DICOM images: give the folder or zip that holds the slices of a chest CT"
        )
    reasons = [why_unused(header) for header in headers]
    usable = [header for header, reason in zip(headers, reasons, strict=True) if not reason]
    unused = _listed((h, r) for h, r in zip(headers, reasons, strict=True) if r)
    if all(header.modality != "CT" for header in headers):
        found = ", ".join(sorted({header.modality or "unknown" for header in headers}))
        raise ScanError("modality", f"{name}: modality {found} instead of CT: give a chest CT series")
    if not usable:
        raise ScanError("series", f"{name}: no original CT slices: {_short(unused)}: give the axial series itself")
    if (studies := len({header.study for header in usable})) > 1:
        raise ScanError("series", f"{name}: CT series of {studies} studies: give the folder of one study")
    chosen, *others = sorted(_stacks(usable), key=lambda stack: stack.rank, reverse=True)
    left = [str(stack) for stack in others] + unused
    told = f"{chosen}; not used: {_short(left)}" if left else str(chosen)
    return chosen, (
        Check(name="modality", status="pass", message="CT"),
        Check(name="series", status="pass", message=told),
    )


def why_unused(header: SliceHeader) -> str:
    """Why an image cannot be a slice of a CT volume, or ""."""
    kind = header.image_type
    # A derived image is kept when it is a primary axial one, as scanners call their dual-energy mixes.
    redrawn = kind[:1] == ("DERIVED",) and not (kind[1:2] == ("PRIMARY",) and "AXIAL" in kind)
    reasons = (
        (header.modality != "CT", f"modality {header.modality or 'unknown'}"),
        ("LOCALIZER" in kind, "localizer"),
        (header.samples != 1 or header.photometric in ("RGB", "PALETTE", "YBR_FULL", "YBR_FULL_422"), "RGB"),
        (redrawn or not _REDRAWN.isdisjoint(kind) or f"{header.sop_class}.".startswith(_SECONDARY_CAPTURE), "derived"),
        (header.photometric == "MONOCHROME1", "MONOCHROME1, grey values inverted"),
        (not header.rows or not header.columns, "no image"),
    )
    return next((reason for found, reason in reasons if found), "")


def _stacks(usable: Iterable[SliceHeader]) -> list[Stack]:
    """One stack a series and plane (scouts may share their series' UID), and a pass of the scanner where several
    passes lie at the same positions."""
    by_series: dict[str, list[SliceHeader]] = defaultdict(list)
    for header in usable:
        by_series[header.series].append(header)
    stacks: list[Stack] = []
    for series in by_series.values():
        # A slice without orientation stays with the others of its series, so that it is refused and not lost.
        usual = Counter(p for p in map(_plane, series) if p is not None).most_common(1)
        default = usual[0][0] if usual else 2
        by_plane: dict[int, list[SliceHeader]] = defaultdict(list)
        for header in series:
            found = _plane(header)
            by_plane[default if found is None else found].append(header)
        for plane, group in by_plane.items():
            stacks += [Stack(slices=tuple(p), plane=plane, places=_places(p)) for p in _passes(group)]
    return stacks


def _passes(group: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Several phases under one series UID, told apart by acquisition number. A step-and-shoot scan numbers each of its
    steps, so a pass counts only when it covers half of all positions, and only when positions come twice."""
    by_number: dict[int | None, list[SliceHeader]] = defaultdict(list)
    for header in group:
        by_number[header.acquisition].append(header)
    passes = list(by_number.values())
    distinct = len({header.sop for header in group})
    if _places(group) == distinct or 2 * max(map(_places, passes)) < _places(group):
        return [group]
    return passes


def _places(group: Sequence[SliceHeader]) -> int:
    along = [round(header.along_mm, 2) for header in group if np.isfinite(header.along_mm)]
    return len(set(along)) + len(group) - len(along)


def _plane(header: SliceHeader) -> int | None:
    normal = header.normal
    return None if normal is None else int(np.argmax(np.abs(normal)))


def _listed(dropped: Iterable[tuple[SliceHeader, str]]) -> list[str]:
    found = Counter((header.series, reason, _series(header)) for header, reason in dropped)
    return [f"{label}, {n} image{'s' * (n != 1)} ({reason})" for (_, reason, label), n in sorted(found.items())]


def _short(texts: Sequence[str]) -> str:
    more = len(texts) - _TOLD
    return "; ".join(texts[:_TOLD]) + (f"; and {more} more" if more > 0 else "")


def _series(header: SliceHeader) -> str:
    return "series without number" if header.number is None else f"series {header.number}"
