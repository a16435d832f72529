"""Fitting operating points, against scikit-learn and against what the classifier does with them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn import metrics as sk
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.types import OperatingPoints
from rect_eval.calibration import (
    METHODS,
    Outlines,
    apply,
    fit,
    fit_peaks,
    fit_thresholds,
    fit_with_warnings,
    logits_of,
)
from rect_eval.calibration.thresholds import cut_after
from rect_eval.classification import ece, sensitivity_at_specificity, specificity, specificity_at_sensitivity
from rect_eval.classification.crg import crg

NAN = float("nan")
NAMES = ("a", "b", "c")


def case(n: int = 400, seed: int = 0, *, digits: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Labels and logits that are twice too sure of themselves and off by one."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-1.0, 1.5, (n, 3))
    labels = (rng.random((n, 3)) < 1 / (1 + np.exp(-true))).astype(float)
    return labels, np.round(2 * true + 1, digits)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def likelihood(labels: np.ndarray, prob: np.ndarray) -> float:
    return float(sk.log_loss(labels, np.clip(prob, 1e-12, 1 - 1e-12), labels=[0, 1]))


def test_temperature_is_the_most_likely_scale() -> None:
    labels, logits = case()
    points = fit(labels, logits, method="temperature", names=NAMES)
    assert points.bias == (0.0, 0.0, 0.0)
    for k in range(3):
        best = minimize(lambda a, k=k: likelihood(labels[:, k], sigmoid(a[0] * logits[:, k])), [1.0], tol=1e-12)
        assert points.scale[k] == pytest.approx(best.x[0], abs=1e-4)


@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e4])
def test_temperature_and_platt_do_not_depend_on_the_unit_of_the_logits(unit: float) -> None:
    labels, logits = case()
    for method in ("temperature", "platt"):
        plain = apply(fit(labels, logits, method=method, names=NAMES), logits)
        scaled = apply(fit(labels, logits * unit, method=method, names=NAMES), logits * unit)
        np.testing.assert_allclose(scaled, plain, atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_platt_scaling_equals_sklearn(seed: int) -> None:
    labels, logits = case(300, seed)
    points = fit(labels, logits, method="platt", names=NAMES)
    for k in range(3):
        theirs = _SigmoidCalibration().fit(logits[:, k], labels[:, k])
        assert points.scale[k] == pytest.approx(-theirs.a_, abs=1e-4)
        assert points.bias[k] == pytest.approx(-theirs.b_, abs=1e-4)


def test_platt_scaling_stays_finite_where_scores_separate_the_classes() -> None:
    labels = np.array([[0.0], [0.0], [1.0], [1.0]])
    logits = np.array([[-3.0], [-1.0], [1.0], [4.0]])
    points = fit(labels, logits, method="platt", names=("a",))
    assert 0 < points.scale[0] < 10
    assert 0.5 < apply(points, logits)[-1, 0] < 1


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.sampled_from([0, 1, 9]))
def test_isotonic_equals_sklearn_ties_included(seed: int, n: int, digits: int) -> None:
    labels, logits = (x[:, :1] for x in case(n, seed, digits=digits))
    if len(np.unique(labels)) < 2 or len(np.unique(logits)) < 2:
        return
    fitted = fit_with_warnings(labels, logits, method="isotonic", names=("a",))
    theirs = IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(sigmoid(logits[:, 0]), labels[:, 0])
    if not fitted.warnings:
        asked = np.linspace(-8, 8, 101)
        np.testing.assert_allclose(
            apply(fitted.points, asked[:, None])[:, 0], theirs.predict(sigmoid(asked)), atol=1e-6
        )
    else:
        assert np.ptp(theirs.predict(sigmoid(logits[:, 0]))) < 1e-9


def test_temperature_is_refused_where_none_is_best() -> None:
    apart = np.array([[0.0], [0.0], [1.0]]), np.array([[-3.0], [-0.1], [2.0]])
    found = fit_with_warnings(*apart, method="temperature", names=("a",))
    assert found.points.scale == (1.0,)
    assert found.warnings == ("Not fitted: a (no temperature is best, the scores separate the classes).",)
    wrong_side = np.array([[0.0], [1.0], [1.0], [1.0]]), np.array([[-4.0], [-1.0], [-1.5], [-2.0]])
    found = fit_with_warnings(*wrong_side, method="temperature", names=("a",))
    assert found.warnings == ("Not fitted: a (no temperature is best, the scores would be flattened).",)


def test_isotonic_keeps_only_the_ends_of_a_flat_run() -> None:
    labels = np.array([0.0, 0, 0, 0, 1, 0, 1, 1, 1])[:, None]
    points = fit(labels, np.arange(9.0)[:, None] - 4, method="isotonic", names=("a",))
    assert [round(y, 3) for _, y in points.isotonic["a"]] == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_calibration_lowers_the_calibration_error_of_other_patients(method: str) -> None:
    labels, logits = case(3000)
    later, asked = case(3000, 1)
    points = fit(labels, logits, method=method, names=NAMES)
    assert (ece(later, apply(points, asked)) < ece(later, sigmoid(asked))).all()


@pytest.mark.parametrize("method", METHODS)
def test_points_survive_their_file_and_rank_as_before(method: str, tmp_path: Path) -> None:
    labels, logits = case()
    points = fit(labels, logits, method=method, names=NAMES, fitted_on="valid")
    points.save(tmp_path / "operating_points.json")
    again = OperatingPoints.load(tmp_path / "operating_points.json")
    assert again == points
    order = np.argsort(logits[:, 0])
    assert (np.diff(apply(again, logits)[order, 0]) >= 0).all()
    assert set(again.thresholds) == {"f1", "youden", "crg", "sensitivity_0.9", "specificity_0.9"}
    assert again.fitted_on == f"valid: 400 cases, calibration: {method}."


def test_apply_is_the_formula_of_the_classifier() -> None:
    points = OperatingPoints(
        labels=("a", "b"), scale=(0.5, 1.0), bias=(-1.0, 0.0), isotonic={"b": ((0.2, 0.1), (0.5, 0.4), (0.9, 1.0))}
    )
    found = apply(points, np.array([[2.0, 0.0], [-800.0, -800.0], [800.0, np.inf]]))
    np.testing.assert_allclose(found, [[0.5, 0.4], [0.0, 0.1], [1.0, 1.0]], atol=1e-12)


def test_apply_refuses_other_labels_and_undefined_logits() -> None:
    with pytest.raises(ValueError, match="3 logits a case for 18 labels"):
        apply(OperatingPoints(), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="1 logits are NaN"):
        apply(OperatingPoints(labels=("a",), scale=(1.0,), bias=(0.0,)), np.array([[NAN]]))


def test_logits_of_probabilities_are_finite_and_the_way_back() -> None:
    prob = np.array([[0.0, 0.2, 1.0]])
    logits = logits_of(prob)
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(sigmoid(logits), prob, atol=1e-6)


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(2, 50), st.sampled_from([1, 9]))
def test_cuts_reach_the_best_that_any_cut_reaches(seed: int, n: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    labels, prob = (rng.random((n, 1)) < 0.4).astype(float), np.round(rng.random((n, 1)) * 0.98 + 0.01, digits)
    if len(np.unique(labels)) < 2:
        return
    found = fit_thresholds(labels, prob)
    tried = np.array([1.0, *np.unique(prob), 0.0])
    y = labels[:, 0]

    def rates(cut: float) -> tuple[float, float, float]:
        called = prob[:, 0] >= cut
        both = 2 * y[called].sum() / (called.sum() + y.sum())
        return float(both), float(called[y == 1].mean()), float(1 - called[y == 0].mean())

    every = np.array([rates(cut) for cut in tried])
    assert rates(found["f1"][0])[0] == pytest.approx(every[:, 0].max())
    _, sensitivity, kept = rates(found["youden"][0])
    assert sensitivity + kept == pytest.approx((every[:, 1] + every[:, 2]).max())
    _, sensitivity, kept = rates(found["sensitivity_0.9"][0])
    assert sensitivity >= 0.9 - 1e-9
    assert kept == pytest.approx(specificity_at_sensitivity(labels, prob, 0.9)[0])
    _, sensitivity, kept = rates(found["specificity_0.9"][0])
    if every[0, 2] >= 0.9 - 1e-9:  # else too many negatives have a probability of 1
        assert kept >= 0.9 - 1e-9
        assert sensitivity == pytest.approx(sensitivity_at_specificity(labels, prob, 0.9)[0])


def test_the_crg_cut_is_one_for_all_labels_and_best_among_such_cuts() -> None:
    labels, logits = case(200)
    prob = sigmoid(logits)
    cuts = fit_thresholds(labels, prob)["crg"]
    assert len(set(cuts)) == 1
    best = max(crg(labels, prob >= cut) for cut in np.unique(prob))
    assert crg(labels, prob >= cuts[0]) == pytest.approx(best)


def test_the_crg_cut_of_calibrated_probabilities_is_the_pooled_prevalence() -> None:
    rng = np.random.default_rng(0)
    prob = np.clip(rng.beta(0.6, 2.4, (40_000, 3)), 1e-6, 1 - 1e-6)
    labels = (rng.random(prob.shape) < prob).astype(float)
    found = fit_thresholds(labels, prob)
    assert found["crg"][0] == pytest.approx(labels.mean(), abs=0.03)
    assert min(found["f1"]) > found["crg"][0] + 0.03  # F1's best cut is another one


def test_a_cut_lies_half_way_between_scores_so_that_rounding_moves_nothing_over_it() -> None:
    values = np.array([0.8, 0.4, 0.1])
    assert [cut_after(values, step) for step in range(4)] == pytest.approx([0.9, 0.6, 0.25, 0.05])
    near = np.array([np.nextafter(0.5, 1), 0.5])
    assert cut_after(near, 1) == near[0]


def test_no_cut_is_sought_above_a_probability_of_one() -> None:
    labels, prob = np.array([[0.0], [1.0], [0.0]]), np.array([[1.0], [1.0], [1.0]])
    cuts = fit_thresholds(labels, prob)
    assert {cut for found in cuts.values() for cut in found} == {0.5}  # all present is all that can be had


def test_labels_that_cannot_be_fitted_keep_the_plain_sigmoid_and_are_named() -> None:
    labels, logits = case(100)
    labels = np.concatenate([labels, np.zeros((100, 1)), np.ones((100, 1)), np.full((100, 1), NAN), labels[:, :2]], 1)
    extra = [logits[:, :2], logits[:, :1], np.full((100, 1), 0.7), -logits[:, 1:2]]
    logits = np.concatenate([logits, *extra], 1)
    names = tuple("abcdefgh")
    for method in ("temperature", "platt", "isotonic"):
        points, told = fit_with_warnings(labels, logits, method=method, names=names)
        assert points.scale[3:] == (1.0,) * 5
        assert points.bias[3:] == (0.0,) * 5
        assert set(points.isotonic) <= set("abc")
        for name in ("f1", "youden", "sensitivity_0.9", "specificity_0.9"):
            assert points.thresholds[name][3:6] == (0.5,) * 3
        words = " ".join(told)
        for sentence in ("d (only absent)", "e (only present)", "f (no known label)", "g (one score for all cases)"):
            assert sentence in words
        assert " h (" in words
        assert points.fitted_on.endswith(words)


def test_unknown_cells_are_left_out_label_by_label() -> None:
    labels, logits = case()
    gaps = labels.copy()
    gaps[:150, 0] = NAN
    for method in METHODS:
        found = fit(gaps, logits, method=method, names=NAMES)
        rest = fit(labels[150:], logits[150:], method=method, names=NAMES)
        whole = fit(labels, logits, method=method, names=NAMES)
        np.testing.assert_allclose(apply(found, logits)[:, 0], apply(rest, logits)[:, 0], atol=1e-9)
        np.testing.assert_allclose(apply(found, logits)[:, 1], apply(whole, logits)[:, 1], atol=1e-9)
        assert found.thresholds["f1"][0] == pytest.approx(rest.thresholds["f1"][0])


def test_a_patient_with_many_reconstructions_weighs_as_much_as_one() -> None:
    labels, logits = case(60)
    rows = np.repeat(np.arange(60), np.where(np.arange(60) < 5, 20, 1))
    for method in METHODS:
        found = fit(labels[rows], logits[rows], method=method, names=NAMES, patients=rows.astype(np.int64))
        plain = fit(labels, logits, method=method, names=NAMES)
        np.testing.assert_allclose(apply(found, logits), apply(plain, logits), atol=1e-6)
        np.testing.assert_allclose(found.thresholds["f1"], plain.thresholds["f1"], atol=1e-6)
        assert f"{len(rows)} cases of 60 patients" in found.fitted_on


def test_a_specificity_that_no_cut_keeps_is_named() -> None:
    labels = np.array([[0.0], [0.0], [0.0], [1.0]])
    logits = np.array([[60.0], [-60.0], [60.0], [60.0]])  # their sigmoid is 1.0
    fitted = fit_with_warnings(labels, logits, method="none", names=("a",))
    assert fitted.warnings == ("No cut keeps a specificity of 0.9: a.",)
    assert specificity(labels, apply(fitted.points, logits) >= fitted.points.thresholds["specificity_0.9"][0]) < 0.9


def test_bad_input_is_refused_in_one_line() -> None:
    labels, logits = case(20)
    with pytest.raises(ValueError, match="method 'beta' is not one of temperature, platt, isotonic, none"):
        fit(labels, logits, method="beta", names=NAMES)
    with pytest.raises(ValueError, match=r"not both \(cases, 18\)"):
        fit(labels, logits, method="none")
    with pytest.raises(DataError, match="no case"):
        fit(labels[:0], logits[:0], method="none", names=NAMES)
    with pytest.raises(DataError, match="0, 1 or unknown"):
        fit(labels + 0.5, logits, method="none", names=NAMES)
    logits[4, 1] = np.inf
    with pytest.raises(DataError, match="logit of 'b' in case 4"):
        fit(labels, logits, method="none", names=NAMES)


def test_all_eighteen_labels_are_the_default() -> None:
    rng = np.random.default_rng(0)
    labels, logits = (rng.random((50, 18)) < 0.5).astype(float), rng.normal(size=(50, 18))
    assert fit(labels, logits, method="platt").labels == LABELS


def outlines(seed: int, n: int = 30) -> list[Outlines | None]:
    """Lesions of cases of which two in three have something drawn; peaks repeat within and between cases."""
    rng = np.random.default_rng(seed)
    found: list[Outlines | None] = [None]
    for _ in range(n):
        size = rng.integers(1, 50, rng.integers(0, 5))
        truth = int(rng.integers(0, 3)) * 40
        hit = np.minimum(rng.integers(0, 20, len(size)), size) * (truth > 0)
        found.append(Outlines(truth, size, hit, rng.integers(50, 60, len(size)) / 60))
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_a_peak_has_the_highest_mean_dice_where_something_is_drawn_or_outlined(seed: int, alone: bool) -> None:
    cases = outlines(seed)
    patients = np.arange(len(cases)) // (1 if alone else 3)
    weight = 1 / np.bincount(patients)[patients]

    def score(peak: float) -> float:
        dice, weights = [], []
        for one, w in zip(cases, weight, strict=True):
            if one is None:
                continue
            kept = one.peak >= peak
            if one.truth or kept.any():
                dice.append(2 * one.hit[kept].sum() / (one.size[kept].sum() + one.truth))
                weights.append(w)
        return float(np.average(dice, weights=weights))

    points, warnings = fit_peaks({"lung_nodule": cases}, patients=patients, fitted_on="here")
    assert warnings == ()
    assert points.fitted_on == f"here: {len(cases)} cases of {patients.max() + 1} patients."
    values = sorted({float(p) for one in cases if one for p in one.peak})
    assert score(points.peak[0]) == pytest.approx(max(map(score, values)))
    assert not [p for p in values if p > points.peak[0] and score(p) >= score(points.peak[0]) + 1e-12]
    assert points.peak[0] not in values, "half way to the next one, so that rounding moves nothing over it"


def test_findings_that_cannot_be_fitted_let_every_lesion_count_and_are_named() -> None:
    none, some = np.zeros(0, np.int64), np.array([8])
    cases = {
        "lung_nodule": [Outlines(5, some, np.array([4]), np.array([0.9])), None],
        "consolidation": [Outlines(0, some, np.array([0]), np.array([0.9])), None],
        "pleural_effusion": [Outlines(5, some, np.array([0]), np.array([0.9])), Outlines(3, none, none, np.zeros(0))],
        "pericardial_effusion": [None, None],
    }
    points, warnings = fit_peaks(cases, patients=np.arange(2))
    assert points.peak == (0.45, 0.0, 0.0, 0.0)
    assert warnings == (
        "Not fitted: consolidation (drawn in no case).",
        "Not fitted: pleural effusion (no outline meets what is drawn).",
        "Not fitted: pericardial effusion (known in no case).",
    )
    assert points.fitted_on.endswith(warnings[2])
    with pytest.raises(DataError, match="no case to fit"):
        fit_peaks({"lung_nodule": []}, patients=np.arange(0))


def test_a_few_real_lesions_among_tens_of_thousands_of_false_ones_are_told_from_all_of_them() -> None:
    rng = np.random.default_rng(0)
    peaks = rng.random((3000, 13)) * 0.9
    good = np.arange(3000) % 150 == 0
    peaks[good, 0] = 0.95 + 0.05 * rng.random(good.sum())
    hits = 10 * (np.arange(13) == 0) * good[:, None]
    size = np.full(13, 10)
    cases = [Outlines(10 * int(g), size, hit, peak) for g, hit, peak in zip(good, hits, peaks, strict=True)]
    points, _ = fit_peaks({"lung_nodule": cases}, patients=np.arange(3000))
    assert peaks[peaks < 0.9].max() < points.peak[0] < peaks[good, 0].min()
