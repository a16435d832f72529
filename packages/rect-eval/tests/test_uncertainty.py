"""Intervals by patient: equal to scipy where it does the same, and right where it cannot follow."""

import numpy as np
import pytest
from jaxtyping import Float
from scipy import stats

from rect_eval.uncertainty import bootstrap, first_rows, paired_bootstrap, permutation_test, to_scans

N = 80
VALUES = np.random.default_rng(3).gamma(1.5, size=N)
EACH = np.arange(N)


def mean_of(values: np.ndarray):
    def statistic(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        known = ~np.isnan(values)
        count = weights @ known
        total = weights @ np.where(known, values, 0.0)
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)[:, None]

    return statistic


@pytest.mark.parametrize(("ours", "theirs"), [("percentile", "percentile"), ("bca", "BCa")])
def test_an_interval_without_groups_is_scipys(ours: str, theirs: str) -> None:
    found = bootstrap(mean_of(VALUES), EACH, resamples=20_000, interval=ours)
    expected = stats.bootstrap((VALUES,), np.mean, n_resamples=20_000, method=theirs, rng=1).confidence_interval
    assert found.value[0] == pytest.approx(VALUES.mean(), abs=1e-12)
    assert (found.low[0], found.high[0]) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_copies_of_a_patient_do_not_narrow_the_interval() -> None:
    once = bootstrap(mean_of(VALUES), EACH)
    four_times = bootstrap(mean_of(np.repeat(VALUES, 4)), np.repeat(EACH, 4))
    ignored = bootstrap(mean_of(np.repeat(VALUES, 4)), np.arange(4 * N))
    assert (four_times.low[0], four_times.high[0]) == pytest.approx((once.low[0], once.high[0]))
    assert ignored.high[0] - ignored.low[0] < 0.6 * (once.high[0] - once.low[0])


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    first, again, other = (bootstrap(mean_of(VALUES), EACH, seed=seed).low[0] for seed in (1, 1, 2))
    assert first == again != other


def test_an_undefined_score_has_no_interval_and_a_rarely_undefined_one_does() -> None:
    nowhere = bootstrap(mean_of(np.full(N, np.nan)), EACH)
    assert np.isnan([nowhere.value, nowhere.low, nowhere.high]).all()
    rare = np.where(EACH < 3, VALUES, np.nan)  # about 5 % of the resamples hold none of the three
    assert np.isfinite(bootstrap(mean_of(rare), EACH).low[0])
    alone = np.where(EACH < 1, VALUES, np.nan)
    assert np.isfinite(bootstrap(mean_of(alone), EACH).value[0])


def test_more_than_half_of_the_replicates_undefined_is_no_interval() -> None:
    def fragile(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        return np.where((weights[:, :2] > 0).all(1), weights[:, 0], np.nan)[:, None]  # both drawn: 40 %

    found = bootstrap(fragile, EACH)
    assert found.value[0] == 1.0
    assert np.isnan([found.low[0], found.high[0]]).all()


def test_one_patient_has_scores_and_no_interval() -> None:
    found = bootstrap(mean_of(VALUES), np.zeros(N, np.int64))
    assert found.value[0] == pytest.approx(VALUES.mean())
    assert np.isnan([found.low[0], found.high[0]]).all()


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_a_score_without_spread_is_its_own_interval(interval: str) -> None:
    found = bootstrap(mean_of(np.ones(N)), EACH, interval=interval)
    assert (found.low[0], found.value[0], found.high[0]) == pytest.approx((1, 1, 1))


def test_an_unknown_interval_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'bayes' is not one of percentile, bca"):
        bootstrap(mean_of(VALUES), EACH, interval="bayes")


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        patients = np.repeat(np.arange(40), 3)
        values = rng.normal(size=40)[patients] + 0.2 * rng.normal(size=120)
        found = bootstrap(mean_of(values), patients, resamples=200, seed=trial)
        held += bool(found.low[0] <= 0 <= found.high[0])
    assert 178 <= held <= 199  # 95 % of 200, less what 40 patients cost the percentile interval


def test_a_system_is_better_by_its_paired_interval_where_two_intervals_overlap() -> None:
    better = VALUES + 0.05
    found = paired_bootstrap(mean_of(VALUES), mean_of(better), EACH)
    assert (found.value[0], found.low[0], found.high[0]) == pytest.approx((0.05, 0.05, 0.05))
    assert bootstrap(mean_of(VALUES), EACH).high[0] > bootstrap(mean_of(better), EACH).low[0]


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_an_inflated_score_lies_inside_its_interval(interval: str) -> None:
    """The size of a mean near 0: resamples are farther from 0 than the score, as with the ECE."""

    def size(weights: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b m"]:
        cells = (weights[:, :, None] * np.random.default_rng(0).normal(size=(1, N, 30))).mean(1)
        return np.abs(cells).mean(1, keepdims=True)

    plain = bootstrap(size, EACH, interval="percentile")
    moved = bootstrap(size, EACH, interval=interval, inflated=np.array([True]))
    assert plain.low[0] > plain.value[0]
    assert moved.low[0] < moved.value[0] < moved.high[0]
    assert moved.high[0] - moved.low[0] == pytest.approx(plain.high[0] - plain.low[0], rel=0.25)
    alone = bootstrap(mean_of(np.full(N, np.nan)), EACH, inflated=np.array([True]))
    assert np.isnan(alone.low[0])


def test_a_permutation_test_tells_a_difference_from_none() -> None:
    noise = np.random.default_rng(5).normal(size=N)
    same = permutation_test(mean_of(np.concatenate([VALUES, VALUES + noise - noise.mean()])), EACH)
    other = permutation_test(mean_of(np.concatenate([VALUES, VALUES + 0.5 + 0.3 * noise])), EACH)
    assert same[0] > 0.2
    assert other[0] == pytest.approx(1 / 1001)


def test_a_permutation_test_swaps_patients_not_rows() -> None:
    shift = np.random.default_rng(6).normal(0.35, 1, size=8)
    rows, patients = np.repeat(shift, 50), np.repeat(np.arange(8), 50)
    by_patient = permutation_test(mean_of(np.concatenate([0 * rows, rows])), patients)
    by_row = permutation_test(mean_of(np.concatenate([0 * rows, rows])), np.arange(400))
    assert by_patient[0] > 0.01 > by_row[0]


def test_reconstructions_become_the_mean_of_what_is_known() -> None:
    scans = np.array([1, 0, 1, 2])
    values = np.array([[0.2, np.nan], [0.5, 1.0], [0.4, 0.6], [np.nan, np.nan]])
    expected = np.array([[0.5, 1.0], [0.3, 0.6], [np.nan, np.nan]])
    np.testing.assert_allclose(to_scans(values, scans), expected)
    assert first_rows(scans).tolist() == [1, 0, 3]
    for n, value in ((3, 0.1), (7, 0.3), (11, 1e-300)):
        assert to_scans(np.full((n, 1), value), np.zeros(n, np.int64)).item() == value
