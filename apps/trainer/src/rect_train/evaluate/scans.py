"""The cases of an evaluation, each with its truth: scans on their own grid, or what a store kept of them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Integer

from rect_core.anatomy import RegionMap
from rect_core.errors import DataError
from rect_core.manifest import PARTIAL, kept, moved, read_manifest, write_manifest
from rect_core.masks import save_mask
from rect_core.preprocess import ModelInput
from rect_core.read import read_volume
from rect_core.types import ManifestRow
from rect_core.volume import Volume
from rect_data.dataset import StoreDataset
from rect_data.readers import CtRate
from rect_data.readers.masks import file_and_part, read_lesion
from rect_data.store import StoreReader
from rect_data.store.layout import SETTINGS
from rect_data.store.rows import row_from_json
from rect_data.store.sources import unchanged
from rect_train.grid import grid_frame, grid_lesions, grid_volume
from rect_vlm import Prediction, ReCTVLM
from rect_vlm.pipeline import Encoded, Request, conclude

Grid = Literal["scan", "model"]
Lesions = Mapping[str, Integer[np.ndarray, "d h w"]]

MANIFEST: Final = "manifest.csv"


@dataclass(frozen=True, kw_only=True)
class FullScans:
    """Scans on their own voxels. root: what the paths of the rows are relative to; load: reads the scan of a row; note:
    what a reader of the scores must know."""

    rows: list[ManifestRow]
    root: Path
    load: Callable[[ManifestRow], Volume]
    grid: Grid = "scan"
    note: str = ""

    def predict(self, model: ReCTVLM, row: ManifestRow, *, report: bool) -> Prediction:
        """As `rect predict` does, regions found in the scan."""
        return model.predict(self.load(row), case_id=row.case_id, generate_report=report)

    def lesions(self, row: ManifestRow, volume: Volume) -> Lesions:
        """From the masks' files."""
        found = {name.removeprefix(PARTIAL): mask for name, mask in row.lesions.items()}
        return {name: read_lesion(self.root, mask, volume) for name, mask in found.items()}

    def write_truth(self, folder: Path, refused: Collection[str]) -> Path:
        """A manifest that points at the data set's own files; not at the scans of refused cases, which rect-eval might
        not read either: their grid is that of their masks."""
        folder.mkdir(parents=True, exist_ok=True)
        rows = moved(self.rows, self.root, folder)
        write_manifest(
            folder / MANIFEST, [replace(r, volume=f"{r.case_id}/refused") if r.case_id in refused else r for r in rows]
        )
        return folder / MANIFEST


@dataclass(frozen=True, kw_only=True)
class GridScans:
    """Cases as a store holds them: predicted and scored on the model grid. gone: how many sources are not there."""

    dataset: StoreDataset
    rows: list[ManifestRow]
    gone: int
    grid: Grid = "model"

    @property
    def note(self) -> str:
        """Why these scores are not those of scans."""
        return (
            f"Scored on the model grid, since the files of {self.gone} of {len(self.rows)} scans are not there: what "
            "it cannot hold is missing from the truth too, so lesion scores do not compare with those on whole scans."
        )

    def predict(self, model: ReCTVLM, row: ManifestRow, *, report: bool) -> Prediction:
        """From the voxels that training sees, with the regions that inference finds."""
        reader = self.dataset.reader
        item = self.dataset[reader.index[row.case_id]]
        volume = grid_volume(reader, row.case_id)
        frame = grid_frame(reader, row.case_id)
        given = ModelInput(voxels=item.voxels, regions=item.regions, valid=item.valid, frame=frame)
        seen = Encoded(
            volume=volume,
            checks=(),
            regions=RegionMap(labels=item.regions.numpy(), origin="classical"),
            item=given,
            tokens=model.encoder.encode(given),
        )
        found = conclude(model, Request(source=volume, report=report), seen)
        return replace(found, run={**found.run, "grid": "model"})

    def lesions(self, row: ManifestRow, volume: Volume) -> Lesions:
        """Instances on the model grid."""
        return grid_lesions(self.dataset.reader, row.case_id)

    def write_truth(self, folder: Path, refused: Collection[str]) -> Path:
        """Masks as NIfTI beside the manifest, those that are there stay; no scan of any case."""
        del refused
        rows = []
        for row in self.rows:
            place, volume = folder / row.case_id, grid_volume(self.dataset.reader, row.case_id)
            place.mkdir(parents=True, exist_ok=True)
            for finding, mask in self.lesions(row, volume).items():
                if not (place / f"{finding}.nii.gz").is_file():
                    save_mask(place / f"{finding}.nii.gz", mask, volume, description="truth on the model grid")
            masks = {name: f"{row.case_id}/{name.removeprefix(PARTIAL)}.nii.gz" for name in row.lesions}
            rows.append(replace(row, volume=f"{row.case_id}/volume.nii.gz", regions="", lobes="", lesions=masks))
        write_manifest(folder / MANIFEST, rows)
        return folder / MANIFEST


Scans = FullScans | GridScans
"""Cases to predict."""


def open_scans(data: Path, split: str, *, limit: int | None = None, source: Path | None = None) -> Scans:
    """The cases of a split ("" is all) of a data set, of a manifest, or of a store.

    data: a folder that holds dataset/ (CT-RATE, or phantoms), a folder with a manifest or the manifest itself, or a
    store, whose source files are taken where all of them are there. source: where a store's data set is now. limit: the
    first so many. Raises DataError.
    """
    if (data / SETTINGS).is_file():
        return _of_store(StoreReader(data), split, limit, source)
    if source is not None:
        raise DataError(f"--source belongs to a store, but {data.name} holds no {SETTINGS}: leave it out")
    if (data / "dataset").is_dir():
        reader = CtRate(data)
        return FullScans(rows=_chosen(reader.rows(), split, limit, data), root=data, load=reader.load)
    table = next((p for p in (data, data / "manifest.parquet", data / "manifest.csv") if p.is_file()), None)
    if table is None:
        raise DataError(
            f"{data.name}: neither a data set (dataset/), nor a manifest, nor a store: give one, or make a manifest "
            "with tools/prepare_ct_rate.py --manifest-only"
        )
    root = table.parent
    return FullScans(
        rows=_chosen(read_manifest(table), split, limit, data),
        root=root,
        load=lambda row: read_volume(root / row.volume, case_id=row.case_id),
    )


def _chosen(rows: list[ManifestRow], split: str, limit: int | None, data: Path) -> list[ManifestRow]:
    found = [row for row in kept(rows) if split in ("", row.split)]
    if not found:
        known = ", ".join(sorted({repr(row.split) for row in rows})) or "none"
        raise DataError(f"{data.name}: no case of split {split!r}; its splits are {known}")
    return found[:limit]


def _of_store(reader: StoreReader, split: str, limit: int | None, source: Path | None) -> Scans:
    rows = _chosen(reader.rows, split, limit, reader.root)
    found: list[ManifestRow] = []
    loaders: dict[str, Callable[[], Volume]] = {}
    for row in rows:
        record = reader.record(row.case_id)
        root = source or (reader.root / record["root"] if "root" in record else None)
        own = row_from_json(record["row"])
        if root is not None and _all_there(root, own):
            if not unchanged(root, own, record["sources"]):
                raise DataError(f"case {row.case_id!r}: its files have changed since: prepare the store again")
            found += moved([own], root, reader.root)
            loaders[row.case_id] = _loader(root, own, record)
    if len(found) < len(rows):
        return GridScans(dataset=StoreDataset(reader.root), rows=rows, gone=len(rows) - len(found))
    return FullScans(rows=found, root=reader.root, load=lambda row: loaders[row.case_id]())


def _loader(root: Path, row: ManifestRow, record: Mapping[str, Any]) -> Callable[[], Volume]:
    """Reads a source as the store's reader did: with a table only version 1 of CT-RATE was."""
    if "tables" in record["inputs"]:
        return lambda: CtRate(root, version=1).load(row)
    return lambda: read_volume(root / row.volume, case_id=row.case_id)


def _all_there(root: Path, row: ManifestRow) -> bool:
    masks = (file_and_part(mask)[0] for mask in row.lesions.values())
    return all((root / name).exists() for name in (row.volume, *masks))
