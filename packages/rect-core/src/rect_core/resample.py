"""Separable resampling of (d, h, w) arrays, one output slice at a time in float32, so that nothing but the input and
the output is ever held whole.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

TILE = 128
"""Rows of one dense tile. A tile is as wide as its band, so most zeros of a 512 x 512 matrix are never multiplied."""

CHUNK = 2**21
"""Voxels worked on at a time: enough for few, large products, and 8 MB in float32."""

Weights = tuple[Float[np.ndarray, "td d"], Float[np.ndarray, "th h"], Float[np.ndarray, "tw w"]]
"""One matrix an axis: weights of the source's slices, rows or columns in each of the target's."""

Start = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Band:
    """A banded matrix [target source] as dense float32 tiles: (target rows, source columns, weights).

    source: the source voxels that are used at all; columns are counted from its start.
    """

    target: int
    source: slice
    tiles: tuple[tuple[slice, slice, Float[Tensor, "_rows _columns"]], ...]

    @classmethod
    def of(cls, weights: Float[np.ndarray, "target source"]) -> "Band":
        """Cuts a dense matrix into tiles."""
        used = _used(np.any(weights, axis=0))
        tiles = []
        for first in range(0, len(weights), TILE):
            rows = weights[first : first + TILE, used]
            columns = _used(np.any(rows, axis=0))
            tile = torch.from_numpy(np.ascontiguousarray(rows[:, columns], np.float32))
            tiles.append((slice(first, first + len(rows)), columns, tile))
        return cls(len(weights), used, tuple(tiles))

    def rows(self, planes: Float[Tensor, "k source w"]) -> Float[Tensor, "k target w"]:
        """Matrix @ each plane."""
        out = planes.new_empty((planes.shape[0], self.target, planes.shape[2]))
        for rows, columns, tile in self.tiles:
            out[:, rows] = tile @ planes[:, columns]
        return out

    def columns(self, planes: Float[Tensor, "k h source"]) -> Float[Tensor, "k h target"]:
        """Each plane @ matrix transposed."""
        flat = rearrange(planes, "k h source -> (k h) source")
        out = planes.new_empty((len(flat), self.target))
        for rows, columns, tile in self.tiles:
            torch.mm(flat[:, columns], tile.T, out=out[:, rows])
        return rearrange(out, "(k h) target -> k h target", k=len(planes))


def resampled(
    source: Shaped[np.ndarray, "d h w"], weights: Weights, clip: tuple[float, float] | None = None
) -> Iterator[Float[Tensor, "th tw"]]:
    """Yields the td output slices in order, in float32; the source is read a few slices at a time.

    clip: range the source is clipped to before it is averaged.
    """
    high, wide = Band.of(weights[1]), Band.of(weights[2])
    for rows in np.array_split(weights[0].astype(np.float32), _chunks(weights)):
        used = _used(np.any(rows, axis=0))
        mixed = _mixed(source[used, high.source, wide.source], rows[:, used], clip)
        yield from wide.columns(high.rows(mixed))


def _mixed(
    slab: Shaped[np.ndarray, "d h w"], rows: Float[np.ndarray, "k d"], clip: tuple[float, float] | None
) -> Float[Tensor, "k h w"]:
    values = np.array(slab, np.float32, order="C")  # a copy: the source may be flipped or read-only, and stays as it is
    if clip is not None:
        np.clip(values, *clip, out=values)
    return einsum(torch.from_numpy(rows), torch.from_numpy(values), "k d, d h w -> k h w")


def gather(
    source: Shaped[np.ndarray, "d h w"],
    indices: tuple[Int64[np.ndarray, " td"], Int64[np.ndarray, " th"], Int64[np.ndarray, " tw"]],
    out: Shaped[np.ndarray, "td th tw"],
) -> None:
    """Writes source[d, h, w] for every combination of the three index lists into `out`."""
    for target, index in zip(out, indices[0], strict=True):
        np.copyto(target, source[index][indices[1]][:, indices[2]])


def reach(source: Float[np.ndarray, "d h w"], weights: Weights, threshold: float) -> tuple[slice, slice, slice] | None:
    """The target ranges outside of which `resampled(source, weights)` stays below a positive threshold for certain;
    None if it does so everywhere. A target value is at most `gain` times the largest source value it reads.
    """
    gain = np.prod([np.abs(weight).sum(axis=1).max() for weight in weights])
    flat = source.max(axis=0)
    peaks = (source.max(axis=(1, 2)), flat.max(axis=1), flat.max(axis=0))
    hot = [np.any(weight[:, peak >= threshold / gain], axis=1) for weight, peak in zip(weights, peaks, strict=True)]
    if not all(map(np.any, hot)):
        return None
    d, h, w = map(_used, hot)
    return d, h, w


def shrink(box: Bool[np.ndarray, "d h w"], start: Start) -> tuple[Bool[np.ndarray, "bd bh bw"], Start]:
    """A view of the smallest box that holds all of a mask, and where it begins if `box` begins at `start`; an empty
    mask gives a box of shape (0, 0, 0) at (0, 0, 0)."""
    flat = np.any(box, axis=0)
    if not flat.any():
        return box[:0, :0, :0], (0, 0, 0)
    d, h, w = map(_used, (np.any(box, axis=(1, 2)), np.any(flat, axis=1), np.any(flat, axis=0)))
    return box[d, h, w], (start[0] + d.start, start[1] + h.start, start[2] + w.start)


def _chunks(weights: Weights) -> int:
    voxels: int = max(math.prod(weight.shape[side] for weight in weights) for side in (0, 1))
    return max(min(math.ceil(voxels / CHUNK), len(weights[0])), 1)


def _used(line: Shaped[np.ndarray, " n"]) -> slice:
    places = np.flatnonzero(line)
    return slice(int(places[0]), int(places[-1]) + 1)
