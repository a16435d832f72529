"""Fitting a rising, piecewise-linear map of one label's probabilities: isotonic regression."""

import numpy as np
from jaxtyping import Float

Knots = tuple[tuple[float, float], ...]


def isotonic(labels: Float[np.ndarray, " n"], prob: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> Knots:
    """Knots of the non-decreasing map nearest to the labels in squares; equal probabilities are one point.

    Of each flat run the two ends are kept; between runs the map is linear, outside of the knots constant. A flat map
    (one value) means that the scores do not rank the labels the right way round.
    """
    from scipy.optimize import isotonic_regression

    x, group = np.unique(prob, return_inverse=True)
    weight = np.bincount(group, weights)
    mean = np.bincount(group, weights * labels) / weight
    y = np.clip(np.maximum.accumulate(isotonic_regression(mean, weights=weight).x), 0.0, 1.0)
    inside = np.zeros(len(y), np.bool_)
    inside[1:-1] = (y[1:-1] == y[:-2]) & (y[1:-1] == y[2:])
    return tuple(zip(x[~inside].tolist(), y[~inside].tolist(), strict=True))
