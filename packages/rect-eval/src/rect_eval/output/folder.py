"""A folder that appears whole or not at all, and never takes the place of somebody else's."""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rect_core.errors import DataError

STALE_SECONDS: Final = 3600.0
"""A hidden folder that nobody touched for this long was left by a process that was killed."""


def check_place(target: Path, *, force: bool, ours: Callable[[Path], bool]) -> None:
    """Raises DataError, before any work, for a place where a folder cannot or must not be put.

    ours: whether an existing folder is one that this command wrote; no other is ever replaced.
    """
    found = next(path for path in (target, *target.absolute().parents) if path.exists() or path.is_symlink())
    if found is target:
        _check_existing(target, force=force, ours=ours)
        found = target.absolute().parent
    if not found.is_dir():
        raise DataError(f"{found.name!r} is a file, not a folder: give another --out")
    if not os.access(found, os.W_OK | os.X_OK):
        raise DataError(f"no permission to write to {found.absolute().name!r}: give another --out")


def _check_existing(target: Path, *, force: bool, ours: Callable[[Path], bool]) -> None:
    plain = target.is_dir() and not target.is_symlink()
    if plain and not any(target.iterdir()):
        return
    if not plain or not ours(target):
        raise DataError(
            f"{target.name!r} is there and rect-eval did not write all of it, so it stays: give another --out"
        )
    if not force:
        raise DataError(f"{target.name!r} exists: give --force to replace it, or another --out")


@contextmanager
def whole_folder(target: Path, *, force: bool, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A folder to fill, put in place at the end; a failure on the way leaves what was there before, and no more."""
    check_place(target, force=force, ours=ours)
    partial: Path | None = None
    try:
        target.absolute().parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        partial = Path(tempfile.mkdtemp(prefix=_hidden(target), suffix=".partial", dir=target.absolute().parent))
        yield partial
        partial.chmod(0o777 & ~_umask())
        _replace(partial, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise DataError(f"{target.name!r} was written by another run meanwhile: give another --out") from error
        why = error.strerror or type(error).__name__
        raise DataError(f"{target.name!r} cannot be written: {why}: give a folder with room for it") from error
    finally:
        if partial:
            shutil.rmtree(partial, ignore_errors=True)


def _replace(partial: Path, target: Path) -> None:
    """Puts the new folder in place of the old one, and the old one back if that fails."""
    if not target.exists():
        partial.rename(target)
        return
    old = Path(tempfile.mkdtemp(prefix=_hidden(target), suffix=".old", dir=target.absolute().parent))
    try:
        target.rename(old / "was")
        partial.rename(target)
    finally:
        if not target.exists():
            (old / "was").rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _hidden(target: Path) -> str:
    return f".{target.absolute().name[:40]}."


def _remove_stale(target: Path) -> None:
    """Removes what a killed process left of this folder."""
    limit = time.time() - STALE_SECONDS
    for path in target.absolute().parent.iterdir():
        if path.name.startswith(_hidden(target)) and path.name.endswith((".partial", ".old")):
            with suppress(FileNotFoundError):  # another run may be done with it by now
                if path.stat().st_mtime < limit:
                    shutil.rmtree(path, ignore_errors=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
