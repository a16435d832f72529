"""Weightings of cases: how often a resample of patients holds each case."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Float, Int64

from rect_eval.scores import Statistic

_CELLS: Final = 1 << 21
"""Weights that are held at once: 16 MB, whatever the number of resamples."""


def resamples_of(groups: Int64[np.ndarray, " n"], resamples: int, seed: int) -> Iterator[Float[np.ndarray, "b n"]]:
    """Counts of each case in resamples that draw as many groups as there are, with replacement; a block at a time.

    The same seed gives the same draws, whatever the size of the blocks.
    """
    many = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    for size in _blocks(resamples, max(many, len(groups))):
        counts = np.stack([np.bincount(rng.integers(0, many, many), minlength=many) for _ in range(size)])
        yield counts[:, groups].astype(np.float64)


def left_out(groups: Int64[np.ndarray, " n"]) -> Iterator[Float[np.ndarray, "b n"]]:
    """Weights that leave out one group at a time, a block at a time: the jackknife."""
    start = 0
    for size in _blocks(int(groups.max()) + 1, len(groups)):
        yield (groups[None] != np.arange(start, start + size)[:, None]).astype(np.float64)
        start += size


def swaps_of(groups: Int64[np.ndarray, " n"], permutations: int, seed: int) -> Iterator[Float[np.ndarray, "b n"]]:
    """1 where a case's two systems are swapped, a coin for each group; a block at a time."""
    many = int(groups.max()) + 1
    rng = np.random.default_rng(seed)
    for size in _blocks(permutations, max(many, len(groups))):
        coins = np.stack([rng.integers(0, 2, many) for _ in range(size)])
        yield coins[:, groups].astype(np.float64)


def value_of(statistic: Statistic, n: int) -> Float[np.ndarray, " m"]:
    """The scores themselves: every case once."""
    row: Float[np.ndarray, " m"] = statistic(np.ones((1, n)))[0]
    return row


def check_groups(groups: Int64[np.ndarray, " n"]) -> None:
    """Raises ValueError unless groups are numbered 0..g-1 and there are two or more."""
    found = np.unique(groups)
    if len(found) < 2 or found[0] != 0 or found[-1] != len(found) - 1:
        raise ValueError(f"{len(found)} patients, numbered {found[:1]} to {found[-1:]}: give two or more, from 0 up")


def _blocks(total: int, n: int) -> Iterator[int]:
    size = max(1, _CELLS // max(n, 1))
    for start in range(0, total, size):
        yield min(size, total - start)
