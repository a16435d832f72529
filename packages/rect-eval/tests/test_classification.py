"""Scores of labels, decisions and probabilities, against scikit-learn and against hand-made cases."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve
from sklearn.exceptions import UndefinedMetricWarning

from rect_eval.classification import (
    METRICS,
    WHOLE,
    ClassificationScores,
    Ranking,
    accuracy,
    auroc,
    average_precision,
    brier,
    ece,
    f1,
    precision,
    recall,
    reliability,
    sensitivity_at_specificity,
    specificity,
    specificity_at_sensitivity,
)

NAN = float("nan")


def by_sklearn(score: Callable[..., float], labels: np.ndarray, values: np.ndarray, **options: Any) -> np.ndarray:
    """One score a column over its known cells; NaN without one or where scikit-learn says NaN."""
    found = []
    for y, x in zip(labels.T, values.T, strict=True):
        known = ~np.isnan(y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            found.append(score(y[known], x[known], **options) if known.any() else NAN)
    return np.array(found)


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Labels with unknown cells and one-class columns, scores with many ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, 4))
    labels = (rng.random((n, k)) < rng.choice([0.0, 0.1, 0.5, 1.0], k)).astype(float)
    labels[rng.random((n, k)) < draw(st.sampled_from([0.0, 0.3]))] = NAN
    prob = rng.random((n, k))
    return labels, np.round(prob, draw(st.sampled_from([0, 1, 9])))


@settings(max_examples=40)
@given(labelled())
def test_ranking_scores_equal_sklearn_and_are_undefined_where_it_says_so(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, prob = case
    np.testing.assert_allclose(auroc(labels, prob), by_sklearn(sk.roc_auc_score, labels, prob), atol=1e-9)
    found, positives = average_precision(labels, prob), np.nansum(labels, 0)
    some = positives > 0
    expected = by_sklearn(sk.average_precision_score, labels[:, some], prob[:, some])
    np.testing.assert_allclose(found[some], expected, atol=1e-9)
    assert np.isnan(found[~some]).all()


@settings(max_examples=40)
@given(labelled())
def test_scores_of_decisions_equal_sklearn(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, prob = case
    decided = prob >= 0.5
    as_bool = decided.astype(float)
    for ours, theirs in ((f1, sk.f1_score), (precision, sk.precision_score), (recall, sk.recall_score)):
        known = ~np.isnan(labels).all(0)
        for undefined in (NAN, 0.0):
            expected = by_sklearn(theirs, labels, as_bool, zero_division=undefined)
            found = ours(labels, decided, undefined)
            np.testing.assert_allclose(found[known], expected[known], atol=1e-9, err_msg=f"{ours} {undefined}")
    np.testing.assert_allclose(accuracy(labels, decided), by_sklearn(sk.accuracy_score, labels, as_bool), atol=1e-9)
    np.testing.assert_allclose(specificity(labels, decided), recall(1 - labels, ~decided), atol=1e-9)


@settings(max_examples=40)
@given(labelled())
def test_brier_equals_sklearn(case: tuple[np.ndarray, np.ndarray]) -> None:
    labels, prob = case
    expected = by_sklearn(lambda y, p: sk.brier_score_loss(y, p, labels=[0, 1]), labels, prob)
    np.testing.assert_allclose(brier(labels, prob), expected, atol=1e-9)


@settings(max_examples=40)
@given(labelled(), st.sampled_from([("uniform", "width"), ("quantile", "mass")]))
def test_reliability_bins_are_those_of_sklearn(case: tuple[np.ndarray, np.ndarray], bins: tuple[str, Any]) -> None:
    labels, prob = case[0][:, 0], case[1][:, 0]
    known = ~np.isnan(labels)
    if len(np.unique(labels[known])) < 2:
        return
    observed, said = calibration_curve(labels[known], prob[known], n_bins=15, strategy=bins[0])
    mean, share, n = reliability(labels, prob, bins=bins[1])
    np.testing.assert_allclose(mean, said, atol=1e-9)
    np.testing.assert_allclose(share, observed, atol=1e-9)
    assert n.sum() == known.sum()
    error = (n * np.abs(mean - share)).sum() / n.sum()
    np.testing.assert_allclose(ece(labels[:, None], prob[:, None], bins=bins[1]), [error], atol=1e-9)


@settings(max_examples=40)
@given(labelled(), st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_fixed_rates_are_read_off_the_points_of_sklearns_roc(case: tuple[np.ndarray, np.ndarray], fixed: float) -> None:
    labels, prob = case
    for k, y in enumerate(labels.T):
        known = ~np.isnan(y)
        column = labels[:, [k]], prob[:, [k]]
        sensitivity, kept = sensitivity_at_specificity(*column, fixed), specificity_at_sensitivity(*column, fixed)
        if len(np.unique(y[known])) < 2:
            assert np.isnan([*sensitivity, *kept]).all()
            continue
        fpr, tpr, _ = sk.roc_curve(y[known], prob[known, k], drop_intermediate=False)
        np.testing.assert_allclose(sensitivity, tpr[1 - fpr >= fixed - 1e-9].max(), atol=1e-9)
        np.testing.assert_allclose(kept, (1 - fpr)[tpr >= fixed - 1e-9].max(), atol=1e-9)


def test_a_fixed_rate_is_not_interpolated_across_ties() -> None:
    labels = np.array([[1.0], [1.0], [0.0], [0.0]])
    tied = np.array([[0.5], [0.5], [0.5], [0.1]])
    assert sensitivity_at_specificity(labels, tied, 0.9) == [0.0]  # interpolation would say 0.2
    assert sensitivity_at_specificity(labels, tied, 0.5) == [1.0]


def test_one_negative_in_ten_may_be_called_present_at_a_specificity_of_90_percent() -> None:
    for negatives in (10, 30, 70, 1000):  # 1 - 0.9 is a little less than 0.1
        labels = np.array([*[0.0] * (negatives // 10), 1.0, *[0.0] * (negatives * 9 // 10)])[:, None]
        falling = np.linspace(1, 0, len(labels))[:, None]
        assert sensitivity_at_specificity(labels, falling, 0.9) == [1.0], negatives


def test_constant_scores_have_auroc_one_half_and_the_prevalence_as_average_precision() -> None:
    labels = np.array([[1.0], [0.0], [0.0], [0.0]])
    same = np.full((4, 1), 0.3)
    assert auroc(labels, same) == [0.5]
    assert average_precision(labels, same) == [0.25]


def test_one_case_is_undefined_and_not_zero() -> None:
    labels, prob = np.array([[1.0, 0.0, NAN]]), np.array([[0.9, 0.2, 0.4]])
    assert np.isnan(auroc(labels, prob)).all()
    np.testing.assert_array_equal(average_precision(labels, prob), [1.0, NAN, NAN])
    np.testing.assert_array_equal(precision(labels, prob >= 0.5), [1.0, NAN, NAN])
    np.testing.assert_array_equal(accuracy(labels, prob >= 0.5), [1.0, 1.0, NAN])
    np.testing.assert_allclose(brier(labels, prob), [0.01, 0.04, NAN])
    np.testing.assert_allclose(ece(labels, prob), [0.1, 0.2, NAN])


def test_an_unknown_label_is_left_out_of_its_own_label_only() -> None:
    rng = np.random.default_rng(0)
    labels, prob = (rng.random((50, 2)) < 0.4).astype(float), rng.random((50, 2))
    gaps = labels.copy()
    gaps[:20, 0] = NAN
    assert auroc(gaps, prob)[0] == pytest.approx(auroc(labels[20:], prob[20:])[0])
    assert auroc(gaps, prob)[1] == auroc(labels, prob)[1]


def test_a_label_whose_rare_positive_is_never_called_has_f1_zero_and_no_precision() -> None:
    labels, never = np.array([[1.0], [0.0]]), np.zeros((2, 1), np.bool_)
    assert f1(labels, never) == [0.0]
    assert np.isnan(precision(labels, never)).all()
    assert precision(labels, never, 0.0) == [0.0]


def test_infinite_scores_rank_and_tie() -> None:
    labels = np.array([[1.0], [1.0], [0.0], [0.0]])
    scores = np.array([[np.inf], [0.0], [-np.inf], [np.inf]])
    assert auroc(labels, scores) == [0.625]
    assert len(Ranking(labels, scores).values) == 3


def test_a_known_label_without_a_score_is_refused() -> None:
    with pytest.raises(ValueError, match="1 scores are NaN"):
        auroc(np.array([[1.0], [0.0]]), np.array([[NAN], [0.3]]))
    assert np.isnan(auroc(np.array([[NAN], [0.0]]), np.array([[NAN], [0.3]]))).all()


@settings(max_examples=40)
@given(labelled(), st.integers(0, 1000))
def test_a_weighting_is_the_same_as_repeating_the_cases(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    labels, prob = case
    decided = prob >= 0.5
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(labels)))
    weights[0] = 1
    found = ClassificationScores(labels, prob, decided)(weights.astype(float))
    mass = [i for i, name in enumerate(METRICS) if name == "ece_equal_mass"]
    width = labels.shape[1]
    bins = [*range(mass[0] * width, (mass[0] + 1) * width), len(METRICS) * width + WHOLE.index("ece_equal_mass")]
    for row, weight in zip(found, weights, strict=True):
        rows = np.repeat(np.arange(len(labels)), weight)
        again = ClassificationScores(labels[rows], prob[rows], decided[rows])(np.ones((1, len(rows))))[0]
        row[bins] = again[bins] = 0.0  # bins of equal mass are laid once, over all cases
        np.testing.assert_allclose(row, again, atol=1e-9)


def test_weightings_in_blocks_are_those_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    labels, prob = (rng.random((60, 3)) < 0.4).astype(float), rng.random((60, 3))
    weights = rng.integers(0, 3, (20, 60)).astype(float)
    whole = Ranking(labels, prob).scores(weights)
    monkeypatch.setattr("rect_eval.classification.ranking._CELLS", 200)
    np.testing.assert_array_equal(Ranking(labels, prob).scores(weights), whole)


def test_means_over_labels_are_those_of_sklearn() -> None:
    rng = np.random.default_rng(2)
    labels = (rng.random((200, 5)) < [0.05, 0.2, 0.4, 0.6, 0.1]).astype(float)
    prob = np.round(np.clip(rng.random((200, 5)) + 0.3 * labels, 0, 1.2) / 1.2, 2)
    decided = prob >= 0.5
    row = ClassificationScores(labels, prob, decided)(np.ones((1, 200)))[0]
    found = dict(zip(WHOLE, row[len(METRICS) * 5 :], strict=True))
    for mean in ("macro", "micro", "weighted"):
        expected = {
            "auroc": sk.roc_auc_score(labels, prob, average=mean),
            "average_precision": sk.average_precision_score(labels, prob, average=mean),
            "f1": sk.f1_score(labels, decided, average=mean),
            "precision": sk.precision_score(labels, decided, average=mean),
            "recall": sk.recall_score(labels, decided, average=mean),
        }
        for score, value in expected.items():
            assert found[f"{mean}_{score}"] == pytest.approx(value, abs=1e-9), (mean, score)
    assert found["micro_accuracy"] == pytest.approx((labels == decided).mean())
    assert found["brier"] == pytest.approx(((labels - prob) ** 2).mean())


def test_undefined_labels_do_not_pull_a_mean_down() -> None:
    labels = np.array([[1.0, 0.0], [0.0, 0.0]])
    prob = np.array([[0.9, 0.1], [0.2, 0.3]])
    row = ClassificationScores(labels, prob, prob >= 0.5)(np.ones((1, 2)))[0]
    found = dict(zip(WHOLE, row[len(METRICS) * 2 :], strict=True))
    assert found["macro_auroc"] == found["weighted_auroc"] == found["macro_f1"] == 1.0
    zero = ClassificationScores(labels, prob, prob >= 0.5, 0.0)(np.ones((1, 2)))[0]
    assert zero[len(METRICS) * 2 + WHOLE.index("macro_f1")] == 0.5
