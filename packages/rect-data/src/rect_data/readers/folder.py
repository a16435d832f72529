"""A hospital's own folders of scans, with tables and masks where there are any."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rect_core.errors import DataError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.manifest import check_patients
from rect_core.read import read_volume
from rect_core.readers.names import SUFFIXES, case_id_of, suffix_of
from rect_core.types import ManifestRow
from rect_core.volume import Volume
from rect_data.readers.headers import read_header
from rect_data.readers.tables import REPORT_COLUMNS, UNKNOWN, Line, near, read_table, refuse_unmatched
from rect_data.readers.totalsegmentator import pseudo_lesions

_MAPS: Final = tuple(suffix for suffix in SUFFIXES if suffix not in (".zip", ".dcm"))
"""Suffixes of masks and maps: all that hold one volume."""


@dataclass(frozen=True, slots=True)
class FolderCt:
    """A folder of chest CTs in HU.

    images: volume files and DICOM subfolders (or .zip), each one case, named as the file without its suffix.
    labels: CSV with VolumeName and the 18 labels (0, 1 or empty); columns `patient`, `scan` and `split` are used where
    they are there. Without `patient` every scan counts as a patient of its own: give it, or k-fold will leak.
    reports: CSV with VolumeName, Findings_EN, Impressions_EN. A scan that a table does not name has unknown labels, no
    report. masks: `<case>_<finding>.nii.gz` or `<case>/<finding>.nii.gz` with instance ids, or `<case>.nii.gz` with the
    values 1..5 of `rect predict`'s lesions.nii.gz; a folder `<case>` of TotalSegmentator gives its nodules and
    effusions. regions: `<case>.nii.gz` with the values 0..20 or TotalSegmentator's, or a folder `<case>` of its masks.
    Every name in a table or folder must be a scan's. split: of the rows whose table names none.
    """

    images: Path
    labels: Path | None = None
    reports: Path | None = None
    masks: Path | None = None
    regions: Path | None = None
    split: str = "train"

    @property
    def root(self) -> Path:
        """The folder of images: paths of the rows are relative to it."""
        return self.images

    def rows(self) -> list[ManifestRow]:
        """One row a scan, by name. Raises DataError."""
        scans = find_scans(self.images)
        labels = {} if self.labels is None else read_table(self.labels, LABELS, ("patient", "scan", "split"))
        reports = {} if self.reports is None else read_table(self.reports, REPORT_COLUMNS)
        for table in (labels, reports):
            refuse_unmatched(table, scans, self.images.name)
        masks = {} if self.masks is None else find_masks(self.masks, scans, self.images)
        regions = {} if self.regions is None else find_maps(self.regions, scans, self.images)
        rows = []
        for name, path in scans.items():
            header, line = read_header(path), labels.get(name)
            rows.append(
                ManifestRow(
                    case_id=name,
                    volume=relative(path, self.images),
                    patient=_patient(line, name),
                    scan=_cell(line, "scan", name),
                    split=_cell(line, "split", self.split),
                    spacing_mm=header.spacing_mm,
                    regions=regions.get(name, ""),
                    lesions=masks.get(name, {}),
                    labels=line.labels if line else UNKNOWN,
                    report=reports[name].report if name in reports else "",
                    exclusion=header.exclusion,
                )
            )
        check_patients(rows, self.labels.name if self.labels else self.images.name)
        return rows

    def load(self, row: ManifestRow) -> Volume:
        """The scan of a row. Raises ScanError for what is not a chest CT in HU."""
        return read_volume(self.images / row.volume, case_id=row.case_id)

    def from_tables(self, row: ManifestRow) -> Mapping[str, str]:
        """Nothing: the files say all."""
        return {}


def find_scans(images: Path) -> dict[str, Path]:
    """Scans of a folder by case id, in order. Raises DataError for none and for two of one name."""
    if not images.is_dir():
        raise DataError(f"{images.name}: no such folder of scans")
    found: dict[str, Path] = {}
    for path in sorted(images.iterdir()):
        if path.name.startswith(".") or not (path.is_dir() or suffix_of(path)):
            continue
        before = found.setdefault(case_id_of(path), path)
        if before != path:
            raise DataError(
                f"{images.name}: {before.name} and {path.name} are both case {case_id_of(path)!r}: rename one"
            )
    if not found:
        raise DataError(f"{images.name}: no scan in it: scans are DICOM folders and files {', '.join(SUFFIXES)}")
    return dict(sorted(found.items()))


def find_masks(folder: Path, scans: Mapping[str, Path], root: Path) -> dict[str, dict[str, str]]:
    """Masks of the five findings by case and finding. Raises DataError for a file that belongs to no scan."""
    found: dict[str, dict[str, str]] = {}
    for path in _entries(folder):
        case, masks = _masks(path, scans, folder, root)
        twice = next((finding for finding in masks if finding in found.get(case, {})), "")
        if twice:
            raise DataError(f"{folder.name}: {path.name} is a second mask of {twice} of {case!r}: keep one")
        found.setdefault(case, {}).update(masks)
    return found


def _masks(path: Path, scans: Mapping[str, Path], folder: Path, root: Path) -> tuple[str, dict[str, str]]:
    """The case that an entry of a folder of masks belongs to, and the findings it holds."""
    name = case_id_of(path)
    if path.is_dir():
        _known(name, scans, folder)
        return name, _subfolder(path, root)
    if name in scans:
        place = relative(path, root)
        return name, {f: f"{place}#value={k}" for k, f in enumerate(LOCALIZED, start=1)}
    finding = next((f for f in LOCALIZED if name.endswith(f"_{f}")), "")
    if not finding:
        raise DataError(
            f"{folder.name}: {path.name} belongs to no scan and names none of {', '.join(LOCALIZED)}"
            f"{near(name, scans)}: name it <case>_<finding>.nii.gz"
        )
    case = name.removesuffix(f"_{finding}")
    _known(case, scans, folder)
    return case, {finding: relative(path, root)}


def find_maps(folder: Path, scans: Mapping[str, Path], root: Path) -> dict[str, str]:
    """Region maps (files, or folders of TotalSegmentator) by case. Raises DataError for one that belongs to no scan."""
    found: dict[str, Path] = {}
    for path in _entries(folder):
        name = case_id_of(path)
        _known(name, scans, folder)
        if found.setdefault(name, path) != path:
            raise DataError(f"{folder.name}: {found[name].name} and {path.name} are both of {name!r}: keep one")
    return {name: relative(path, root) for name, path in found.items()}


def relative(path: Path, root: Path) -> str:
    """A path as a manifest holds it: relative, with forward slashes. A file that is a link keeps its own name."""
    return Path(os.path.relpath(path.parent.resolve() / path.name, root.resolve())).as_posix()


def _subfolder(folder: Path, root: Path) -> dict[str, str]:
    own = {f: folder / f"{f}{suffix}" for suffix in _MAPS for f in LOCALIZED if (folder / f"{f}{suffix}").is_file()}
    found = pseudo_lesions(folder, root) | {finding: relative(path, root) for finding, path in own.items()}
    if not found:
        raise DataError(f"{folder.parent.name}/{folder.name}: no mask of {', '.join(LOCALIZED)} in it: name one so")
    return found


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder.name}: no such folder of masks")
    there = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found = [path for path in there if path.is_dir() or suffix_of(path) in _MAPS]
    if not found:
        raise DataError(f"{folder.name}: no mask in it: masks are folders and files {', '.join(_MAPS)}")
    return found


def _known(name: str, scans: Mapping[str, Path], folder: Path) -> None:
    if name not in scans:
        raise DataError(f"{folder.name}: {name} is no scan's name{near(name, scans)}: rename it as its scan")


def _patient(line: Line | None, name: str) -> str:
    """An empty cell would make a patient of its own of a scan whose patient is somebody else's as well."""
    patient = _cell(line, "patient", "")
    if line and "patient" in line.cells and not patient:
        raise DataError(f"{line.where}: patient is empty: name the patient, or remove the column")
    return patient or name


def _cell(line: Line | None, column: str, otherwise: str) -> str:
    value = line.cells.get(column, "").strip() if line else ""
    return value or otherwise
