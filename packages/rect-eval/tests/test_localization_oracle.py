"""The oracle: a truth that goes through the model grid as a prediction does, at the cost of the mask alone."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rect_core.frame import Frame, GridConfig
from rect_core.resample import shrink
from rect_eval.localization import dice
from rect_eval.localization.oracle import oracle_dice


def frame(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], grid: GridConfig, move: float = 0.0
) -> Frame:
    d, h, w = ((n - 1) / 2 + move for n in shape)
    return Frame.around((d, h, w), shape, spacing, grid)


def ball(shape: tuple[int, int, int], spacing: tuple[float, float, float], middle: np.ndarray, mm: float) -> np.ndarray:
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    return (((places - middle) * spacing) ** 2).sum(-1) < (mm / 2) ** 2


def oracle(mask: np.ndarray, place: Frame) -> float:
    return oracle_dice(*shrink(mask, (0, 0, 0)), place)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    step=st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 1.7, 3.0, 5.0])] * 3),
    move=st.floats(-6, 6),
)
def test_only_the_part_around_the_mask_matters(seed: int, step: tuple[float, float, float], move: float) -> None:
    shape, rng = (24, 30, 28), np.random.default_rng(seed)
    grid = GridConfig(shape=tuple(int(20 / s) + 1 for s in step), spacing_mm=step)
    place = frame(shape, (1.0, 1.0, 1.0), grid, move)
    mask = ball(shape, (1.0, 1.0, 1.0), rng.uniform(0, shape), rng.uniform(2, 14))
    soft = place.soften(mask)
    back, start = place.restore(soft, 0.5)
    whole = np.zeros(shape, bool)
    whole[tuple(slice(s, s + n) for s, n in zip(start, back.shape, strict=True))] = back
    ours, expected = oracle(mask, place), dice(mask, whole)
    if isnan(expected):
        assert isnan(ours) or not mask.any()
    else:
        assert ours == pytest.approx(expected, abs=0.02 if mask.sum() > 50 else 0.2)  # float32 ties at one half


def test_a_grid_of_the_scans_own_voxels_changes_nothing() -> None:
    shape, grid = (20, 24, 22), GridConfig(shape=(32, 32, 32), spacing_mm=(2.5, 0.7, 0.7))
    mask = np.random.default_rng(0).random(shape) < 0.3
    assert oracle(mask, frame(shape, (2.5, 0.7, 0.7), grid)) == 1.0


def test_a_small_nodule_loses_more_than_a_large_effusion_on_a_coarse_grid() -> None:
    shape, spacing = (60, 80, 80), (1.25, 0.7, 0.7)
    place = frame(shape, spacing, GridConfig(shape=(48, 128, 128), spacing_mm=(6.5, 3.0, 3.0)))
    small, large = (ball(shape, spacing, np.array([30.0, 41.0, 37.0]), mm) for mm in (5, 40))
    assert oracle(small, place) < 0.8
    assert 0.95 < oracle(large, place) < 1.0


def test_what_lies_beyond_the_grid_is_lost() -> None:
    shape = (40, 40, 40)
    place = frame(shape, (1.0, 1.0, 1.0), GridConfig(shape=(16, 16, 16), spacing_mm=(1.0, 1.0, 1.0)))
    outside, across = np.zeros(shape, bool), np.zeros(shape, bool)
    outside[0:5, 0:5, 0:5] = True
    across[15:25, 15:25, 20:36] = True  # the grid ends at 28
    assert oracle(outside, place) == 0.0
    assert oracle(across, place) == pytest.approx(2 * 8 / (16 + 8))


def test_an_empty_truth_has_no_oracle() -> None:
    place = frame((9, 9, 9), (1.0, 1.0, 1.0), GridConfig(shape=(8, 8, 8), spacing_mm=(1.0, 1.0, 1.0)))
    assert isnan(oracle_dice(np.zeros((0, 0, 0), bool), (0, 0, 0), place))
