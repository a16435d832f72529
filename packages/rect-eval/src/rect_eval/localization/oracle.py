"""The Dice that a perfect localizer would get: the truth, put on the model grid and back as a prediction is.

The model's answer lies on a grid coarser than the scan. What that grid cannot hold (a nodule thinner than a cell, an
effusion beyond its edge) no training brings back, so this number stands beside every Dice.
"""

from dataclasses import replace
from math import ceil, nan
from typing import Final

import numpy as np
from jaxtyping import Bool

from rect_core.frame import Frame

THRESHOLD: Final = 0.5
"""Where a restored probability becomes mask, the default of the localizer."""

_REACH: Final = 4
"""Cells beyond which a cell changes no voxel: half a cell down, two back, and one for the edges."""


def oracle_dice(mask: Bool[np.ndarray, "d h w"], start: tuple[int, int, int], frame: Frame) -> float:
    """Dice between a mask and itself after the model grid; NaN of an empty mask.

    mask: a box of the scan that holds it; start: the box's first voxel; frame: where the grid lies in the scan.
    """
    held = int(np.count_nonzero(mask))
    if not held:
        return nan
    padded, part = _part(mask, start, frame)
    if any(first >= stop for first, stop in (*part.valid, *part.covered)):
        return 0.0  # wholly outside the grid
    back, (d, h, w) = part.restore(part.soften(padded), THRESHOLD)
    x, y, z = back.shape
    shared = np.count_nonzero(back & padded[d : d + x, h : h + y, w : w + z])
    return 2 * int(shared) / (held + int(np.count_nonzero(back)))


def _part(
    mask: Bool[np.ndarray, "d h w"], start: tuple[int, int, int], frame: Frame
) -> tuple[Bool[np.ndarray, "pd ph pw"], Frame]:
    """The mask with as much of the scan around it as its way down and back reaches, and the part of the frame that
    lies there: the voxels that come back are the same, at the cost of the mask and not of the scan."""
    margin = [ceil(_REACH * max(step, 1.0)) + 1 for step in frame.step]
    before = [min(m, s) for m, s in zip(margin, start, strict=True)]
    end = [n - s - k for n, s, k in zip(frame.scan_shape, start, mask.shape, strict=True)]
    padded = np.pad(mask, [(b, min(m, e)) for b, m, e in zip(before, margin, end, strict=True)])
    x, y, z = (f - s + b for f, s, b in zip(frame.start, start, before, strict=True))
    d, h, w = padded.shape
    return padded, _fewer_cells(replace(frame, scan_shape=(d, h, w), start=(x, y, z)))


def _fewer_cells(frame: Frame) -> Frame:
    """The same frame with the cells that have a voxel, and one more on each side where the grid goes on."""
    first = [max(low - 1, 0) for low, _ in frame.valid]
    stop = [min(high + 1, n) for (_, high), n in zip(frame.valid, frame.grid.shape, strict=True)]
    if any(a >= b for a, b in zip(first, stop, strict=True)):
        return frame
    x, y, z = (start + step * a for start, step, a in zip(frame.start, frame.step, first, strict=True))
    d, h, w = (b - a for a, b in zip(first, stop, strict=True))
    return replace(frame, grid=replace(frame.grid, shape=(d, h, w)), start=(x, y, z))
