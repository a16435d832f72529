"""ReXGroundingCT: findings of CT-RATE's reports, outlined (Baharoon et al. 2025, https://arxiv.org/abs/2507.22030)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_core.manifest import PARTIAL, moved
from rect_core.types import ManifestRow
from rect_core.volume import Volume
from rect_data import ct_rate
from rect_data.readers.door import hu_scan
from rect_data.readers.folder import relative
from rect_data.readers.headers import read_header
from rect_data.readers.nnunet import read_json
from rect_data.splits import without_leaks

SPLITS: Final = {"train": "train", "val": "valid", "test": "test"}
"""Its splits -> ours."""

CATEGORIES: Final = {
    "2b": ("consolidation", ("consolidat",)),
    "2c": ("ground_glass_opacity", ()),
    "2d": ("lung_nodule", ()),
    "2e": ("pleural_effusion", ("effusion", "fluid")),
}
"""Category -> our finding, and the words that its text must hold: 2b is atelectasis or consolidation, 2e effusion or
thickening, and only one of each is ours. There is no pericardial effusion."""

_FIELDS: Final = ("name", "findings", "categories")


@dataclass(frozen=True, slots=True)
class ReXGroundingCt:
    """`dataset.json` with train, val and test; masks in a folder beside it; the scans in CT-RATE, version 2.

    root: holds dataset.json and the folder `masks`. ct_rate: root of CT-RATE. Scans that are not there are left out.
    A mask of the training split holds three instances of a finding at most: such findings stand under "partial:" and
    the finding in `lesions` (see `rect_core.manifest.PARTIAL`). A finding that no entry names stays unknown. Training
    rows on scans of CT-RATE's validation split, or of patients in a later split of this set, are excluded as leaks.
    Masks are read by `read_lesions`, which gives them their scan's affine instead of the identity that they carry.
    """

    root: Path
    ct_rate: Path
    masks: str = "segmentations"

    def rows(self) -> list[ManifestRow]:
        """One row an entry whose scan is there. Raises DataError."""
        path = self.root / "dataset.json"
        data = read_json(path)
        unknown = [key for key in data if key not in SPLITS]
        if unknown or "train" not in data:
            raise DataError(f"{path.name}: splits {', '.join(data)}: train, val and test are needed")
        found = [
            row
            for key, split in SPLITS.items()
            for number, entry in enumerate(data.get(key, []))
            for row in self._row(entry, split, f"{path.name}: {key}[{number}]")
        ]
        if not found:
            raise DataError(f"{self.ct_rate.name}: none of the scans of {path.name} is there: give the root of CT-RATE")
        return without_leaks(found)

    def load(self, row: ManifestRow) -> Volume:
        """The scan of a row in HU. Raises ScanError for what the door refuses."""
        return hu_scan(self.root / row.volume, row.case_id)

    def from_tables(self, row: ManifestRow) -> Mapping[str, str]:
        """Nothing: the files say all."""
        return {}

    def _row(self, entry: Mapping[str, Any], split: str, where: str) -> list[ManifestRow]:
        missing = [name for name in _FIELDS if name not in entry]
        if missing:
            raise DataError(f"{where}: {missing[0]!r} is missing: download dataset.json again")
        name = str(entry["name"]).removesuffix(".nii.gz")
        scan = self.ct_rate / _volume(name, where)
        if not scan.is_file():
            return []
        header, patient = read_header(scan), name.rpartition("_")[0].rpartition("_")[0]
        leak = split == "train" and ct_rate.split_of(name) == "valid"
        row = ManifestRow(
            case_id=name,
            volume=relative(scan, self.root),
            patient=patient,
            scan=name.rpartition("_")[0],
            split=split,
            spacing_mm=header.spacing_mm,
            lesions=self._lesions(entry, name, split, where),
            exclusion=header.exclusion,
        )
        return [replace(row, exclusion="leak: a scan of CT-RATE's split valid in the training split") if leak else row]

    def _lesions(self, entry: Mapping[str, Any], name: str, split: str, where: str) -> dict[str, str]:
        """Masks of our findings, partial ones in the training split; none where the file is not there (test)."""
        mask = f"{self.masks}/{name}.nii.gz"
        if not (self.root / mask).is_file():
            return {}
        numbers: dict[str, list[str]] = {}
        for number, text in entry["findings"].items():
            if number not in entry["categories"]:
                raise DataError(f"{where}: finding {number} has no category: download dataset.json again")
            finding = our_finding(str(entry["categories"][number]), str(text))
            if finding:
                numbers.setdefault(finding, []).append(str(number))
        prefix = PARTIAL if split == "train" else ""
        return {f"{prefix}{finding}": f"{mask}#findings={','.join(which)}" for finding, which in numbers.items()}


def our_finding(category: str, text: str) -> str:
    """The finding of ours that a free-text finding is, or ""."""
    finding, words = CATEGORIES.get(category, ("", ()))
    said = text.lower()
    return finding if not words or any(word in said for word in words) else ""


def joined(rows: Sequence[ManifestRow], grounded: Sequence[ManifestRow], old: Path, new: Path) -> list[ManifestRow]:
    """CT-RATE's rows, with the masks of ReXGroundingCT's rows of the same scans where these are not excluded.

    old: root of the grounded rows; new: root of the rows. A finding that a row has a mask of keeps that one alone.
    """
    masks = {row.case_id: row.lesions for row in moved(grounded, old, new) if not row.exclusion}
    return [replace(row, lesions=_beside(row.lesions, masks.get(row.case_id, {}))) for row in rows]


def _beside(own: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Masks of both; a finding is never there twice, as a whole and in part."""
    named = {finding.removeprefix(PARTIAL) for finding in own}
    return {k: mask for k, mask in more.items() if k.removeprefix(PARTIAL) not in named} | dict(own)


def _volume(name: str, where: str) -> str:
    try:
        return ct_rate.volume_path(name)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
