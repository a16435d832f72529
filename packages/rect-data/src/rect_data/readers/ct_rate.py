"""CT-RATE as its Hub repository lays it out (and as `tools/make_phantoms.py` does)."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from rect_core.errors import DataError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.types import ManifestRow, Reasoning
from rect_core.volume import Volume
from rect_data import ct_rate
from rect_data.readers.door import hu_scan, metadata_affine, rescaled_scan
from rect_data.readers.headers import Header, placed, read_header
from rect_data.readers.tables import REPORT_COLUMNS, Line, near, read_table

NO_CHEST: Final = {split: f"dataset/metadata/no_chest_{split}.txt" for split in ct_rate.SPLITS}
"""CT-RATE's lists of volumes that show no chest."""

METADATA: Final = (
    *("RescaleIntercept", "RescaleSlope", "XYSpacing", "ZSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient"),
)
"""Columns of the metadata that version 1 needs."""

_NAME: Final = re.compile(r"(train|valid)_[0-9]+_[a-z]+_[0-9]+")
_LISTED: Final = re.compile(r"(train|valid)_[0-9]+(_[a-z]+(_[0-9]+)?)?")
_EFFUSIONS: Final = {"pleural_effusion": 2, "pericardial_effusion": 3}


@dataclass(frozen=True, slots=True)
class CtRate:
    """CT-RATE (Hamamci et al. 2024, https://arxiv.org/abs/2403.17834), version 2 (`train_fixed`, in HU) or 1.

    root: the folder that holds `dataset`. The volumes that are there are listed, so that a part of the set can be read;
    each must stand in the tables of its split. pseudo_lesions: take nodules and effusions from TotalSegmentator's
    masks where there are no others; they are a network's opinion, and ground-glass and consolidation stay unknown.

    Version 1 holds stored values and an empty header: `load` applies slope and intercept and takes the place from the
    metadata. Version 2 must never be rescaled, whatever the metadata say.
    """

    root: Path
    version: Literal[1, 2] = 2
    splits: tuple[str, ...] = ct_rate.SPLITS
    pseudo_lesions: bool = False

    def __post_init__(self) -> None:
        if self.version not in (1, 2):
            raise DataError(f"version {self.version!r} of CT-RATE: give 1 (stored values) or 2 (in HU)")
        unknown = [split for split in self.splits if split not in ct_rate.SPLITS]
        if unknown:
            raise DataError(f"CT-RATE has no split {unknown[0]!r}: give {' or '.join(ct_rate.SPLITS)}")

    def rows(self) -> list[ManifestRow]:
        """One row a volume on disk, by split, patient, scan and reconstruction. Raises DataError."""
        rows = [row for split in self.splits for row in self._split(split)]
        if not rows:
            other = 3 - self.version
            there = any((self.root / _folder(split, other)).is_dir() for split in self.splits)
            hint = f"only version {other} is there: give version={other}" if there else "give the folder with dataset/"
            raise DataError(f"{self.root.name}: no volume of version {self.version} of CT-RATE in it; {hint}")
        return rows

    def load(self, row: ManifestRow) -> Volume:
        """The scan of a row in HU. Raises ScanError for a scan that the door refuses, DataError for its metadata."""
        path = self.root / row.volume
        if self.version == 2:
            return hu_scan(path, row.case_id)
        return rescaled_scan(path, row.case_id, self._metadata(row))

    def from_tables(self, row: ManifestRow) -> Mapping[str, str]:
        """Of version 1 slope, intercept and place."""
        return self._metadata(row).cells if self.version == 1 else {}

    def _metadata(self, row: ManifestRow) -> Line:
        relative = ct_rate.METADATA[row.split]
        table = _metadata(self.root / relative, row.split, (self.root / relative).stat().st_mtime_ns)
        return _line(table, row.case_id, relative)

    def _split(self, split: str) -> Iterator[ManifestRow]:
        found = _volumes(self.root, _folder(split, self.version), split)
        if not found:
            return
        labels = _table(self.root / ct_rate.LABELS[split], LABELS, split)
        reports = _table(self.root / ct_rate.REPORTS[split], REPORT_COLUMNS, split)
        metadata = _table(self.root / ct_rate.METADATA[split], METADATA, split) if self.version == 1 else {}
        reasoning, unusable = _reasoning(self.root, split), _no_chest(self.root, split)
        for name, volume in sorted(found.items(), key=lambda item: _order(item[0])):
            scan = name.rpartition("_")[0]
            line = _line(metadata, name, ct_rate.METADATA[split]) if self.version == 1 else None
            header = _header(self.root / volume, line)
            listed = next((x for x in (name, scan, scan.rpartition("_")[0]) if x in unusable), None)
            yield ManifestRow(
                case_id=name,
                volume=volume,
                patient=scan.rpartition("_")[0],
                scan=scan,
                split=split,
                spacing_mm=header.spacing_mm,
                regions=self._first(ct_rate.map_path("regions", name), ct_rate.ts_path("ts_total", name)),
                lobes=self._first(ct_rate.map_path("lobes", name)),
                lesions=self._lesions(name),
                labels=_line(labels, name, ct_rate.LABELS[split]).labels,
                report=_line(reports, name, ct_rate.REPORTS[split]).report,
                reasoning=reasoning.get(name),
                exclusion=header.exclusion
                if listed is None
                else f"no chest: {listed} is in {Path(NO_CHEST[split]).name}",
            )

    def _first(self, *relative: str) -> str:
        return next((path for path in relative if (self.root / path).is_file()), "")

    def _lesions(self, name: str) -> dict[str, str]:
        found = {finding: self._first(ct_rate.lesion_path(name, finding)) for finding in LOCALIZED}
        if self.pseudo_lesions:
            nodules = self._first(ct_rate.ts_path("ts_lung_nodules", name))
            effusions = self._first(ct_rate.ts_path("ts_pleural_pericard_effusion", name))
            pseudo = {"lung_nodule": nodules and f"{nodules}#value=2"}
            pseudo |= {finding: effusions and f"{effusions}#value={v}" for finding, v in _EFFUSIONS.items()}
            found = {finding: path or pseudo.get(finding, "") for finding, path in found.items()}
        return {finding: path for finding, path in found.items() if path}


def _folder(split: str, version: int) -> str:
    return f"dataset/{split}_fixed" if version == 2 else f"dataset/{split}"


def _volumes(root: Path, folder: str, split: str) -> dict[str, str]:
    """Path of every volume below a folder by its name. Raises DataError for one of another name or another place."""
    found = {}
    for path in _files(root / folder):
        name, relative = path.name.removesuffix(".nii.gz"), path.relative_to(root).as_posix()
        if _NAME.fullmatch(name) is None or not name.startswith(f"{split}_"):
            raise DataError(f"{relative}: not the name of a volume of split {split}, such as {split}_1_a_1.nii.gz")
        if relative != f"{folder}/{ct_rate.folder(name)}/{path.name}":
            raise DataError(f"{relative}: CT-RATE keeps it in {folder}/{ct_rate.folder(name)}: move it there")
        found[name] = relative
    return found


def _files(folder: Path) -> list[Path]:
    """Every .nii.gz file below a folder, those in linked folders too, which rglob leaves out."""
    walk = os.walk(folder, followlinks=True)
    return sorted(Path(place, name) for place, _, names in walk for name in names if name.endswith(".nii.gz"))


def _order(name: str) -> tuple[int, str, int]:
    _, patient, scan, number = name.split("_")
    return int(patient), scan, int(number)


def _header(path: Path, line: Line | None) -> Header:
    """Of version 1 (with a line of metadata) the place that its metadata give."""
    if line is None:
        return read_header(path)
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        image: Any = nib.load(path)
    except (ImageFileError, OSError, EOFError):
        return Header(problem=f"{path.name}: the header cannot be read: copy the file again from its source")
    return placed(path.name, tuple(int(n) for n in image.shape), metadata_affine(line))


def _table(path: Path, needed: tuple[str, ...], split: str) -> dict[str, Line]:
    table = read_table(path, needed)
    for name, line in table.items():
        if _NAME.fullmatch(name) is None or not name.startswith(f"{split}_"):
            raise DataError(f"{line.where}: {name!r} is not a volume of split {split}: correct the name")
    return table


@lru_cache(maxsize=8)
def _metadata(path: Path, split: str, mtime_ns: int) -> Mapping[str, Line]:
    """Kept for the many scans that one worker loads, as long as the file is the same."""
    return _table(path, METADATA, split)


def _line(table: Mapping[str, Line], name: str, relative: str) -> Line:
    if name not in table:
        raise DataError(
            f"{Path(relative).name}: no row of {name}.nii.gz, which is on disk{near(name, table)}: "
            "download the table again"
        )
    return table[name]


def _reasoning(root: Path, split: str) -> dict[str, Reasoning]:
    path = root / ct_rate.REASONING[split]
    if not path.is_file():
        return {}
    found: dict[str, Reasoning] = {}
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n")  # not splitlines: U+2028 may stand in a JSON string
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            name = str(entry["VolumeName"]).removesuffix(".nii.gz")
            reasoning = Reasoning.from_json(entry["reasoning"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path.name}: line {number} is no reasoning ({error}): write it again") from error
        if _NAME.fullmatch(name) is None or not name.startswith(f"{split}_"):
            raise DataError(f"{path.name}: line {number}: {name!r} is not a volume of split {split}: correct the name")
        if name in found:
            raise DataError(f"{path.name}: line {number}: {name!r} stands in an earlier line already: keep one")
        found[name] = reasoning
    return found


def _no_chest(root: Path, split: str) -> frozenset[str]:
    """Names of the volumes, scans or patients of a list; none where there is no list."""
    path = root / NO_CHEST[split]
    if not path.is_file():
        return frozenset()
    names = set()
    for number, text in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        name = text.strip().rpartition("/")[2].removesuffix(".nii.gz")
        if name and (_LISTED.fullmatch(name) is None or not name.startswith(f"{split}_")):
            raise DataError(f"{path.name}: row {number}: {name!r} is not a volume of split {split}: correct the list")
        names.add(name)
    return frozenset(names - {""})
