"""Cases and patches out of a store."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16, UInt8

from rect_core.axis import Range
from rect_core.errors import DataError
from rect_core.findings import LOCALIZED
from rect_core.manifest import PARTIAL, read_manifest
from rect_core.types.manifest import ManifestRow
from rect_data.store.arrays import read_box
from rect_data.store.layout import (
    CLASSICAL,
    HU,
    LESIONS,
    MANIFEST,
    PADDING_HU,
    RECORD,
    TRUE,
    StoreConfig,
    case_folder,
    read_config,
)

Box = tuple[Range, Range, Range]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCase:
    """One case, or a box of it.

    hu: whole Hounsfield units within the grid's HU range, -1024 outside the scan. regions_classical: the 20 regions as
    inference finds them; regions_true: those of a given map, None without one. lesions: instance numbers of each of
    the five findings in the order of LOCALIZED, None where no finding has a mask. known: which findings have a complete
    mask; partial: which have one that marks some of their lesions only (what it leaves out is unknown). Of a finding
    that is in neither nothing is known: its zeros are not "none". valid: half-open (d, h, w) ranges of the cells
    inside the scan, counted from the box's first cell. start: the box's first cell on the grid.
    """

    case_id: str
    hu: Int16[np.ndarray, "d h w"]
    regions_classical: UInt8[np.ndarray, "d h w"]
    regions_true: UInt8[np.ndarray, "d h w"] | None
    lesions: UInt8[np.ndarray, "5 d h w"] | None
    known: Mapping[str, bool]
    partial: Mapping[str, bool]
    valid: Box
    start: tuple[int, int, int] = (0, 0, 0)


class StoreReader:
    """A store that was prepared: its rows, and any case by its id. Cheap to copy to the workers of a loader.

    rows: the manifest without its excluded rows, in its order; excluded: the others.
    Raises DataError for a folder that is no store, or that holds windowed pictures instead of HU.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        self.config: StoreConfig = read_config(self.root)
        if not (self.root / MANIFEST).is_file():
            raise DataError(f"{self.root.name}: no {MANIFEST} in it: run tools/prepare_ct_rate.py to its end")
        rows = read_manifest(self.root / MANIFEST)
        self.rows: list[ManifestRow] = [row for row in rows if not row.exclusion]
        self.excluded: list[ManifestRow] = [row for row in rows if row.exclusion]

    @cached_property
    def index(self) -> dict[str, int]:
        """Position of each case in `rows`."""
        return {row.case_id: i for i, row in enumerate(self.rows)}

    def row(self, case_id: str) -> ManifestRow:
        """The row of a case. Raises DataError for an unknown one."""
        if case_id not in self.index:
            raise DataError(f"{self.root.name}: no case {case_id!r} among its {len(self.rows)}: see {MANIFEST}")
        return self.rows[self.index[case_id]]

    def record(self, case_id: str) -> dict[str, Any]:
        """What `case.json` says: frame, valid ranges, spacing, sources and checksums. DataError where there is none."""
        path = case_folder(self.root, case_id) / RECORD
        try:
            said: dict[str, Any] = json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise DataError(f"{self.root.name}: case {case_id!r} is not prepared: prepare the store again") from error
        return said

    def read(self, case_id: str) -> StoredCase:
        """A whole case. Raises DataError for one that is unknown or damaged."""
        return self.patch(case_id, (0, 0, 0), self.config.grid.shape)

    def patch(self, case_id: str, start: tuple[int, int, int], shape: tuple[int, int, int]) -> StoredCase:
        """A box of a case; where it reaches over the grid there is padding: -1024 HU, region 0, no lesion."""
        record = self.record(case_id)
        folder, held = case_folder(self.root, case_id), record["files"]
        d, h, w = (
            (min(max(a - s, 0), n), min(max(b - s, 0), n))
            for (a, b), s, n in zip(record["valid"], start, shape, strict=True)
        )
        return StoredCase(
            case_id=case_id,
            hu=read_box(folder / HU, start, shape, PADDING_HU),
            regions_classical=read_box(folder / CLASSICAL, start, shape, 0),
            regions_true=read_box(folder / TRUE, start, shape, 0) if TRUE in held else None,
            lesions=read_box(folder / LESIONS, start, shape, 0) if LESIONS in held else None,
            known={finding: finding in record["masks"] for finding in LOCALIZED},
            partial={finding: f"{PARTIAL}{finding}" in record["masks"] for finding in LOCALIZED},
            valid=(d, h, w),
            start=start,
        )
