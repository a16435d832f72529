"""Reconstructions of one scan brought to one row."""

import numpy as np
from jaxtyping import Float, Int64


def to_scans(values: Float[np.ndarray, "n k"], scans: Int64[np.ndarray, " n"]) -> Float[np.ndarray, "s k"]:
    """The mean over the reconstructions of each scan, in the order of the scans' numbers; NaN counts for nothing and
    stays NaN where all are. The mean of equal values is that value, to the last digit."""
    many = int(scans.max()) + 1
    known = ~np.isnan(values)
    total, count = np.zeros((many, values.shape[1])), np.zeros((many, values.shape[1]))
    np.add.at(total, scans, np.where(known, values, 0.0))
    np.add.at(count, scans, known)
    low, high = np.full_like(total, np.nan), np.full_like(total, np.nan)
    np.fmin.at(low, scans, values)
    np.fmax.at(high, scans, values)
    return np.clip(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0), low, high)


def first_rows(scans: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " s"]:
    """The row of each scan's first reconstruction, in the order of the scans' numbers."""
    return np.unique(scans, return_index=True)[1].astype(np.int64)
