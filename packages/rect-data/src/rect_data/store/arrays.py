"""Arrays in blosc2 files: compressed bytes out, whole arrays or boxes back in."""

from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Shaped

from rect_core.errors import DataError

Start = tuple[int, int, int]

HU_CHUNK: Final = (64, 64, 64)
HU_BLOCK: Final = (16, 16, 32)
LABEL_CHUNK: Final = (64, 128, 128)
LABEL_BLOCK: Final = (16, 64, 64)
"""Voxels that lie together in a file, and that are unpacked together: small for HU, so that a patch that begins
anywhere unpacks little beside itself; larger for labels, whose blocks cost more to find than to unpack."""


def packed(array: Shaped[np.ndarray, "..."]) -> bytes:
    """The bytes of a .b2nd file; the same array always gives the same bytes.

    Two-byte numbers (HU) become byte-shuffled LZ4, which unpacks twice as fast as ZSTD with bitshuffle and takes a
    quarter more room. Labels become plain ZSTD: less than half the size of LZ4, and as fast.
    """
    blosc2 = _blosc2()
    wide = array.dtype.itemsize > 1
    settings = {
        "codec": blosc2.Codec.LZ4 if wide else blosc2.Codec.ZSTD,
        "clevel": 9 if wide else 3,
        "filters": [blosc2.Filter.SHUFFLE if wide else blosc2.Filter.NOFILTER],
        "nthreads": 1,
    }
    lead = (1,) * (array.ndim - 3)
    chunks = (*lead, *map(min, HU_CHUNK if wide else LABEL_CHUNK, array.shape[-3:]))
    blocks = (*lead, *map(min, HU_BLOCK if wide else LABEL_BLOCK, chunks[-3:]))
    packing = blosc2.asarray(np.ascontiguousarray(array), chunks=chunks, blocks=blocks, cparams=settings)
    frame: bytes = packing.to_cframe()
    return frame


def read_box(path: Path, start: Start, shape: Start, fill: int) -> Shaped[np.ndarray, "..."]:
    """A box of the last axes of a file's array, all of the leading ones; `fill` where it reaches over the edge.

    Raises DataError for a file that is gone or damaged.
    """
    blosc2 = _blosc2()
    try:
        held = blosc2.open(str(path), mode="r", mmap_mode="r", dparams={"nthreads": 1})
        lead = held.ndim - len(shape)
        inner = [_overlap(s, n, size) for s, n, size in zip(start, shape, held.shape[lead:], strict=True)]
        taken = held[(*(slice(None),) * lead, *(source for source, _ in inner))]
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{path.parent.name}/{path.name}: cannot be read ({error}): prepare the case again") from error
    box: np.ndarray = np.asarray(taken)
    if box.shape[lead:] == tuple(shape):
        return box
    out = np.full((*held.shape[:lead], *shape), fill, held.dtype)
    d, h, w = (target for _, target in inner)
    out[..., d, h, w] = box
    return out


def _overlap(start: int, length: int, size: int) -> tuple[slice, slice]:
    """Of a range of cells that may leave the array: where it lies in the array, and where that lies in the range."""
    first, last = min(max(start, 0), size), min(max(start + length, 0), size)
    return slice(first, last), slice(first - start, last - start) if last > first else slice(0, 0)


@cache
def _blosc2() -> Any:
    import blosc2

    blosc2.set_nthreads(1)  # workers and shards are what uses the cores
    return blosc2
