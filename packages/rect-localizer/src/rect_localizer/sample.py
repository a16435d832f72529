"""Probabilities at chosen voxels of a scan, and voxels of chosen probabilities, without a map of the whole scan."""

import numpy as np
from einops import einsum
from jaxtyping import Float, Int64
from torch import Tensor

from rect_core.preprocess import Frame


def sample(soft: Float[Tensor, "gd gh gw"], frame: Frame, points: Int64[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Values 0..1 of a soft map at (d, h, w) voxels of the scan, as `Frame.restore` sees them; they must lie inside the
    grid."""
    valid = tuple(slice(*r) for r in frame.valid)
    cells = soft.detach()[valid].float().cpu().numpy()
    (d, d_weight), (h, h_weight), (w, w_weight) = (
        _near(axis.back(), points[:, i]) for i, axis in enumerate(frame.axes)
    )
    values = cells[d[:, :, None, None], h[:, None, :, None], w[:, None, None, :]].astype(np.float64)
    mixed = einsum(values, d_weight, h_weight, w_weight, "n i j k, n i, n j, n k -> n")
    return np.asarray(np.clip(mixed, 0.0, 1.0), np.float64)


def reaching(soft: Float[Tensor, "gd gh gw"], frame: Frame, peak: float) -> Int64[np.ndarray, "n 3"]:
    """The (d, h, w) voxels of the scan that are nearest to the centres of the cells that reach a peak, and their
    neighbours: where voxels are coarser than cells, the lesion of a cell may lie in the next one."""
    cells = soft.detach()[tuple(slice(*r) for r in frame.valid)].float().cpu().numpy()
    found = np.nonzero(cells >= np.float32(peak))
    nearest = np.stack([axis.nearest_voxels()[i] for axis, i in zip(frame.axes, found, strict=True)], -1)
    around = np.argwhere(np.ones((3, 3, 3))) - 1
    return np.unique((nearest[:, None] + around).reshape(-1, 3), axis=0)


def _near(
    weights: Float[np.ndarray, "voxels cells"], rows: Int64[np.ndarray, " n"]
) -> tuple[Int64[np.ndarray, "n m"], Float[np.ndarray, "n m"]]:
    """The cells that count in each of the chosen rows of a banded matrix, and their weights."""
    chosen = weights[rows]
    first = (chosen != 0).argmax(1)
    last = chosen.shape[1] - (chosen != 0)[:, ::-1].argmax(1)
    cells = np.minimum(first[:, None] + np.arange((last - first).max()), chosen.shape[1] - 1)
    inside = first[:, None] + np.arange(cells.shape[1]) < last[:, None]
    return cells, np.where(inside, np.take_along_axis(chosen, cells, 1), 0.0)
