"""CT-RATE from the Hub: chosen parts of one commit, resumed at will, within a disk budget: fetch, prepare, delete."""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rect_core.errors import DataError
from rect_core.masks import replacing
from rect_data import ct_rate
from rect_data.cot.lines import Ledger, only_one
from rect_data.cot.pace import Pace
from rect_data.hub import Hub, RemoteFile, Unreachable

REPO: Final = "ibrahimhamamci/CT-RATE"
LICENCE: Final = "CC-BY-NC-SA-4.0"
"""Of CT-RATE, which is clinical data."""
TABLES: Final = {
    "metadata": "dataset/metadata",
    "reports": "dataset/radiology_text_reports",
    "labels": "dataset/multi_abnormality_labels",
}
KINDS: Final = (*TABLES, "volumes", "ts_seg")
PREPARED: Final = "prepared.jsonl"
COMMIT: Final = "download.json"
_NAME: Final = re.compile(
    r"(?P<patient>(train|valid)_(?P<number>\d+))_(?P<scan>[a-z]+)_(?P<rec>\d+)\.nii\.gz", re.ASCII
)

Prepare = Callable[[], None]
"""Called when a batch lies below the root; takes from it what is to be kept, since the batch is deleted afterwards."""

Progress = Callable[[int, int, str], None]
"""Called with bytes done, of how many, and the path of the last file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which part. version: of the volumes, 2 (`train_fixed`, in HU) or 1. limit: only the first so many volumes."""

    splits: tuple[str, ...] = ct_rate.SPLITS
    kinds: tuple[str, ...] = KINDS
    version: int = 2
    limit: int | None = None

    def __post_init__(self) -> None:
        for what, given, known in (("split", self.splits, ct_rate.SPLITS), ("kind", self.kinds, KINDS)):
            unknown = [name for name in given if name not in known]
            if unknown or not given:
                raise DataError(f"no {what} is named {(*unknown, '')[0]!r}: give some of {', '.join(known)}")
        if self.version not in (1, 2) or (self.limit is not None and self.limit < 1):
            raise DataError(f"version {self.version} and limit {self.limit}: give version 1 or 2 and a limit from 1")

    def folders(self, kind: str) -> list[str]:
        """Folders of the repository that hold a kind."""
        if kind in TABLES:
            return [TABLES[kind]]
        if kind == "volumes":
            return [f"dataset/{split}{'_fixed' if self.version == 2 else ''}" for split in self.splits]
        return [f"dataset/ts_seg/{task}/{split}_fixed" for task in ct_rate.TS_TASKS for split in self.splits]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a download takes. tables are kept; patients: the files of one patient each, by their numbers."""

    commit: str
    tables: tuple[RemoteFile, ...]
    patients: tuple[tuple[RemoteFile, ...], ...]
    counts: dict[str, tuple[int, int]]

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return sum(number for _, number in self.counts.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """Files fetched by this run and their bytes; files that were there or prepared before; batches prepared."""

    fetched: int
    size: int
    before: int
    batches: int


def plan(hub: Hub, selection: Selection, *, revision: str = "main", root: Path | None = None) -> Plan:
    """Lists the chosen files. A root that was begun goes on with its own commit, whatever the branch says today.

    Raises DataError for a chosen folder without files, and when revision names another commit than a begun root's.
    """
    commit = _commit(hub, revision, root)
    found = {kind: _listed(hub, selection, kind, commit) for kind in selection.kinds}
    names = _first_names(found, selection.limit)
    files = {k: [f for f in fs if k in TABLES or Path(f.path).name in names] for k, fs in found.items()}
    patients: dict[str, list[RemoteFile]] = {}
    for file in sorted((f for k, fs in files.items() if k not in TABLES for f in fs), key=_order):
        patients.setdefault(_parts(file)["patient"], []).append(file)
    return Plan(
        commit=commit,
        tables=tuple(file for kind in TABLES for file in files.get(kind, ())),
        patients=tuple(tuple(group) for group in patients.values()),
        counts={kind: (len(fs), sum(file.size for file in fs)) for kind, fs in files.items()},
    )


def _commit(hub: Hub, revision: str, root: Path | None) -> str:
    begun = root / COMMIT if root is not None else None
    if begun is None or not begun.is_file():
        return hub.commit(revision)
    mine = str(json.loads(begun.read_text())["commit"])
    if revision not in ("main", mine) and hub.commit(revision) != mine:
        raise DataError(f"{begun.name}: this folder was begun with commit {mine}, not {revision}: give another folder")
    return mine


def _listed(hub: Hub, selection: Selection, kind: str, commit: str) -> list[RemoteFile]:
    found: list[RemoteFile] = []
    for folder in selection.folders(kind):
        files = [file for file in hub.files(folder, commit) if _wanted(file, kind, selection.splits)]
        if not files:
            raise DataError(
                f"{folder}: holds no {kind} at commit {commit[:12]}: check --dataset-version and --revision"
            )
        found += files
    return found


def _wanted(file: RemoteFile, kind: str, splits: Sequence[str]) -> bool:
    """Volumes by their name; of the tables those of the chosen splits and those of none (such as a legend)."""
    name = Path(file.path).name
    if kind not in TABLES:
        return _NAME.fullmatch(name) is not None
    of = [split for split in ct_rate.SPLITS if split in name]
    return not of or any(split in splits for split in of)


def _first_names(found: dict[str, list[RemoteFile]], limit: int | None) -> set[str]:
    scans = found.get("volumes") or found.get("ts_seg") or []
    ordered = dict.fromkeys(Path(file.path).name for file in sorted(scans, key=_order))
    every = {Path(file.path).name for kind, files in found.items() if kind not in TABLES for file in files}
    return every if limit is None else set(list(ordered)[:limit])


def _parts(file: RemoteFile) -> dict[str, str]:
    match = _NAME.fullmatch(Path(file.path).name)
    assert match is not None, "only names that fit were listed"
    return match.groupdict()


def _order(file: RemoteFile) -> tuple[str, int, int, str, int, str]:
    parts = _parts(file)
    split = parts["patient"].partition("_")[0]
    return split, int(parts["number"]), len(parts["scan"]), parts["scan"], int(parts["rec"]), file.path


def batches(plan: Plan, done: set[str], max_bytes: int) -> list[list[RemoteFile]]:
    """Whole patients that are not prepared yet, in batches that fit the budget beside the tables.

    Raises DataError, before anything is fetched, for a patient who does not fit alone.
    """
    room = max_bytes - sum(file.size for file in plan.tables)
    made: list[list[RemoteFile]] = []
    left = -1
    for patient in plan.patients:
        files = [file for file in patient if file.path not in done]
        size = sum(file.size for file in files)
        if size > room:
            need = max_bytes - room + size
            raise DataError(f"{files[0].path}: this patient needs {_gb(need)} with the tables: raise --max-disk-gb")
        if files and size > left:
            made.append([])
            left = room
        if files:
            made[-1] += files
            left -= size
    return made


def download(
    hub: Hub,
    root: Path,
    plan: Plan,
    *,
    max_bytes: int | None = None,
    prepare: Prepare | None = None,
    progress: Progress | None = None,
    pace: Pace | None = None,
) -> Result:
    """Fetches what is not there yet. With prepare, in batches within max_bytes that are prepared and then deleted.

    A file counts as there when it has its size; what was fetched now is also held to its SHA-256. What was prepared
    stands in `prepared.jsonl` and is not fetched again. Raises DataError; whatever was finished stays.
    """
    if prepare is not None and max_bytes is None:
        raise DataError("with preparing, give --max-disk-gb: it says how much is fetched before it is prepared")
    with only_one(root):
        ledger = Ledger(root / PREPARED)
        done = {str(record["path"]) for record in ledger.records}
        _delete(root, done)  # a run may have ended between the two
        parts = _parts_of(plan, done, root, max_bytes, prepared=prepare is not None)
        _begin(root, plan.commit)
        run = _Fetch(hub, root, plan, pace or Pace(), progress, done)
        run.all(plan.tables)
        for part in parts:
            run.all(part)
            if prepare is not None:
                prepare()
                ledger.append([{"path": file.path, "size": file.size} for file in part])
                _delete(root, {file.path for file in part})
    return Result(fetched=run.fetched, size=run.size, before=run.before, batches=len(parts) if prepare else 0)


def _begin(root: Path, commit: str) -> None:
    with replacing(root / COMMIT) as file:
        file.write(json.dumps({"commit": commit}).encode() + b"\n")


def _parts_of(
    plan: Plan, done: set[str], root: Path, max_bytes: int | None, *, prepared: bool
) -> list[list[RemoteFile]]:
    if prepared and max_bytes is not None:
        parts = batches(plan, done, max_bytes)
        need = max((sum(_missing(root, part)) for part in parts), default=0)
    else:
        parts = [[file for patient in plan.patients for file in patient if file.path not in done]]
        if max_bytes is not None and plan.size > max_bytes:
            raise DataError(
                f"{_gb(plan.size)} chosen, --max-disk-gb {_gb(max_bytes)}: choose less, or --prepare in batches"
            )
        need = sum(_missing(root, parts[0]))
    need += sum(_missing(root, plan.tables))
    free = shutil.disk_usage(root).free
    if need > free:
        raise DataError(f"{root.name}: {_gb(need)} to fetch at once but {_gb(free)} free: make room or choose less")
    return parts


def _missing(root: Path, files: Sequence[RemoteFile]) -> Iterator[int]:
    return (file.size for file in files if not _there(root, file))


def _there(root: Path, file: RemoteFile) -> bool:
    path = root / file.path
    return path.is_file() and path.stat().st_size == file.size


class _Fetch:
    """Fetches files one after the other and counts them."""

    def __init__(self, hub: Hub, root: Path, plan: Plan, pace: Pace, progress: Progress | None, done: set[str]) -> None:
        self.hub, self.root, self.plan, self.pace, self.progress = hub, root, plan, pace, progress
        self.fetched = self.size = 0
        self.seen = sum(file.size for patient in plan.patients for file in patient if file.path in done)
        self.before = len(done)

    def all(self, files: Sequence[RemoteFile]) -> None:
        """Fetches what is not there with its size."""
        for file in files:
            if _there(self.root, file):
                self.before += 1
            else:
                self._patiently(file)
                _check(self.root, file)
                self.fetched, self.size = self.fetched + 1, self.size + file.size
            self.seen += file.size
            if self.progress is not None:
                self.progress(self.seen, self.plan.size, file.path)

    def _patiently(self, file: RemoteFile) -> None:
        for attempt in range(1, self.pace.attempts + 1):
            try:
                return self.hub.fetch(file, self.plan.commit, self.root)
            except Unreachable:
                if attempt == self.pace.attempts:
                    raise
                time.sleep(self.pace.wait_s(attempt, 0.0))
        return None


def _check(root: Path, file: RemoteFile) -> None:
    """Removes and refuses what is not the file that was listed."""
    path = root / file.path
    size = path.stat().st_size if path.is_file() else 0
    if size == file.size and file.sha256 in ("", _digest(path) if file.sha256 else ""):
        return
    path.unlink(missing_ok=True)
    raise DataError(f"{file.path}: came with {size} of {file.size} bytes or another checksum: removed, run again")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _delete(root: Path, paths: set[str]) -> None:
    """Removes files and the folders that this leaves empty."""
    for relative in paths:
        path = root / relative
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == root or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def _gb(size: int) -> str:
    return f"{size / 1e9:.3g} GB"
