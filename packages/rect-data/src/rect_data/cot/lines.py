"""JSON lines: read strictly, and appended to so that a killed writer loses nothing that it had finished."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from rect_core.errors import DataError


def read_lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    """Number and object of every line that is not blank. Raises DataError with file and line for anything else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name}: cannot be read: {error.strerror}") from error
    # By "\n" alone: U+2028 and its like are allowed inside JSON strings
    lines = enumerate(data.split(b"\n"), 1)
    return [(number, _parse(line, f"{path.name}, line {number}")) for number, line in lines if line.strip()]


def _parse(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON ({error}): mend or remove the line") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: a {type(value).__name__} instead of an object with keys: mend the line")
    return value


class Ledger:
    """A file of JSON lines that only grows. A record is on disk when `append` returns; threads may share it.

    records: what the file held when it was opened. A last line cut off by a crash is removed, and `repaired` says so; a
    broken line elsewhere raises DataError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self.repaired = _repair(path)
        self.records = [record for _, record in read_lines(path)] if path.exists() else []

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Writes the records, all or none. Raises DataError where the disk is full or the folder is gone."""
        data = "".join(json.dumps(record) + "\n" for record in records).encode()
        with self._lock:
            try:
                _append(self.path, data)
            except OSError as error:
                raise DataError(
                    f"{self.path.name}: cannot be written: {error.strerror}: run again with room"
                ) from error


def _append(path: Path, data: bytes) -> None:
    new = not path.exists()
    with path.open("ab", buffering=0) as file:
        size = file.tell()
        try:
            _write(file.fileno(), data)
        except OSError:
            file.truncate(size)
            raise
    if new:
        _sync_folder(path.parent)


def _write(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
    os.fsync(handle)


def _sync_folder(folder: Path) -> None:
    """Makes a new name in the folder survive a power cut, where the system can."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _repair(path: Path) -> bool:
    """Ends the file with a whole line: adds a missing newline to a whole record, removes a partial one."""
    data = path.read_bytes() if path.exists() else b""
    if not data or data.endswith(b"\n"):
        return False
    start = data.rfind(b"\n") + 1
    try:
        whole = isinstance(json.loads(data[start:]), dict)
    except (ValueError, RecursionError):
        whole = False
    if whole:
        _append(path, b"\n")
        return False
    with path.open("r+b") as file:
        file.truncate(start)
        os.fsync(file.fileno())
    return True


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Holds a folder for this process, so that two runs do not write it twice; a killed process holds nothing.

    Raises DataError when another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("ab") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise DataError(f"{folder.name}: another run is writing here: wait for it or stop it") from error
        yield
