"""TotalSegmentator's own folders: its public data set, and what its tasks say of nodules and effusions.

Wasserthal et al. 2023, https://doi.org/10.1148/ryai.230024; the tasks `lung_nodules` and `pleural_pericard_effusion`.
"""

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rect_core.errors import DataError
from rect_core.read import read_volume
from rect_core.types import ManifestRow
from rect_core.volume import Volume
from rect_data.readers.headers import read_header

SPLITS: Final = {"train": "train", "val": "valid", "test": "test"}
_PSEUDO: Final = {
    "lung_nodules": "lung_nodule",
    "pleural_effusion": "pleural_effusion",
    "pericardial_effusion": "pericardial_effusion",
}
"""Classes of its tasks, a file each, and the findings they are."""


def pseudo_lesions(folder: Path, root: Path) -> dict[str, str]:
    """Nodules and effusions among the masks of a TotalSegmentator folder, as paths relative to root: what a network
    saw, which is neither complete nor checked. Findings without a file stay unknown."""
    place = os.path.relpath(folder.resolve(), root.resolve())
    return {
        finding: Path(place, f"{name}.nii.gz").as_posix() + "#value=1"
        for name, finding in _PSEUDO.items()
        if (folder / f"{name}.nii.gz").is_file()
    }


@dataclass(frozen=True, slots=True)
class TotalSegmentatorCt:
    """TotalSegmentator's public data set: `s0001/ct.nii.gz`, `s0001/segmentations/<class>.nii.gz`, `meta.csv`.

    Each subject is one scan of one patient with its regions; labels and reports are unknown. Many subjects show no
    chest: `load` refuses those. Without meta.csv all are of split train.
    """

    root: Path

    def rows(self) -> list[ManifestRow]:
        """One row a subject. Raises DataError."""
        subjects = sorted(path.parent for path in self.root.glob("*/ct.nii.gz"))
        if not subjects:
            raise DataError(
                f"{self.root.name}: no subject with a ct.nii.gz: give the folder that holds s0001 and so on"
            )
        splits = self._splits()
        return [self._row(subject, splits) for subject in subjects]

    def load(self, row: ManifestRow) -> Volume:
        """The scan of a row. Raises ScanError for what is not a chest CT in HU."""
        return read_volume(self.root / row.volume, case_id=row.case_id)

    def from_tables(self, row: ManifestRow) -> Mapping[str, str]:
        """Nothing: the files say all."""
        return {}

    def _row(self, subject: Path, splits: dict[str, str]) -> ManifestRow:
        name, masks = subject.name, subject / "segmentations"
        if splits and name not in splits:
            raise DataError(f"meta.csv: no row of {name}, which is on disk: download the table again")
        header = read_header(subject / "ct.nii.gz")
        return ManifestRow(
            case_id=name,
            volume=f"{name}/ct.nii.gz",
            patient=name,
            scan=name,
            split=splits.get(name, "train"),
            spacing_mm=header.spacing_mm,
            regions=f"{name}/segmentations" if masks.is_dir() else "",
            lesions=pseudo_lesions(masks, self.root) if masks.is_dir() else {},
            exclusion=header.exclusion,
        )

    def _splits(self) -> dict[str, str]:
        path = self.root / "meta.csv"
        if not path.is_file():
            return {}
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = list(csv.DictReader(file, delimiter=";"))
        found = {}
        for number, line in enumerate(lines, start=2):
            name, split = line.get("image_id"), line.get("split")
            if not name or split not in SPLITS:
                raise DataError(
                    f"meta.csv: row {number}: image_id {name!r}, split {split!r}: give a subject and one of "
                    f"{', '.join(SPLITS)}, separated by semicolons"
                )
            found[name] = SPLITS[split]
        return found
