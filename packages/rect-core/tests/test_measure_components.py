"""Connected components found on runs, against scipy's on voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from rect_core.measure import components as module
from rect_core.measure import crop_of, instances
from rect_core.measure.components import components, find_runs
from rect_core.measure.diameter import diameters


def noise(shape: tuple[int, int, int], share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def painted(mask: np.ndarray) -> np.ndarray:
    runs = find_runs(mask)
    labels = np.zeros(mask.shape, np.int64)
    labels[mask] = np.repeat(components(runs, mask.shape) + 1, runs.length)
    return labels


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(6, 7, 8), (1, 9, 5), (5, 1, 1), (3, 20, 30)])
def test_components_are_those_of_scipy_with_26_neighbours(shape: tuple[int, int, int], share: float) -> None:
    for seed in range(5):
        mask = noise(shape, share, seed)
        expected, count = ndimage.label(mask, np.ones((3, 3, 3)))
        pairs = np.unique(np.stack([painted(mask)[mask], expected[mask]]), axis=1)
        assert pairs.shape[1] == count == painted(mask).max(initial=0)


def test_components_are_numbered_largest_first_then_in_order() -> None:
    mask = np.zeros((1, 5, 9), bool)
    mask[0, 0, 0] = mask[0, 2, :3] = mask[0, 4, 5:8] = True
    assert painted(mask)[mask].tolist() == [3, 1, 1, 1, 2, 2, 2]


def test_slabs_do_not_change_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    mask = noise((7, 6, 5), 0.4, 0)
    whole = find_runs(mask)
    monkeypatch.setattr(module, "SLAB_VOXELS", 1)
    parts = find_runs(mask)
    assert all(np.array_equal(getattr(whole, name), getattr(parts, name)) for name in ("d", "h", "start", "stop"))


def test_runs_hold_every_voxel_once_whatever_the_memory_order() -> None:
    mask = noise((4, 6, 9), 0.4, 1)
    for view in (mask, np.asfortranarray(mask), mask[::-1, ::-1].copy()[::-1, ::-1]):
        assert find_runs(view).voxels(10**6).tolist() == np.argwhere(mask).tolist()


def test_an_empty_mask_has_no_runs() -> None:
    assert find_runs(np.zeros((0, 0, 0), bool)).d.size == 0
    assert find_runs(np.zeros((2, 3, 4), bool)).d.size == 0


def test_the_runs_that_hold_a_voxel_are_found_and_no_other() -> None:
    for seed in range(20):
        mask = noise((4, 5, 7), 0.35, seed)
        runs = find_runs(mask)
        points = np.random.default_rng(seed).integers(-2, 9, (12, 3))
        voxels = [
            {(d, h, w) for w in range(a, b)} for d, h, a, b in zip(runs.d, runs.h, runs.start, runs.stop, strict=True)
        ]
        want = [i for i, held in enumerate(voxels) if held & set(map(tuple, points.tolist()))]
        assert runs.holding(points).tolist() == want
    assert find_runs(np.zeros((2, 3, 4), bool)).holding(np.array([[0, 0, 0]])).size == 0
    assert find_runs(np.ones((2, 3, 4), bool)).holding(np.zeros((0, 3), np.int64)).size == 0


def test_evenly_spaced_voxels_lie_in_the_mask() -> None:
    mask = noise((8, 9, 10), 0.3, 2)
    some = find_runs(mask).voxels(50)
    assert len(some) == 50
    assert mask[tuple(some.T)].all()


def brute_force(mask: np.ndarray, spacing: tuple[float, float]) -> tuple[float, float]:
    from itertools import combinations

    best = (0.0, 0.0)
    for plane in mask:
        h, w = np.nonzero(plane)
        points = np.concatenate([np.stack([h + a, w + b], -1) for a, b in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])
        points = np.unique(points, axis=0) * spacing
        for one, other in combinations(points, 2):
            length = float(np.linalg.norm(other - one))
            best = max(best, (length, 0.0))
    return best


def test_the_longest_diameter_is_that_of_all_pairs_of_edge_points() -> None:
    for seed in range(4):
        mask = noise((3, 6, 6), 0.25, seed)
        assert diameters(find_runs(mask), (1.3, 0.7))[0] == pytest.approx(brute_force(mask, (1.3, 0.7))[0])


def test_a_short_axis_is_never_longer_than_the_longest() -> None:
    for seed in range(20):
        longest, short = diameters(find_runs(noise((3, 9, 9), 0.2, seed)), (1.0, 1.0))
        assert 0 < short <= longest + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.5]), st.floats(0.55, 1.0))
def test_what_counts_is_what_hysteresis_thresholding_keeps(seed: int, threshold: float, peak: float) -> None:
    map_ = np.random.default_rng(seed).random((4, 7, 6)) ** 2
    low, high = map_ >= threshold, map_ >= peak
    runs = find_runs(low)
    ids, _ = instances(runs, (4, 7, 6), 0, 255, seeds=runs.holding(np.argwhere(high)))
    want = ndimage.binary_propagation(high, np.ones((3, 3, 3)), mask=low)
    assert np.array_equal(crop_of(low, runs, ids, (0, 0, 0), (4, 7, 6)).dense() > 0, want)
    assert sorted(set(ids.tolist()) - {0}) == list(range(1, ids.max(initial=0) + 1))
