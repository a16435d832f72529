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

from rect_core.errors import ScanError

STALE_SECONDS: Final = 3600.0
"""A hidden folder that nobody touched for this long was left by a process that was killed."""


def check_root(root: Path) -> None:
    """Raises ScanError, before any work, for an output folder that is a file or may not be written."""
    found = next(path for path in (root, *root.absolute().parents) if path.exists())
    if not found.is_dir():
        raise ScanError("output", f"{found.name!r} is a file, not an output folder: give a folder")
    if not os.access(found, os.W_OK | os.X_OK):
        raise ScanError("output", f"no permission to write to {found.absolute().name!r}: give another output folder")


def check_place(target: Path, *, force: bool, ours: Callable[[Path], bool]) -> None:
    """Raises ScanError where a folder must not be put: over a file, over one that is not ours, over ours without force;
    and where it cannot be put.

    ours: whether an existing folder is one that the command at hand wrote; no other is ever replaced.
    """
    if not (target.exists() or target.is_symlink()):
        check_root(target.absolute().parent)
        return
    plain = target.is_dir() and not target.is_symlink()
    if not plain or not (ours(target) or not any(target.iterdir())):
        raise ScanError(
            "output", f"{target.name!r} is there and rect did not write all of it, so it stays: give another folder"
        )
    if any(target.iterdir()) and not force:
        raise ScanError("output", f"{target.name!r} exists: give --force to replace it, or another folder")


@contextmanager
def whole_folder(target: Path, *, force: bool, ours: Callable[[Path], bool]) -> Iterator[Path]:
    """A folder to fill, put in place at the end: a failure on the way leaves what was there before, and nothing else.

    See `check_place` for force and ours. Raises ScanError for a place that must not be taken, cannot be written or is
    full.
    """
    check_place(target, force=force, ours=ours)
    parent = target.absolute().parent
    partial: Path | None = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target)
        # a name of its own: that of the target may be as long as the file system allows
        partial = Path(tempfile.mkdtemp(prefix=_hidden(target), suffix=".partial", dir=parent))
        yield partial
        partial.chmod(0o777 & ~_umask())
        _replace(partial, target)
    except OSError as error:
        raise _not_written(target, error) from error
    finally:
        if partial:
            shutil.rmtree(partial, ignore_errors=True)


def _not_written(target: Path, error: OSError) -> ScanError:
    if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
        return ScanError("output", f"{target.name!r} was written by another run meanwhile: give another folder")
    why = error.strerror or type(error).__name__
    return ScanError(
        "output", f"cannot write {target.name!r} to the output folder: {why}: give a folder with room for it"
    )


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
