"""The files of a DICOM folder or zip: each with its name and a way to open it. Nothing is ever unpacked to disk."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path, PurePath
from typing import Final

from rect_core.errors import ScanError
from rect_core.readers.dicom_zip import members, open_member, opened, place_of

MAX_FILES: Final = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One file that may be DICOM. name: without folders, as messages may print it; size: bytes; open: a new stream."""

    name: str
    size: int
    open: Callable[[], BufferedReader]


@contextmanager
def parts_of(path: Path, name: str) -> Iterator[list[Part]]:
    """The files under a folder, in a zip, or the one file given; they can be opened while the context lasts.

    Raises ScanError("file") for a path that does not exist, an unsafe zip, or more than MAX_FILES files.
    """
    if path.is_dir():
        yield [_file_part(found) for found in _files_under(path, name)]
    elif not path.is_file():
        raise ScanError("file", f"{name}: no such file or folder")
    elif path.suffix.lower() == ".zip":
        with opened(path) as archive:
            yield [
                Part(name=place.name, size=info.file_size, open=partial(open_member, archive, info))
                for info in members(archive, name, MAX_FILES)
                if _wanted(place := place_of(info))
            ]
    else:
        yield [_file_part(path)]


def _files_under(folder: Path, name: str) -> Iterator[Path]:
    count = 0
    for root, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            count += 1
            if count > MAX_FILES:
                raise ScanError("file", f"{name}: holds more than {MAX_FILES} files: give the folder of one study")
            if _wanted(found := Path(root) / file) and found.is_file():
                yield found


def _file_part(path: Path) -> Part:
    return Part(name=path.name, size=path.stat().st_size, open=lambda: path.open("rb"))


def _wanted(path: PurePath) -> bool:
    """DICOMDIR is a table of contents; "._x" and __MACOSX are a Mac's notes about x, and would look like broken x."""
    return path.name.upper() != "DICOMDIR" and not path.name.startswith("._") and "__MACOSX" not in path.parts
