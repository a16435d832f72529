"""Lesions are matched one to one and optimally, at every cut of the predictions' confidence."""

import tracemalloc
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rect_core.types import MaskCrop
from rect_eval.localization import match_lesions
from rect_eval.localization.matching import Fit, Overlap, assign, first_found

SHAPE = (6, 12, 40)


def ids(*boxes: tuple[int, int], rows: tuple[int, int] = (2, 8)) -> np.ndarray:
    """Lesions 1, 2, ... as bars along w."""
    mask = np.zeros(SHAPE, np.uint16)
    for number, (first, stop) in enumerate(boxes, 1):
        mask[1:4, rows[0] : rows[1], first:stop] = number
    return mask


def test_each_rule_matches_what_its_threshold_lets_through() -> None:
    truth, predicted = ids((0, 10)), ids((8, 18))  # Dice and IoU: .2 and 1/9; centres 8 voxels apart
    assert match_lesions(truth, predicted, "dice") == ((1, 1),)
    assert match_lesions(truth, predicted, "dice", threshold=0.21) == ()
    assert match_lesions(truth, predicted, "iou") == ((1, 1),)
    assert match_lesions(truth, predicted, "iou", threshold=0.12) == ()
    assert match_lesions(truth, predicted, "distance", spacing_mm=(1, 1, 1.25)) == ((1, 1),)
    assert match_lesions(truth, predicted, "distance", spacing_mm=(1, 1, 1.3)) == ()


def test_one_prediction_over_two_lesions_finds_one() -> None:
    assert len(match_lesions(ids((0, 10), (11, 21)), ids((0, 21)))) == 1
    assert len(match_lesions(ids((0, 21)), ids((0, 10), (11, 21)))) == 1


def test_the_best_single_pair_gives_way_to_two_pairs() -> None:
    # Prediction 1 fits lesion 2 best, but then lesion 1 would go without.
    truth, predicted = ids((0, 10), (10, 20)), ids((4, 19), (17, 22))
    overlap = Overlap.of(*(MaskCrop(labels=m, start=(0, 0, 0), shape=SHAPE) for m in (truth, predicted)), (1, 1, 1))
    first = overlap.pairs[:, 1] == 0
    assert overlap.pairs[first][overlap.dice[first].argmax(), 0] == 1
    assert match_lesions(truth, predicted) == ((1, 1), (2, 2))


def test_numbers_of_instances_may_have_gaps_and_any_order() -> None:
    truth, predicted = ids((0, 10), (20, 30)), ids((20, 30), (0, 10))
    truth[truth == 2] = 900
    predicted[predicted == 1] = 40_000
    assert match_lesions(truth, predicted) == ((1, 2), (900, 40_000))


def test_nothing_matches_nothing() -> None:
    assert match_lesions(ids(), ids()) == match_lesions(ids((0, 4)), ids()) == match_lesions(ids(), ids((0, 4))) == ()


def test_masks_of_two_sizes_and_a_threshold_of_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="scan's grid"):
        match_lesions(ids(), np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(ValueError, match="above 0"):
        match_lesions(ids((0, 4)), ids((0, 4)), threshold=0.0)


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), t=st.integers(1, 4), p=st.integers(1, 4))
def test_assignments_are_as_many_and_then_as_good_as_can_be(seed: int, t: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    goodness = np.round(rng.random((t, p)), 1) * (rng.random((t, p)) < 0.6)
    fit = fit_of(goodness)
    pairs = fit.pairs[assign(fit)]
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert (goodness[pairs[:, 0], pairs[:, 1]] > 0).all()
    best = max((len(m), sum(goodness[i, j] for i, j in m)) for m in matchings(goodness))
    assert (len(pairs), pytest.approx(goodness[pairs[:, 0], pairs[:, 1]].sum())) == best
    np.testing.assert_array_equal(pairs, fit.pairs[assign(fit_of(goodness.copy()))])


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), t=st.integers(1, 4), p=st.integers(1, 5))
def test_at_every_cut_as_many_lesions_are_found_as_matching_allows(seed: int, t: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    goodness = rng.random((t, p)) * (rng.random((t, p)) < 0.5)
    confidence = rng.integers(0, 3, p) / 2.0
    hit = first_found(fit_of(goodness), confidence)
    for cut in np.unique(confidence):
        kept = confidence >= cut
        assert hit[kept].sum() == len(assign(fit_of(goodness[:, kept])))


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_overlaps_of_crops_are_those_of_the_whole_masks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    crops, dense = [], []
    for _ in range(2):
        size = rng.integers(1, 6, 3)
        start = np.array([rng.integers(0, n - k + 1) for n, k in zip((7, 8, 9), size, strict=True)])
        labels = rng.integers(0, 4, size).astype(np.uint16)
        crops.append(MaskCrop(labels=labels, start=tuple(map(int, start)), shape=(7, 8, 9)))
        dense.append(crops[-1].dense())
    overlap = Overlap.of(crops[0], crops[1], (2.0, 1.0, 0.5))
    fits = {rule: overlap.fit(rule, 1e-9 if rule != "distance" else 1e9) for rule in ("dice", "iou", "distance")}
    held = {rule: dict(zip(map(tuple, fit.pairs), fit.goodness, strict=True)) for rule, fit in fits.items()}
    for i, a in enumerate(overlap.truth_ids):
        for j, b in enumerate(overlap.predicted_ids):
            one, other = dense[0] == a, dense[1] == b
            shared, total = (one & other).sum(), one.sum() + other.sum()
            assert held["dice"].get((i, j), 0) == pytest.approx(2 * shared / total)
            assert held["iou"].get((i, j), 0) == pytest.approx(shared / (total - shared))
            apart = (np.argwhere(one).mean(0) - np.argwhere(other).mean(0)) * (2.0, 1.0, 0.5)
            assert held["distance"][i, j] == pytest.approx(1 - np.linalg.norm(apart) / 2e9)
    assert overlap.shared.sum() == ((dense[0] > 0) & (dense[1] > 0)).sum()


def test_thousands_of_lesions_against_thousands_are_matched_without_a_matrix_of_them() -> None:
    mask = np.zeros((80, 150, 150), np.uint16)
    places = np.moveaxis(np.mgrid[1:79:4, 1:147:5, 1:147:5], 0, -1).reshape(-1, 3)
    for number, (d, h, w) in enumerate(places, 1):
        mask[d : d + 2, h : h + 3, w : w + 3] = number
    tracemalloc.start()
    pairs = match_lesions(mask, np.roll(mask, 1, 2), "distance", threshold=4.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pairs == tuple((n, n) for n in range(1, len(places) + 1))
    assert peak < 0.2 * 8 * len(places) ** 2


def fit_of(goodness: np.ndarray) -> Fit:
    """The pairs above 0 of a matrix."""
    t, p = goodness.shape
    return Fit((t, p), np.argwhere(goodness > 0), goodness[goodness > 0])


def matchings(goodness: np.ndarray) -> list[tuple[tuple[int, int], ...]]:
    """Every one-to-one set of pairs above 0."""
    t, p = goodness.shape
    found = []
    for size in range(min(t, p) + 1):
        for rows in combinations(range(t), size):
            for columns in permutations(range(p), size):
                pairs = tuple(zip(rows, columns, strict=True))
                if all(goodness[i, j] > 0 for i, j in pairs):
                    found.append(pairs)
    return found
