"""Random streams: one for each purpose of each case, so that drawing one thing never changes another."""

from zlib import crc32

import numpy as np


def stream(seed: int, *keys: int | str) -> np.random.Generator:
    """A generator that depends on the seed and the keys alone, the same on every machine."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *map(_number, keys)])))


def _number(key: int | str) -> int:
    return crc32(key.encode()) if isinstance(key, str) else int(key)
