"""Division and means that say "undefined" instead of guessing."""

from math import nan

import numpy as np
from jaxtyping import Float


def ratio(
    over: Float[np.ndarray, "*shape"], under: Float[np.ndarray, "*shape"], undefined: float = nan
) -> Float[np.ndarray, "*shape"]:
    """over / under, and `undefined` (NaN; 0 in VLM3D's protocol) where `under` is 0."""
    out = np.full(under.shape, undefined)
    np.divide(over, under, out=out, where=under != 0)
    return out


def once(n: int) -> Float[np.ndarray, "1 n"]:
    """The weighting that counts every case once."""
    return np.ones((1, n))


def only(rows: Float[np.ndarray, "1 k"]) -> Float[np.ndarray, " k"]:
    """The row of the only weighting."""
    row: Float[np.ndarray, " k"] = rows[0]
    return row


def mean_over_labels(
    values: Float[np.ndarray, "b k"], support: Float[np.ndarray, "b k"] | None = None
) -> Float[np.ndarray, " b"]:
    """Mean of the labels that are defined, plain or weighted by `support`; NaN where none is."""
    share = (~np.isnan(values)).astype(np.float64)
    if support is not None:
        share = share * support
    return ratio((np.nan_to_num(values) * share).sum(1), share.sum(1))
