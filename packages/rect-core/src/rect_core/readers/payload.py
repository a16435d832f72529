"""The bytes of a scan file: opened, decompressed into one array, and held against what the header declares."""

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from typing import Final, Protocol, cast, runtime_checkable

import numpy as np
from isal import igzip, isal_zlib
from jaxtyping import Shaped

from rect_core.errors import ScanError

# isal's stub calls its error class an instance
_DAMAGED: Final = cast("type[Exception]", isal_zlib.error)
_CHUNK: Final = 1 << 20
_DEFLATE_LIMIT: Final = 1032
"""No deflate stream expands further (RFC 1951: 258 bytes from 2 bits)."""


@runtime_checkable
class Stream(Protocol):
    """What a payload is read from: a file, or a decompressor over one."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Fills the buffer from its start and returns how many bytes came; 0 or None at the end."""


class ZlibStream:
    """Decompresses a zlib stream (MetaImage's compression), its Adler-32 checked at the end."""

    def __init__(self, file: BufferedIOBase) -> None:
        self._file = file
        self._inflate = isal_zlib.decompressobj()

    def readinto(self, buffer: memoryview, /) -> int:
        """At most len(buffer) decompressed bytes; EOFError where the file ends before the stream does."""
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._file.read(_CHUNK)
            data = self._inflate.decompress(packed, len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            if not packed:
                raise EOFError("zlib stream ends early")
        return 0


@contextmanager
def opened(path: Path) -> Iterator[BufferedIOBase]:
    """The file, open for reading; whatever is wrong with it or its compression is a ScanError of the "file" check."""
    name = path.name
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise ScanError("file", f"{name}: the file is empty (0 bytes): copy it again from its source")
            yield file
    except EOFError as error:
        raise truncated(name) from error
    except (gzip.BadGzipFile, _DAMAGED, zlib.error) as error:
        raise ScanError("file", f"{name}: corrupt compressed data: copy the file again from its source") from error
    except FileNotFoundError as error:
        raise ScanError("file", f"{name}: no such file or folder") from error
    except OSError as error:
        # strerror alone: str(error) would carry the path
        raise ScanError("file", f"{name}: cannot be read: {error.strerror or 'damaged data'}") from error


def gunzip(file: BufferedIOBase, name: str) -> BufferedIOBase:
    """A decompressing stream from here on in a file; refuses what does not start like gzip."""
    start = file.tell()
    if file.read(2) != b"\x1f\x8b":
        raise ScanError("format", f"{name}: not gzip data although the name ends in .gz: is it another kind of file?")
    file.seek(start)
    stream: BufferedIOBase = igzip.open(file)
    return stream


def beside(path: Path, named: str) -> Path:
    """The file of voxels that a header names; it must be one file in the header's own folder."""
    if Path(named).name != named or not named.isprintable() or "%" in named or named.split()[:1] == ["LIST"]:
        raise ScanError(
            "format", f"{path.name}: the voxels must be in one file beside the header: join them into one file"
        )
    return path.parent / named


def truncated(name: str, found: int | None = None, declared: int | None = None) -> ScanError:
    """The error of a file that ends before its voxels do; sizes in bytes where they are known."""
    sizes = f": {found} of {declared} bytes of voxels" if declared is not None else ""
    return ScanError("file", f"{name}: the file is truncated{sizes}: copy it again from its source")


def check_grid(name: str, shape: tuple[int, ...], dtype: np.dtype) -> tuple[int, int, int]:
    """The three axes of an image, trailing single axes dropped; refuses any other image and one too big for memory.

    Runs on the header alone, before a voxel is read. Raises ScanError("dimensions") or ScanError("file").
    """
    if dtype.kind == "c":
        raise ScanError("dimensions", f"{name}: complex voxels ({dtype}): a CT has one real number a voxel")
    if dtype.kind not in "iufb":
        raise ScanError("dimensions", f"{name}: colour or structured voxels: give the original grey-value CT")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    size = " x ".join(str(n) for n in shape)
    if len(shape) != 3:
        raise ScanError("dimensions", f"{name}: a {len(shape)}-D image ({size}): give one 3-D volume")
    if min(shape) < 1:
        raise ScanError("dimensions", f"{name}: the header declares {size} voxels: the file holds no image")
    declared, free = math.prod(shape) * dtype.itemsize, available_bytes()
    if declared > free:
        gb = f"{declared / 1e9:.1f} GB for {size} voxels but {free / 1e9:.1f} GB of memory is free"
        raise ScanError("file", f"{name}: the header declares {gb}: the header is damaged or the scan too big")
    return shape[0], shape[1], shape[2]


def check_size(name: str, declared: int, held: int, *, compressed: bool) -> None:
    """Refuses a file that cannot hold the declared bytes of voxels, before memory is taken for them."""
    if declared > (held * _DEFLATE_LIMIT if compressed else held):
        raise ScanError(
            "file",
            f"{name}: the file is truncated: {held} bytes cannot hold the {declared} bytes of voxels it declares",
        )


def fill(stream: Stream, name: str, shape: tuple[int, int, int], dtype: np.dtype) -> Shaped[np.ndarray, "i j k"]:
    """Reads the voxels of a file, first axis fastest, into one new array in native byte order.

    The stream is followed to its end, so that a checksum behind the voxels is verified.
    """
    flat = np.empty(math.prod(shape), dtype)
    target, position = flat.data.cast("B"), 0
    while position < flat.nbytes:
        read = stream.readinto(target[position : position + _CHUNK])
        if not read:
            raise truncated(name, position, flat.nbytes)
        position += read
    if stream.readinto(memoryview(bytearray(_CHUNK))) == _CHUNK:
        raise ScanError(
            "file", f"{name}: more data than the header declares ({flat.nbytes} bytes): the header is damaged"
        )
    return native(flat).reshape(shape, order="F")


def native(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """The same values in this machine's byte order, swapped in place."""
    if array.dtype.isnative:
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def available_bytes() -> int:
    """Memory that can still be taken, by the kernel's and the container's account; physical memory elsewhere."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        free = _physical_bytes()
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        return free if limit == "max" else max(0, min(free, int(limit) - used))
    except OSError:
        return free


def _physical_bytes() -> int:
    if "SC_PHYS_PAGES" not in os.sysconf_names:
        return 16 << 30
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
