"""Logits to probabilities and decisions."""

import math

import pytest
import torch

from rect_classifier.calibration import to_scores
from rect_core.errors import ScanError
from rect_core.findings import LABELS
from rect_core.types import OperatingPoints

AB = ("a", "b")


def points(**changes: object) -> OperatingPoints:
    return OperatingPoints(**{"labels": AB, "scale": (2.0, 1.0), "bias": (0.0, -1.0), **changes})  # type: ignore[arg-type]


def test_without_points_the_probability_is_the_sigmoid_and_the_cut_a_half() -> None:
    scores = to_scores(torch.linspace(-3, 3, 18))
    assert scores.labels == LABELS
    assert scores.prob[0] == pytest.approx(1 / (1 + math.exp(3)))
    assert scores.threshold == (0.5,) * 18
    assert scores.present == tuple(i > 8 for i in range(18))
    assert not scores.calibrated


def test_points_scale_and_shift_the_logits() -> None:
    scores = to_scores(torch.tensor([1.0, 1.0]), points=points(), labels=AB)
    assert scores.prob == pytest.approx((1 / (1 + math.exp(-2)), 0.5))
    assert scores.logits == (1.0, 1.0)
    assert scores.calibrated


def test_isotonic_knots_follow_the_scaled_probability_of_their_label_alone() -> None:
    knots = {"b": ((0.0, 0.1), (0.5, 0.4), (1.0, 0.8))}
    scores = to_scores(torch.tensor([0.0, 1.0]), points=points(isotonic=knots), labels=AB)
    assert scores.prob == pytest.approx((0.5, 0.4))
    assert to_scores(torch.tensor([0.0, -99.0]), points=points(isotonic=knots), labels=AB).prob[1] == pytest.approx(0.1)


def test_extreme_logits_stay_probabilities() -> None:
    assert to_scores(torch.tensor([-1e4, 1e4]), labels=AB).prob == (0.0, 1.0)


def test_a_cut_for_all_or_for_some_labels() -> None:
    logits = torch.zeros(2)
    assert to_scores(logits, threshold=0.3, labels=AB).threshold == (0.3, 0.3)
    assert to_scores(logits, threshold=1, labels=AB).present == (False, False)
    assert to_scores(logits, threshold={"b": 0.9}, labels=AB).threshold == (0.5, 0.9)


def test_fitted_cuts_are_the_default_and_can_be_named() -> None:
    fitted = points(thresholds={"f1": (0.2, 0.3), "crg": (0.18, 0.18)})
    logits = torch.zeros(2)
    assert to_scores(logits, points=fitted, labels=AB).threshold == (0.2, 0.3)
    assert to_scores(logits, points=fitted, threshold="crg", labels=AB).threshold == (0.18, 0.18)
    assert to_scores(logits, points=fitted, threshold={"a": 0.7}, labels=AB).threshold == (0.7, 0.3)
    assert to_scores(logits, points=points(thresholds={"crg": (0.1, 0.1)}), labels=AB).threshold == (0.5, 0.5)


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ("youden", "no cuts for the objective 'youden'; there are: f1"),
        ({"bb": 0.5}, "'bb', which is no label; the nearest is 'b'"),
        (1.5, "threshold 1.5 is not a probability"),
        ({"a": -0.1}, "threshold -0.1"),
        (float("nan"), "threshold nan"),
    ],
)
def test_a_threshold_that_means_nothing_is_refused(threshold: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_scores(torch.zeros(2), threshold=threshold, points=points(thresholds={"f1": (0.2, 0.3)}), labels=AB)  # type: ignore[arg-type]


def test_undefined_logits_are_refused_by_name() -> None:
    with pytest.raises(ScanError, match=r"logits are undefined \(NaN\) for b"):
        to_scores(torch.tensor([0.0, float("nan")]), labels=AB)


@pytest.mark.parametrize(
    "knots",
    [(), ((0.5, 0.2), (0.1, 0.4)), ((0.1, 0.4), (0.5, 0.2)), ((0.1, 0.4), (0.5, 1.2)), ((0.1, float("nan")),)],
)
def test_knots_that_are_no_rising_map_of_probabilities_are_refused(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match=r"isotonic knots of b must be one or more points that rise within 0\.\.1"):
        points(isotonic={"b": knots})


def test_points_or_logits_of_other_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="operating points are for the labels"):
        to_scores(torch.zeros(18), points=points())
    with pytest.raises(ValueError, match="3 logits for 2 labels"):
        to_scores(torch.zeros(3), labels=AB)
