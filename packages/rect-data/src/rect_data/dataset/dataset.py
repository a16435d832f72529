"""A store as a map-style dataset of items on the model grid."""

from math import isnan
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float32, Int16, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from rect_core.errors import DataError
from rect_core.findings import LOCALIZED
from rect_core.types.manifest import ManifestRow
from rect_data.dataset.item import Draw, Item
from rect_data.store import StoredCase, StoreReader
from rect_data.store.layout import RECORD, SETTINGS, case_folder

_TRIES: Final = 3
_REGIONS: Final = 1
"""Purpose of the random number that chooses the regions."""


class StoreDataset(Dataset[Item]):
    """The cases of a store, by `Draw` or by position (which is the draw of epoch 0).

    root: a store that tools/prepare_ct_rate.py wrote. training: half of the draws have the true regions where a case
    has some, since inference has only the classical ones, which are all that is handed out otherwise; which half
    depends on seed and draw alone. Cheap to copy to workers.
    Raises DataError for an export (windowed uint8 is not HU), a folder that is no store, one without a case, and, when
    drawn, for a case that is not finished or is damaged: nothing half-written is handed out.
    """

    def __init__(self, root: Path | str, *, training: bool = False, seed: int = 0) -> None:
        _refuse_export(Path(root))
        self.reader = StoreReader(root)
        self.training, self.seed = training, seed
        if not self.reader.rows:
            raise DataError(f"{self.reader.root.name}: no case in it ({len(self.reader.excluded)} are excluded)")

    @property
    def rows(self) -> list[ManifestRow]:
        """The manifest's rows, in the order of the positions."""
        return self.reader.rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: int | Draw) -> Item:
        draw = at if isinstance(at, Draw) else Draw(at)
        if not 0 <= draw.row < len(self):
            raise IndexError(f"case {draw.row} of {len(self)}")  # what ends a plain for loop
        row = self.rows[draw.row]
        return self._item(row, self._read(row.case_id), draw)

    def _read(self, case_id: str) -> StoredCase:
        """A case whose files belong together: one that is prepared again meanwhile is read again."""
        record = case_folder(self.reader.root, case_id) / RECORD
        for _ in range(_TRIES):
            before = _version(record)
            try:
                case = self.reader.read(case_id)
            except DataError:
                if _version(record) == before:
                    raise
                continue
            if _version(record) == before:
                return case
        raise DataError(f"case {case_id!r} was replaced {_TRIES} times while it was read: prepare the store first")

    def _item(self, row: ManifestRow, case: StoredCase, draw: Draw) -> Item:
        true = case.regions_true if self.training and draw.seed(self.seed, _REGIONS) % 2 else None
        grid = self.reader.config.grid
        return Item(
            case_id=row.case_id,
            draw=draw,
            voxels=normalised(case.hu, grid.hu_range),
            regions=torch.from_numpy(case.regions_classical if true is None else true),
            regions_true=true is not None,
            lesions=_lesions(case),
            known=torch.tensor([case.known[finding] for finding in LOCALIZED]),
            partial=torch.tensor([case.partial[finding] for finding in LOCALIZED]),
            labels=torch.tensor(_labels(row), dtype=torch.float32),
            report=row.report,
            reasoning=row.reasoning,
            valid=case.valid,
            spacing_mm=grid.spacing_mm,
            hu_range=grid.hu_range,
        )


def _version(record: Path) -> tuple[int, int] | None:
    """Which writing of a record this is; None where there is none."""
    try:
        stat = record.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def normalised(hu: Int16[np.ndarray, "d h w"], hu_range: tuple[float, float]) -> Float32[Tensor, "1 d h w"]:
    """HU of a range as [-1, 1], as `rect_core.Preprocess` does it; what lies outside is clipped."""
    low, high = hu_range
    voxels = torch.from_numpy(hu)[None].to(torch.float32)
    return voxels.sub_((low + high) / 2).div_((high - low) / 2).clamp_(-1.0, 1.0)


def _lesions(case: StoredCase) -> UInt8[Tensor, "5 d h w"]:
    if case.lesions is None:
        return torch.zeros((len(LOCALIZED), *case.hu.shape), dtype=torch.uint8)
    return torch.from_numpy(case.lesions)


def _labels(row: ManifestRow) -> tuple[float, ...]:
    """Refuses what is neither 0, 1 nor NaN: a label of 0.5 or -1 (unsure) is not one of ours."""
    for value in row.labels:
        if not (isnan(value) or value in (0.0, 1.0)):
            raise DataError(f"case {row.case_id!r}: label {value:g}: give 0, 1 or NaN (unknown)")
    return row.labels


def _refuse_export(root: Path) -> None:
    store = (root / SETTINGS).is_file()
    if root.suffix == ".npz" or (not store and any(any(root.glob(f"{deep}*.npz")) for deep in ("", "*/", "*/*/"))):
        raise DataError(
            f"{root.name}: NPZ is an export for MedSAM2, whose windowed uint8 is not HU, and nothing trains on it: "
            "give the store that tools/prepare_ct_rate.py writes by default"
        )
