"""Reconstructions of one scan brought to one row."""

import numpy as np
from jaxtyping import Float, Int64


def to_scans(values: Float[np.ndarray, "n k"], scans: Int64[np.ndarray, " n"]) -> Float[np.ndarray, "s k"]:
    """The mean over the reconstructions of each scan, in the order of the scans' numbers; NaN counts for nothing and
    stays NaN where all are."""
    many = int(scans.max()) + 1
    known = ~np.isnan(values)
    total, count = np.zeros((many, values.shape[1])), np.zeros((many, values.shape[1]))
    np.add.at(total, scans, np.where(known, values, 0.0))
    np.add.at(count, scans, known)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def first_rows(scans: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " s"]:
    """The row of each scan's first reconstruction, in the order of the scans' numbers."""
    return np.unique(scans, return_index=True)[1].astype(np.int64)
