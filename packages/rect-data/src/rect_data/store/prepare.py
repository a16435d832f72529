"""A whole data set into a store: by any number of workers and shards, stopped and resumed at will, always the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isnan
from pathlib import Path
from typing import Final

from rect_core.errors import DataError, ScanError
from rect_core.manifest import check_patients, moved, write_manifest
from rect_core.readers.names import check_case_id
from rect_core.types import ManifestRow
from rect_data.readers import Reader
from rect_data.readers.headers import UNREADABLE
from rect_data.store.layout import MANIFEST, SETTINGS, StoreConfig, claim, with_origin
from rect_data.store.npz import NPZ_SETTINGS, export_one
from rect_data.store.one import Job, Outcome, prepare_one
from rect_data.store.pool import run_here, run_on_ray
from rect_data.store.rows import gather

Progress = Callable[[int, int, Outcome], None]
"""Called with how many are done, of how many, and the last."""

WHOLE: Final = (0, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What a run did. excluded: rows that the data set itself leaves out, and why; peak_gb: most memory of a worker,
    NaN where nothing was read."""

    written: int
    current: int
    quarantined: dict[str, str]
    excluded: dict[str, str]
    peak_gb: float

    @property
    def lines(self) -> list[str]:
        """The summary for people."""
        kept = (
            f"{self.written} prepared, {self.current} were there already, {len(self.excluded)} excluded by the data set"
        )
        memory = "" if isnan(self.peak_gb) else f"; a worker held {self.peak_gb:.2f} GB at most"
        bad = [f"quarantined: {case_id}: {reason}" for case_id, reason in sorted(self.quarantined.items())]
        return [f"{kept}, {len(self.quarantined)} quarantined{memory}", *bad]


def prepare(
    reader: Reader,
    out: Path,
    config: StoreConfig,
    *,
    rows: Sequence[ManifestRow] | None = None,
    workers: int = 1,
    shard: tuple[int, int] = WHOLE,
    ray: bool = False,
    npz: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Prepares what is not there yet, then writes the manifest of all that is.

    rows: those of the reader to prepare (default: all). shard: (i, n) takes the i-th of n parts, by a hash of the name,
    so that parts do not depend on what else is there; n shards write the same store as one run. ray: on a cluster
    instead of `workers` processes. npz: writes MedSAM2's files instead of a store (`rect_data.store.npz`). Raises
    DataError for rows that contradict each other and for a folder with other settings, before anything is read.
    """
    table = [_tried(row) for row in (reader.rows() if rows is None else rows)]
    _check(table, shard)
    config = with_origin(config, reader.root)
    claim(out, NPZ_SETTINGS if npz else config.to_json())
    jobs = [Job(reader=reader, row=row, out=out, config=config) for row in table if _mine(row, shard)]
    work = export_one if npz else prepare_one
    done: list[Outcome] = []
    for outcome in _run(jobs, work, workers, ray=ray):
        done.append(outcome)
        if progress is not None:
            progress(len(done), len(jobs), outcome)
    if not npz:
        gather(out, table, reader.root)
    return _summary(done, table)


def manifest_only(reader: Reader, out: Path, rows: Sequence[ManifestRow] | None = None) -> list[ManifestRow]:
    """Writes the rows of a data set to `out/manifest.parquet`, pointing at the scans where they are; no scan is read.
    A store keeps its own manifest: DataError."""
    if (out / SETTINGS).exists():
        raise DataError(f"{out.name}: is a store, whose manifest lists what was prepared: give another folder")
    out.mkdir(parents=True, exist_ok=True)
    table = moved(list(reader.rows() if rows is None else rows), reader.root, out)
    write_manifest(out / MANIFEST, table)
    return table


def _run(jobs: Sequence[Job], work: Callable[[Job], Outcome], workers: int, *, ray: bool) -> Iterator[Outcome]:
    return run_on_ray(jobs, work) if ray else run_here(jobs, work, workers)


def _check(rows: Sequence[ManifestRow], shard: tuple[int, int]) -> None:
    index, count = shard
    if not 0 <= index < count:
        raise DataError(f"shard {index}/{count}: give 0/{count} to {count - 1}/{count}")
    if not rows:
        raise DataError("no scan to prepare: see the folder, the split and the tables that were given")
    seen: set[str] = set()
    for row in rows:
        try:
            check_case_id(row.case_id)
        except ScanError as error:
            raise DataError(str(error)) from error
        if row.case_id in seen or row.case_id.startswith("."):
            raise DataError(f"case {row.case_id!r}: a name that occurs twice, or begins with a dot: rename the scan")
        seen.add(row.case_id)
    check_patients(rows, "the data set")


def _tried(row: ManifestRow) -> ManifestRow:
    """A scan whose header cannot be used is no exclusion of the data set's: it is tried, set aside and counted."""
    return replace(row, exclusion="") if row.exclusion.startswith(UNREADABLE) else row


def _mine(row: ManifestRow, shard: tuple[int, int]) -> bool:
    number = int.from_bytes(sha256(row.case_id.encode()).digest()[:8])
    return not row.exclusion and number % shard[1] == shard[0]


def _summary(done: Sequence[Outcome], rows: Sequence[ManifestRow]) -> Summary:
    status = [outcome.status for outcome in done]
    return Summary(
        written=status.count("written"),
        current=status.count("current"),
        quarantined={o.case_id: o.reason for o in done if o.status == "quarantined"},
        excluded={row.case_id: row.exclusion for row in rows if row.exclusion},
        peak_gb=max((o.peak_gb for o in done if o.status != "current"), default=float("nan")),
    )
