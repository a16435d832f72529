"""From logits to calibrated probabilities, by the formula that the classifier applies."""

import numpy as np
from jaxtyping import Float

from rect_core.types import OperatingPoints


def apply(points: OperatingPoints, logits: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """sigmoid(scale * logit + bias), then the isotonic knots of the labels that have some.

    Raises ValueError where logits are NaN or not one a label of the points.
    """
    if logits.shape[1] != len(points.labels):
        raise ValueError(f"{logits.shape[1]} logits a case for {len(points.labels)} labels")
    if np.isnan(logits).any():
        raise ValueError(f"{np.isnan(logits).sum()} logits are NaN: a probability needs a number")
    prob = sigmoid(np.asarray(points.scale) * logits + np.asarray(points.bias))
    for label, knots in points.isotonic.items():
        k = points.labels.index(label)
        x, y = zip(*knots, strict=True)
        prob[:, k] = np.interp(prob[:, k], x, y)
    return prob


def sigmoid(logits: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """1 / (1 + exp(-x)) without overflow."""
    small = np.exp(-np.abs(logits))
    prob: Float[np.ndarray, "*shape"] = np.where(logits >= 0, 1 / (1 + small), small / (1 + small))
    return prob


def logits_of(prob: Float[np.ndarray, "*shape"], edge: float = 1e-7) -> Float[np.ndarray, "*shape"]:
    """log(p / (1 - p)) of probabilities that came without logits, kept `edge` away from 0 and 1."""
    inside = np.clip(prob, edge, 1 - edge)
    logits: Float[np.ndarray, "*shape"] = np.log(inside / (1 - inside))
    return logits
