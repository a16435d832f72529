"""Which scans a command line names: files, DICOM folders, archives, and folders of these."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rect_core.errors import ScanError
from rect_core.read import case_id_of
from rect_core.readers.names import SUFFIXES, suffix_of
from rect_vlm.sample import sample_path


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One scan to work on, with the region map that belongs to it, if any."""

    case_id: str
    path: Path
    regions: Path | None = None


def find_cases(sources: Iterable[str], *, regions: Path | None = None, anonymous: bool = False) -> list[Case]:
    """The cases of a command line, in order.

    A folder that directly holds DICOM slices is one case; otherwise each volume file and each DICOM subfolder in it is
    one. Raises ScanError when nothing is found, when two cases share an id, or when a region file has no scan.
    """
    paths = [path for source in sources for path in _expand(source)]
    cases = [Case(case_id=case_id_of(path), path=path) for path in paths]
    repeated = [name for name, count in Counter(case.case_id for case in cases).items() if count > 1]
    if repeated:
        raise ScanError(
            "output", f"{len(repeated)} case ids stand for more than one scan ({_few(repeated)}): rename the files"
        )
    cases = _with_regions(cases, regions)
    return [replace(case, case_id=f"case-{n:04d}") for n, case in enumerate(cases, 1)] if anonymous else cases


def _expand(source: str) -> list[Path]:
    if not source.strip():
        raise ScanError("file", "a scan with an empty name was given: is a variable of the shell unset?")
    path = sample_path(source.removeprefix("sample:")) if source.startswith("sample:") else Path(source)
    if not path.is_dir() or _holds_dicom(path.iterdir()):
        return [path]
    found = [p for p in sorted(path.iterdir()) if not p.name.startswith(".") and (_is_volume(p) or _is_study(p))]
    if not found:
        raise ScanError(
            "file", f"folder {path.name!r} holds no scan: expected {', '.join(SUFFIXES)} files or DICOM folders"
        )
    return found


def _is_volume(path: Path) -> bool:
    return path.is_file() and suffix_of(path) != ""


def _is_study(path: Path) -> bool:
    return path.is_dir() and _holds_dicom(path.rglob("*"))


def _holds_dicom(paths: Iterable[Path]) -> bool:
    """Whether one of the files is a DICOM file, as its preamble says."""
    return any(path.is_file() and _has_dicom_magic(path) for path in paths)


def _has_dicom_magic(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _with_regions(cases: list[Case], regions: Path | None) -> list[Case]:
    if regions is None:
        return cases
    if not regions.exists():
        raise ScanError("regions", f"region map {regions.name!r} does not exist")
    if len(cases) == 1 and (regions.is_file() or not _match(regions, cases[0].case_id)):
        return [replace(cases[0], regions=regions)]
    if regions.is_file():
        raise ScanError(
            "regions", f"one region map {regions.name!r} for {len(cases)} scans: give a folder of maps named like them"
        )
    matched = [replace(case, regions=_match(regions, case.case_id)) for case in cases]
    missing = [case.case_id for case in matched if case.regions is None]
    if missing:
        raise ScanError(
            "regions", f"folder {regions.name!r} has no region map for {len(missing)} scans ({_few(missing)})"
        )
    return matched


def _match(folder: Path, case_id: str) -> Path | None:
    return next((p for p in sorted(folder.iterdir()) if case_id_of(p) == case_id), None)


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
