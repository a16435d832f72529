"""A whole tree of phantoms: made by any number of workers, stopped and resumed at will, always the same bytes."""

import json
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from rect_data.ct_rate import PHANTOMS
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.generate import generate
from rect_data.phantom.plan import study
from rect_data.tree.disk import read_json, write_text
from rect_data.tree.files import digest, write_files
from rect_data.tree.rows import rows_of, write_tables

Progress = Callable[[int, int, str], None]
"""Called with how many are done, of how many, and the name of the last."""

VALID_FROM: Final = 1_000_000
"""Index of the first case of the split `valid`: more training cases never change it."""

_RECORDS = "phantoms"


def names(train: int, valid: int) -> dict[str, int]:
    """Names of the volumes, train first, and the index of each."""
    if train < 0 or valid < 0 or train + valid == 0 or train > VALID_FROM:
        raise ValueError(f"train {train} and valid {valid}: give 0 to {VALID_FROM}, at least one case")
    out = {f"train_{study(index).name}": index for index in range(train)}
    return out | {f"valid_{study(index).name}": VALID_FROM + index for index in range(valid)}


def make_tree(
    root: Path, *, train: int, valid: int, config: PhantomConfig, workers: int = 1, progress: Progress | None = None
) -> list[dict[str, Any]]:
    """Writes what is not there yet and returns the records of all cases in order.

    A case is done when its record (`phantoms/<name>.json`, with a SHA-256 of every file) is written, which happens
    last. Tables and `checksums.sha256` are made from the records at the end. A folder made with another configuration
    raises ValueError: nothing is mixed. One that cannot be written raises ScanError, a worker that dies RuntimeError.
    """
    if workers < 1:
        raise ValueError(f"workers {workers}: give 1 or more")
    wanted = names(train, valid)
    _claim(root, config)
    missing = [name for name in wanted if not _done(root, name)]
    done = len(wanted) - len(missing)
    for name in _make(root, {name: wanted[name] for name in missing}, config, workers):
        done += 1
        if progress is not None:
            progress(done, len(wanted), name)
    records = [read_json(_record(root, name)) for name in wanted]
    write_tables(root, records)
    write_text(root / "checksums.sha256", "".join(_sums(records)))
    return records


def verify(root: Path, records: Sequence[dict[str, Any]]) -> list[str]:
    """Paths of the files that differ from their record or are gone."""
    found = [(root / path, want) for record in records for path, want in record["files"].items()]
    return [str(path.relative_to(root)) for path, want in found if not path.is_file() or digest(path) != want]


def _make(root: Path, cases: dict[str, int], config: PhantomConfig, workers: int) -> Iterator[str]:
    """The names of the cases as they are finished."""
    if workers == 1:
        for name, index in cases.items():
            yield make_one(root, name, index, config)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            with _undisturbed():
                jobs = [pool.submit(make_one, root, name, index, config) for name, index in cases.items()]
            for job in as_completed(jobs):
                yield job.result()
        except BrokenProcessPool as error:
            raise RuntimeError("a worker died, as for want of memory: give fewer workers and run again") from error
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Processes that are started inside never see Ctrl-C: they finish their case, and their parent tells of it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def make_one(root: Path, name: str, index: int, config: PhantomConfig) -> str:
    """Draws and writes one case, its record last; returns its name."""
    case = generate(index, config)
    files = write_files(case, name, root)
    record = {**rows_of(case, name), "index": index, "files": files}
    write_text(_record(root, name), json.dumps(record) + "\n")
    return name


def _claim(root: Path, config: PhantomConfig) -> None:
    path = root / PHANTOMS
    mine = json.loads(json.dumps(asdict(config)))
    if root.exists() and not root.is_dir():
        raise ValueError(f"{root} is a file: give a folder")
    if not path.exists():
        if root.exists() and any(root.iterdir()):
            raise ValueError(f"{root.name} is not empty and holds no {PHANTOMS}: give a new folder or one made before")
        write_text(path, json.dumps(mine, indent=1) + "\n")
    theirs = read_json(path)
    if theirs != mine:
        differ = [key for key in mine if theirs.get(key) != mine[key]]
        raise ValueError(
            f"{root.name} was made with other settings ({', '.join(differ)}): give the same or another folder"
        )


def _done(root: Path, name: str) -> bool:
    path = _record(root, name)
    return path.is_file() and all((root / file).is_file() for file in read_json(path)["files"])


def _record(root: Path, name: str) -> Path:
    return root / _RECORDS / f"{name}.json"


def _sums(records: Sequence[dict[str, Any]]) -> Iterator[str]:
    for record in records:
        for path, value in record["files"].items():
            yield f"{value}  {path}\n"
