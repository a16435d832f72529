"""An export for MedSAM2: uint8 pictures of the lung window. It is no store and nothing here trains on it."""

import glob
import io
import json
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Shaped, UInt8

from rect_core.anatomy import RegionMap, regions
from rect_core.masks import replacing
from rect_core.volume import Volume
from rect_data.readers import read_regions
from rect_data.store.layout import VERSION, write_text
from rect_data.store.one import Job, Outcome, guarded
from rect_data.store.sources import inputs, stamps, unchanged

CENTRE_HU: Final = -600
WIDTH_HU: Final = 1500
NPZ_SETTINGS: Final = (
    json.dumps({"kind": "medsam2-npz", "version": VERSION, "window": {"centre_hu": CENTRE_HU, "width_hu": WIDTH_HU}})
    + "\n"
)
"""The text of `store.json`, by which a training refuses the folder."""


def export_one(job: Job) -> Outcome:
    """Writes `<split>/<case_id>.npz` unless it is there and current; a bad scan is quarantined as in a store."""
    return guarded(job, _current, _export)


def windowed(hu: Shaped[np.ndarray, "d h w"]) -> UInt8[np.ndarray, "d h w"]:
    """The lung window (C-600/W1500, -1350 to 150 HU) as 0 to 255."""
    low = CENTRE_HU - WIDTH_HU / 2
    out = np.empty(hu.shape, np.uint8)
    for source, target in zip(hu, out, strict=True):  # a slice at a time: floats of a whole scan are 4 times its size
        target[...] = np.clip(np.rint((source.astype(np.float32) - low) * (255 / WIDTH_HU)), 0, 255)
    return out


def npz_bytes(volume: Volume, labels: RegionMap) -> bytes:
    """`imgs` [d h w] uint8, `gts` 0 to 20 [d h w] uint8, `spacing` (z, y, x) mm, `window` (centre, width) HU, and where
    the regions come from, on the scan's own voxels, slices from feet to head."""
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        imgs=windowed(volume.hu),
        gts=np.ascontiguousarray(labels.labels),
        spacing=np.array(volume.spacing_mm, np.float64),
        window=np.array([CENTRE_HU, WIDTH_HU], np.int16),
        gts_origin=np.array(labels.origin),
    )
    return buffer.getvalue()


def _export(job: Job) -> None:
    volume = job.reader.load(job.row)
    true = read_regions(job.reader.root, job.row, volume)
    content = npz_bytes(volume, regions(volume) if true is None else true)
    path = _path(job)
    for old in job.out.glob(f"*/{glob.escape(path.name)}"):  # of another split: nobody may be in two
        old.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(content)
    record = {"inputs": inputs(job.reader, job.row), "sources": stamps(job.reader.root, job.row)}
    write_text(_record(job), json.dumps(record) + "\n")


def _current(job: Job) -> bool:
    try:
        said = json.loads(_record(job).read_bytes())
    except (FileNotFoundError, ValueError):  # ValueError: cut off, as after a power cut
        return False
    return (
        _path(job).is_file()
        and said["inputs"] == inputs(job.reader, job.row)
        and unchanged(job.reader.root, job.row, said["sources"])
    )


def _path(job: Job) -> Path:
    return job.out / job.row.split / f"{job.row.case_id}.npz"


def _record(job: Job) -> Path:
    return job.out / "records" / f"{job.row.case_id}.json"
