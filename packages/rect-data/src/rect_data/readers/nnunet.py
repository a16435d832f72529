"""Data in nnU-Net's raw layout (https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_core.findings import LOCALIZED, slug
from rect_core.read import read_volume
from rect_core.types import ManifestRow
from rect_core.volume import Volume
from rect_data.readers.headers import read_header
from rect_data.readers.tables import near

_FOLDERS: Final = {"train": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")}
_CHANNEL: Final = "_0000"


@dataclass(frozen=True, slots=True)
class NnUnetCt:
    """`imagesTr/<case>_0000.nii.gz`, `labelsTr/<case>.nii.gz` and `dataset.json`; imagesTs is split "test".

    findings: names of its labels -> our findings, such as {"tumor": "lung_nodule"}; "" for one that is none of ours.
    Labels named as our findings need no entry. Each scan counts as a patient of its own.
    """

    root: Path
    findings: Mapping[str, str] = field(default_factory=dict)

    def rows(self) -> list[ManifestRow]:
        """One row a scan. Raises DataError."""
        about = read_json(self.root / "dataset.json")
        values, ending = self._values(about), str(about.get("file_ending", ".nii.gz"))
        rows = [row for split in _FOLDERS for row in self._split(split, values, ending)]
        if not rows:
            raise DataError(f"{self.root.name}: no <case>{_CHANNEL}{ending} in imagesTr or imagesTs")
        return rows

    def load(self, row: ManifestRow) -> Volume:
        """The scan of a row. Raises ScanError for what is not a chest CT in HU."""
        return read_volume(self.root / row.volume, case_id=row.case_id)

    def from_tables(self, row: ManifestRow) -> Mapping[str, str]:
        """Nothing: the files say all."""
        return {}

    def _split(self, split: str, values: Mapping[str, int], ending: str) -> list[ManifestRow]:
        images, labels = (self.root / folder for folder in _FOLDERS[split])
        scans = {_case(path, ending): path for path in sorted(images.glob(f"*{ending}"))}
        masks = {path.name.removesuffix(ending): path for path in sorted(labels.glob(f"*{ending}"))}
        for name in masks:
            if name not in scans:
                raise DataError(
                    f"{labels.name}/{name}{ending}: no scan of that name in {images.name}{near(name, scans)}"
                )
        if split == "train" and (bare := [name for name in scans if name not in masks]):
            raise DataError(f"{images.name}/{scans[bare[0]].name}: no label file {bare[0]}{ending} in {labels.name}")
        return [self._row(name, path, split, masks.get(name), values) for name, path in scans.items()]

    def _row(self, name: str, path: Path, split: str, mask: Path | None, values: Mapping[str, int]) -> ManifestRow:
        header, place = read_header(path), "" if mask is None else mask.relative_to(self.root).as_posix()
        return ManifestRow(
            case_id=name,
            volume=path.relative_to(self.root).as_posix(),
            patient=name,
            scan=name,
            split=split,
            spacing_mm=header.spacing_mm,
            lesions={finding: f"{place}#value={value}" for finding, value in values.items()} if place else {},
            exclusion=header.exclusion,
        )

    def _values(self, about: Mapping[str, Any]) -> dict[str, int]:
        """Value of each of our findings in the label files."""
        channels = about.get("channel_names", about.get("modality", {}))
        if [str(name).upper() for name in channels.values()] != ["CT"]:
            raise DataError(f"dataset.json: channels {list(channels.values())}: one channel named CT is needed")
        found: dict[str, int] = {}
        for name, value in _named(about.get("labels", {})).items():
            finding = self.findings.get(name, slug(name))
            if finding == "" or name == "background":
                continue
            if finding not in LOCALIZED:
                raise DataError(
                    f"dataset.json: label {name!r} is none of our findings{near(finding, LOCALIZED)}: "
                    f"give findings={{{name!r}: ...}} with one of {', '.join(LOCALIZED)}, or ''"
                )
            if not isinstance(value, int) or finding in found:
                raise DataError(
                    f"dataset.json: label {name!r} is {value!r}: one whole number for each finding is needed"
                )
            found[finding] = value
        return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises DataError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{path.name}: no such file in {path.parent.name}") from error
    except ValueError as error:
        raise DataError(f"{path.name}: not JSON ({error}): write it again") from error
    if not isinstance(data, dict):
        raise DataError(f"{path.name}: a {type(data).__name__} where an object is needed")
    return data


def _named(labels: Mapping[str, Any]) -> dict[str, Any]:
    """Value by name; the first nnU-Net wrote {"1": "name"}."""
    return {str(v): int(k) for k, v in labels.items()} if all(k.isdecimal() for k in labels) else dict(labels)


def _case(path: Path, ending: str) -> str:
    name = path.name.removesuffix(ending)
    if not name.endswith(_CHANNEL):
        raise DataError(f"{path.parent.name}/{path.name}: nnU-Net names the only channel <case>{_CHANNEL}{ending}")
    return name.removesuffix(_CHANNEL)
