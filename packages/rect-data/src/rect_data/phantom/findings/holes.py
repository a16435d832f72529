"""Many small balls, no two alike, painted at once: the holes of emphysema."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from rect_data.phantom.grid import Grid

_BLUR_MM: Final = np.float32(1.6)
_AT_ONCE: Final = 400


def bends(count: int, uneven: float, rng: np.random.Generator) -> Float[np.ndarray, "n 3 3"]:
    """How each ball is pressed out of round; uneven: 0 for balls, .3 for bruised potatoes."""
    push = rng.normal(0, uneven, (count, 3, 3))
    return np.asarray(
        np.eye(3) + np.einsum("nij,nkj->nik", push, push) * 0.5 + (push + np.einsum("nij->nji", push)) / 2
    )


def balls(
    grid: Grid,
    middles_mm: Float[np.ndarray, "n 3"],
    radii_mm: Float[np.ndarray, " n"],
    bent: Float[np.ndarray, "n 3 3"],
) -> Float32[np.ndarray, "d h w"]:
    """Share of each voxel that lies inside any of the balls."""
    out = np.zeros(int(np.prod(grid.shape)), np.float32)
    order = np.argsort(radii_mm, kind="stable")
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        _stamp(grid, out, middles_mm[some], radii_mm[some], bent[some])
    return out.reshape(grid.shape)


def _stamp(
    grid: Grid,
    out: Float32[np.ndarray, " k"],
    middles_mm: Float[np.ndarray, "n 3"],
    radii_mm: Float[np.ndarray, " n"],
    bent: Float[np.ndarray, "n 3 3"],
) -> None:
    """Paints balls of about one size over the same block of voxels around each."""
    far_mm = 1.25 * float(radii_mm.max()) + 1
    reach = [int(np.ceil(far_mm / s)) for s in grid.spacing_mm]
    block = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    block = block[np.linalg.norm(block * grid.spacing_mm, axis=1) < far_mm + max(grid.spacing_mm) / 2]
    first = np.rint(grid.index(middles_mm)).astype(np.int64)
    inside = ((first >= reach) & (first < np.array(grid.shape) - reach)).all(1)
    first, middles_mm, radii_mm, bent = first[inside], middles_mm[inside], radii_mm[inside], bent[inside]
    step = (grid.point(first) - middles_mm).astype(np.float32)[:, None] + (block * grid.spacing_mm).astype(np.float32)
    apart = np.linalg.norm(step @ bent.astype(np.float32), axis=-1)
    alpha = np.clip(0.5 - (apart - radii_mm.astype(np.float32)[:, None]) / _BLUR_MM, 0, 1)
    _, h, w = grid.shape
    at = (first @ (h * w, w, 1))[:, None] + block @ (h * w, w, 1)
    touched = alpha > 0
    np.maximum.at(out, at[touched], alpha[touched])
