"""Zip files from strangers: what is refused before a single byte of a member is read.

Members are streamed from the archive and never written to disk, so a hostile name cannot overwrite anything; it is
refused all the same, because an archive that tries is not one to trust.
"""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, RawIOBase
from pathlib import Path, PurePosixPath
from typing import Final, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

from rect_core.errors import ScanError

MAX_UNPACKED_BYTES: Final = 16 * 2**30
MAX_RATIO: Final = 200
"""Deflate cannot beat 1032:1 and a real CT packs 2:1 to 10:1."""
RATIO_FROM_BYTES: Final = 64 * 2**20
"""A small archive may honestly pack well (a blank phantom) and cannot hurt: the ratio counts above this size."""


@contextmanager
def opened(path: Path) -> Iterator[ZipFile]:
    """An open archive; one that is no zip or is cut off raises ScanError("file")."""
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError, ValueError) as error:
        raise ScanError("file", f"{path.name}: not a readable zip file: copy it again or give the folder") from error
    with archive:
        yield archive


def members(archive: ZipFile, name: str, max_files: int) -> list[ZipInfo]:
    """The files in an archive after every safety check; ScanError("file") names the first thing that is wrong.

    Refused: absolute names and names with "..", links and devices, encrypted members, more than `max_files` members,
    and archives whose members declare more bytes than MAX_UNPACKED_BYTES or a higher ratio than MAX_RATIO. Declared
    sizes can be trusted: zipfile never hands out more bytes of a member than its header declares.
    """
    infos = archive.infolist()
    if len(infos) > max_files:
        raise ScanError("file", f"{name}: holds {len(infos)} files, more than {max_files}: give a zip of one study")
    for info in infos:
        if reason := _unsafe(info):
            raise ScanError("file", f"{name}: {reason}: not opened; if you trust it, unpack it and give the folder")
    total, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    if total > MAX_UNPACKED_BYTES:
        sizes = f"{total / 2**30:.0f} GiB, more than {MAX_UNPACKED_BYTES / 2**30:.0f}"
        raise ScanError("file", f"{name}: unpacks to {sizes}: give a zip of one study")
    if reason := bomb(total, packed):
        raise ScanError("file", f"{name}: {reason}: not opened")
    return [info for info in infos if not info.is_dir()]


def open_member(archive: ZipFile, info: ZipInfo) -> BufferedReader:
    """A seekable stream of one member."""
    return BufferedReader(cast(RawIOBase, archive.open(info)), 1 << 16)


def place_of(info: ZipInfo) -> PurePosixPath:
    """Where a member says it belongs, read alike on every system: some zips are made with backslashes."""
    return PurePosixPath(info.filename.replace("\\", "/"))


def _unsafe(info: ZipInfo) -> str:
    path = place_of(info)
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "holds a file name that leads outside of it (absolute, or with '..')"
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "holds a symbolic link or a device"
    if info.flag_bits & 0x1:
        return "is encrypted"
    return bomb(info.file_size, info.compress_size)


def bomb(unpacked: int, packed: int) -> str:
    """What to say of data that packs so well that it must be made to fill a memory, or ""; sizes in bytes."""
    if unpacked <= RATIO_FROM_BYTES or unpacked <= MAX_RATIO * packed:
        return ""
    return f"packed {unpacked / max(packed, 1):.0f}:1, which looks like a bomb"
