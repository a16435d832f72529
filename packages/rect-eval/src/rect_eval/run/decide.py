"""Probabilities and cuts that the chosen thresholds ask for."""

from dataclasses import replace
from difflib import get_close_matches

import numpy as np
from jaxtyping import Float

from rect_core.findings import LABELS
from rect_core.types import OperatingPoints
from rect_eval.cases import Pairs, Predicted
from rect_eval.run.options import Options, Thresholds


def logits_of(predicted: Predicted) -> Float[np.ndarray, " k"]:
    """The logits of a prediction, or those of its probabilities where it has none."""
    from rect_eval.calibration import logits_of as of_prob

    if predicted.logits is not None:
        return np.array(predicted.logits, np.float64)
    if predicted.prob is None:
        raise ValueError(f"{predicted.case_id!r} has neither logits nor probabilities")
    return of_prob(np.array(predicted.prob, np.float64))


def recalibrated(pairs: Pairs, thresholds: Thresholds) -> Pairs:
    """The same cases, with probabilities that went through the calibration of the given operating points.

    Their cuts are cuts of such probabilities. Logits are used where the predictions have them.
    """
    points = thresholds.points
    if points is None or not calibrates(points):
        return pairs
    from rect_eval.calibration import apply

    def one(predicted: Predicted | None) -> Predicted | None:
        if predicted is None or predicted.prob is None:
            return predicted
        prob = apply(points, logits_of(predicted)[None])[0]
        return replace(predicted, prob=tuple(float(p) for p in prob))

    return replace(pairs, predictions=tuple(map(one, pairs.predictions)))


def calibrates(points: OperatingPoints) -> bool:
    """Whether operating points change probabilities."""
    return bool(points.isotonic) or any(s != 1.0 for s in points.scale) or any(b != 0.0 for b in points.bias)


def cuts(pairs: Pairs, options: Options) -> Float[np.ndarray, " k"] | None:
    """One cut a label; None leaves it to the predictions."""
    chosen = options.thresholds
    if chosen.cut is not None:
        return np.full(len(LABELS), chosen.cut)
    if chosen.points is not None:
        return np.array(chosen.points.thresholds[chosen.objective], np.float64)
    return _fitted(pairs, chosen.fit_here) if chosen.fit_here else None


def _fitted(pairs: Pairs, objective: str) -> Float[np.ndarray, " k"]:
    from rect_eval.calibration import fit_thresholds

    rows = [n for n, p in enumerate(pairs.predictions) if p is not None]
    prob = np.array([p.prob for p in pairs.predictions if p is not None], np.float64)
    found = fit_thresholds(pairs.labels[rows], prob)
    if objective not in found:
        near = get_close_matches(objective, found, n=1, cutoff=0.0)[0]
        raise ValueError(f"{objective!r} is no objective: give one of {', '.join(found)} (did you mean {near}?)")
    return np.array(found[objective], np.float64)
