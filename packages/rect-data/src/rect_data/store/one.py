"""One case of a store, from a manifest row: the same input gives the same bytes, and a second call does nothing."""

import glob
import gzip
import json
import os
import resource
import secrets
import shutil
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal

import torch

from rect_core.anatomy import regions
from rect_core.errors import DataError, ScanError
from rect_core.manifest import PARTIAL
from rect_core.preprocess import Preprocess
from rect_core.types import ManifestRow
from rect_core.volume import Volume
from rect_data.readers import Reader, read_regions
from rect_data.readers.masks import read_lesion
from rect_data.store.arrays import packed
from rect_data.store.grid import hu_on_grid, labels_on_grid, lesions_on_grid
from rect_data.store.layout import (
    CASES,
    CLASSICAL,
    HU,
    LESIONS,
    QUARANTINE,
    RECORD,
    TRUE,
    VERSION,
    StoreConfig,
    case_folder,
    write_text,
)
from rect_data.store.rows import row_to_json
from rect_data.store.sources import inputs, stamps, unchanged

Status = Literal["written", "current", "quarantined"]

BAD: Final = (
    ValueError,
    ArithmeticError,
    LookupError,
    EOFError,
    MemoryError,
    zlib.error,
    gzip.BadGzipFile,
)
"""What a scan may raise and be set aside for. Not OSError and RuntimeError: a full disk or a lost mount is not the
scan's fault and must stop the run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One row to prepare: read by `reader`, written into the store `out`, whose settings are `config`."""

    reader: Reader
    row: ManifestRow
    out: Path
    config: StoreConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of a job. peak_gb: the most memory its process has held so far."""

    case_id: str
    status: Status
    seconds: float
    peak_gb: float
    reason: str = ""


def prepare_one(job: Job) -> Outcome:
    """Prepares a case unless it is there and its sources are unchanged; a bad one goes to `quarantine/`."""
    return guarded(job, _current, _prepare)


def guarded(job: Job, current: Callable[[Job], bool], make: Callable[[Job], None]) -> Outcome:
    """Makes what is not current. What is the scan's fault sets it aside; what is the machine's stops the run."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    status: Status = "current"
    reason = ""
    if not current(job):
        try:
            make(job)
            status = "written"
        except BAD as error:
            if isinstance(error, ScanError) and error.check == "output":
                raise
            status, reason = "quarantined", _reason(error)
            quarantine(job, reason, "" if isinstance(error, ScanError | DataError) else traceback.format_exc())
        else:
            (job.out / QUARANTINE / f"{job.row.case_id}.json").unlink(missing_ok=True)
    peak = _peak_gb()
    seconds = time.perf_counter() - began
    return Outcome(case_id=job.row.case_id, status=status, seconds=seconds, peak_gb=peak, reason=reason)


def _peak_gb() -> float:
    """The most memory that this process has held: Linux' own mark, since ru_maxrss begins at that of the parent."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(x.split()[1]) * 1024 / 1e9 for x in status.read_text().splitlines() if x.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def make_case(job: Job) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of a case but its record, and the record. Nothing is written.

    The grid is laid around the lungs as the classical regions find them, true regions or not: that is what inference
    will do. Raises ScanError or DataError for a scan or mask that cannot be used.
    """
    row, root = job.row, job.reader.root
    volume = job.reader.load(row)
    classical = regions(volume)
    frame = Preprocess(job.config.grid).frame(volume, classical)
    files = {HU: packed(hu_on_grid(volume, frame)), CLASSICAL: packed(labels_on_grid(classical.labels, frame))}
    true = read_regions(root, row, volume)
    if true is not None:
        files[TRUE] = packed(labels_on_grid(true.labels, frame))
    outside: dict[str, list[int]] = {}
    if row.lesions:
        masks = ((name.removeprefix(PARTIAL), read_lesion(root, path, volume)) for name, path in row.lesions.items())
        numbers, outside = lesions_on_grid(masks, frame)
        files[LESIONS] = packed(numbers)
    record = {
        "version": VERSION,
        "case_id": row.case_id,
        "frame": {key: value for key, value in asdict(frame).items() if key != "grid"},
        "valid": frame.valid,
        "masks": sorted(row.lesions),
        "instances_outside": outside,
        "warnings": [*volume.warnings, *classical.warnings],
        **_origin(job, volume),
    }
    return files, record


def quarantine(job: Job, reason: str, trace: str = "") -> None:
    """Sets a case aside: what was prepared of it before goes, in either format, since its sources are not those."""
    shutil.rmtree(case_folder(job.out, job.row.case_id), ignore_errors=True)
    for export in job.out.glob(f"*/{glob.escape(job.row.case_id)}.npz"):
        export.unlink()
    said = {"case_id": job.row.case_id, "reason": reason, "traceback": trace, "row": row_to_json(job.row)}
    write_text(job.out / QUARANTINE / f"{job.row.case_id}.json", json.dumps(said, indent=1) + "\n")


def _origin(job: Job, volume: Volume) -> dict[str, Any]:
    return {
        "spacing_mm": volume.spacing_mm,
        "root": _root(job),
        "inputs": inputs(job.reader, job.row),
        "sources": stamps(job.reader.root, job.row),
        "row": row_to_json(job.row),
    }


def _root(job: Job) -> str:
    """The data set's folder as seen from the store, so that both can be moved together."""
    return Path(os.path.relpath(job.reader.root.resolve(), job.out.resolve())).as_posix()


def _current(job: Job) -> bool:
    """Whether the case is there, made from these sources; a row that says something else now is taken over."""
    folder = case_folder(job.out, job.row.case_id)
    try:
        record = json.loads((folder / RECORD).read_bytes())
    except (FileNotFoundError, ValueError):  # ValueError: cut off, as after a power cut
        return False
    whole = all((folder / name).is_file() for name in record["files"])
    if record["version"] != VERSION or record["inputs"] != inputs(job.reader, job.row) or not whole:
        return False
    if not unchanged(job.reader.root, job.row, record["sources"]):
        return False
    now = {"row": json.loads(json.dumps(row_to_json(job.row))), "root": _root(job)}
    if any(record.get(key) != value for key, value in now.items()):
        write_text(folder / RECORD, json.dumps({**record, **now}) + "\n")
    return True


def _prepare(job: Job) -> None:
    files, record = make_case(job)
    _write(job, files, record)


def _write(job: Job, files: Mapping[str, bytes], record: Mapping[str, Any]) -> None:
    """Into a folder beside, which then takes the case's place; its record is the last file."""
    case_id = job.row.case_id
    for left in (job.out / CASES).glob(f".{glob.escape(case_id)}.????????.tmp"):  # not those of a case "<case_id>.1"
        shutil.rmtree(left, ignore_errors=True)  # of a run that was killed
    scratch = job.out / CASES / f".{case_id}.{secrets.token_hex(4)}.tmp"
    scratch.mkdir(parents=True)
    try:
        for name, content in files.items():
            (scratch / name).write_bytes(content)
        sums = {name: sha256(content).hexdigest() for name, content in files.items()}
        (scratch / RECORD).write_text(json.dumps({**record, "files": sums}) + "\n")
        place = case_folder(job.out, case_id)
        if place.exists():
            shutil.rmtree(place)
        scratch.replace(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or "no message"
    return text if isinstance(error, ScanError | DataError) else f"{type(error).__name__}: {text}"
