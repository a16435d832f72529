"""Fitting scale and bias of one label's logits: temperature and Platt scaling."""

from math import inf
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_eval.calibration.apply import sigmoid

_ENDS: Final = (1e-6, 1e6)
"""Scales between which the best is sought, for logits whose largest is 1."""

_STEPS: Final = 100


def temperature(
    labels: Float[np.ndarray, " n"], logits: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]
) -> float:
    """The scale 1/T that gives the labels the highest likelihood (Guo et al., 2017).

    The slope of the log-likelihood falls with the scale, so bisection finds its zero. 0 where flattening is best
    (scores that rank the wrong way round, or that need a bias), infinity where the sign of the logits is always right.
    """
    if ((logits >= 0) | (labels == 0)).all() and ((logits <= 0) | (labels == 1)).all():
        return inf
    inputs = logits / _unit(logits)
    if weights @ (inputs * (labels - 0.5)) <= 0:
        return 0.0
    low, high = np.log(_ENDS).tolist()
    for _ in range(_STEPS):
        middle = (low + high) / 2
        rising = weights @ (inputs * (labels - sigmoid(np.exp(middle) * inputs))) > 0
        low, high = (middle, high) if rising else (low, middle)
    return float(np.exp(low)) / _unit(logits)


def platt(
    labels: Float[np.ndarray, " n"], logits: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Scale and bias of Platt scaling (Platt, 1999): targets (P + 1) / (P + 2) and 1 / (N + 2) instead of 1 and 0 keep
    them finite where scores separate the classes. Newton's method with step halving (Lin et al., 2007).

    A negative scale means that the scores rank the wrong way round.
    """
    positives, negatives = float(weights @ labels), float(weights @ (1 - labels))
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    unit = _unit(logits)
    inputs = np.stack([logits / unit, np.ones_like(logits)], 1)
    found = np.array([0.0, np.log((positives + 1) / (negatives + 1))])
    loss = _loss(inputs @ found, targets, weights)
    for _ in range(_STEPS):
        prob = sigmoid(inputs @ found)
        slope = inputs.T @ (weights * (prob - targets))
        bend = inputs.T @ (inputs * (weights * prob * (1 - prob))[:, None]) + 1e-12 * np.eye(2)
        step = np.linalg.solve(bend, slope)
        if float(slope @ step) < 1e-14 * weights.sum():
            break
        found, loss = _down(found, step, loss, inputs, targets, weights)
    return float(found[0] / unit), float(found[1])


def _down(
    found: Float[np.ndarray, " 2"],
    step: Float[np.ndarray, " 2"],
    loss: float,
    inputs: Float[np.ndarray, "n 2"],
    targets: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
) -> tuple[Float[np.ndarray, " 2"], float]:
    """The longest of the halved steps that lowers the loss; where none does, no step."""
    for halvings in range(40):
        tried = found - step * 0.5**halvings
        value = _loss(inputs @ tried, targets, weights)
        if value < loss:
            return tried, value
    return found, loss


def _loss(logits: Float[np.ndarray, " n"], targets: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"]) -> float:
    return float(weights @ (np.logaddexp(0, logits) - targets * logits))


def _unit(logits: Float[np.ndarray, " n"]) -> float:
    return float(np.abs(logits).max()) or 1.0
