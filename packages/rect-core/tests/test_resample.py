"""Weights of one axis and separable resampling: exact where they must be, equal to known tools where these agree."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch.nn import functional as F

from rect_core.axis import Axis, cell_weights
from rect_core.resample import gather, reach, resampled, shrink

STEPS = st.floats(0.2, 8.0)
STARTS = st.floats(-20.0, 20.0)


def resample_all(source, axes, clip=None):
    weights = tuple(axis.down() for axis in axes)
    return torch.stack(list(resampled(source, weights, clip)))


@given(start=STARTS, step=STEPS, voxels=st.integers(1, 60), cells=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_down_weights_are_shares_that_sum_to_one(start, step, voxels, cells):
    axis = Axis(voxels, cells, start, step)
    first, last = axis.valid
    if first >= last:
        return
    weights = axis.down()
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-12)


@given(start=STARTS, step=STEPS, voxels=st.integers(1, 60), cells=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_valid_cells_and_covered_voxels_are_those_whose_centre_lies_inside(start, step, voxels, cells):
    axis = Axis(voxels, cells, start, step)
    centres = start + step * np.arange(cells)
    inside = (centres > -0.5 - 0.01) & (centres < voxels - 0.5 + 0.01)
    certain = (centres > -0.5 + 0.01) & (centres < voxels - 0.5 - 0.01)
    found = np.isin(np.arange(cells), np.arange(*axis.valid))
    assert (found <= inside).all()
    assert (certain <= found).all()
    places = (np.arange(voxels) - start) / step
    covered = np.isin(np.arange(voxels), np.arange(*axis.covered))
    assert (covered <= ((places > -0.51) & (places < cells - 0.49))).all()
    assert (((places > -0.49) & (places < cells - 0.51)) <= covered).all()


@given(start=STARTS, step=STEPS, voxels=st.integers(2, 60), cells=st.integers(1, 60))
@settings(max_examples=100, deadline=None)
def test_way_back_keeps_constants(start, step, voxels, cells):
    axis = Axis(voxels, cells, start, step)
    if axis.valid[0] < axis.valid[1]:
        np.testing.assert_allclose(axis.back().sum(axis=1), 1.0, atol=1e-9)


@given(edge=st.floats(0.0, 9.0), step=st.one_of(st.floats(0.2, 1.0), st.sampled_from([2.0, 3.0, 4.0, 5.0, 8.0])))
@settings(max_examples=60, deadline=None)
def test_linear_ramp_stays_linear_down_and_back(edge, step):
    voxels = np.arange(120.0)
    axis = Axis(120, int((119 - edge) / step), edge + max(step - 1, 0) / 2, step)
    down = axis.down() @ voxels
    np.testing.assert_allclose(down, axis.start + step * np.arange(axis.cells), atol=1e-9)
    inner = slice(int(axis.start + 3 * step) + 3, int(axis.start + step * (axis.cells - 4)) - 1)
    np.testing.assert_allclose((axis.back() @ down)[inner], voxels[inner], atol=1e-9)


@given(edge=st.floats(0.0, 9.0), step=st.floats(1.0, 8.0))
@settings(max_examples=60, deadline=None)
def test_fractional_areas_move_a_ramp_by_at_most_an_eighth_of_a_voxel(edge, step):
    axis = Axis(120, int((119 - edge) / step), edge + (step - 1) / 2, step)
    away = axis.down() @ np.arange(120.0) - (axis.start + step * np.arange(axis.cells))
    assert np.abs(away).max() <= 0.125


@given(start=STARTS, step=st.floats(1.0, 8.0), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_area_averaging_conserves_mass(start, step, seed):
    source = np.zeros(100)
    source[30:70] = np.random.default_rng(seed).random(40)
    cells = int(200 / step)
    axis = Axis(100, cells, start - 50.0, step)
    assert (axis.down() @ source).sum() * step == pytest.approx(source.sum(), rel=1e-9)


def test_step_of_one_voxel_is_exact_identity():
    hu = np.random.default_rng(0).integers(-1024, 3000, (5, 7, 9), dtype=np.int16)
    same = resample_all(hu, [Axis(n, n, 0.0, 1.0) for n in hu.shape])
    assert torch.equal(same, torch.from_numpy(hu).float())


def test_area_average_equals_torch_area_interpolation():
    source = np.random.default_rng(1).random((8, 150, 132), np.float32)
    axes = [Axis(8, 2, 1.5, 4.0), Axis(150, 75, 0.5, 2.0), Axis(132, 44, 1.0, 3.0)]
    expected = F.interpolate(torch.from_numpy(source)[None, None], size=(2, 75, 44), mode="area")[0, 0]
    torch.testing.assert_close(resample_all(source, axes), expected)


def test_enlarging_equals_torch_trilinear_interpolation():
    source = np.random.default_rng(2).random((6, 40, 33), np.float32)
    shape = (14, 133, 77)
    axes = [Axis(n, m, (n / m - 1) / 2, n / m) for n, m in zip(source.shape, shape, strict=True)]
    expected = F.interpolate(torch.from_numpy(source)[None, None], size=shape, mode="trilinear")[0, 0]
    torch.testing.assert_close(resample_all(source, axes), expected, rtol=1e-5, atol=2e-6)


def test_enlarging_equals_scipy_zoom_with_grid_mode():
    source = np.random.default_rng(3).random((6, 10, 9), np.float32)
    axes = [Axis(n, 2 * n, -0.25, 0.5) for n in source.shape]
    expected = ndimage.zoom(source, 2, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(resample_all(source, axes).numpy(), expected, atol=1e-6)


def test_nearest_equals_torch_nearest_exact_and_keeps_only_known_labels():
    labels = np.random.default_rng(4).integers(0, 21, (9, 30, 31), dtype=np.uint8)
    shape = (4, 64, 50)
    axes = [Axis(n, m, (n / m - 1) / 2, n / m) for n, m in zip(labels.shape, shape, strict=True)]
    out = np.empty(shape, np.uint8)
    gather(labels, tuple(axis.nearest_voxels() for axis in axes), out)
    expected = F.interpolate(torch.from_numpy(labels)[None, None].float(), size=shape, mode="nearest-exact")[0, 0]
    np.testing.assert_array_equal(out, expected.numpy())


def test_clip_happens_before_averaging():
    metal = np.array([0, 0, 3000, 0], np.int16).reshape(1, 1, 4)
    axes = [Axis(1, 1, 0.0, 1.0), Axis(1, 1, 0.0, 1.0), Axis(4, 1, 1.5, 4.0)]
    assert resample_all(metal, axes, (-1000.0, 1000.0)).item() == 250.0


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_source_is_left_alone_and_may_be_read_only_or_flipped(dtype):
    source = np.random.default_rng(5).integers(-2000, 2000, (4, 6, 8)).astype(dtype)
    before = source.copy()
    source.setflags(write=False)
    axes = [Axis(n, n, 0.0, 1.0) for n in source.shape]
    flipped = resample_all(source[::-1, ::-1, ::-1], axes, (-1000.0, 1000.0))
    np.testing.assert_array_equal(source, before)
    np.testing.assert_array_equal(flipped.numpy(), np.clip(before, -1000, 1000)[::-1, ::-1, ::-1])


def test_noise_in_the_last_digits_moves_no_neighbour_and_no_weight():
    for noise in (-1e-12, 1e-12):
        exact, noisy = Axis(40, 10, 1.5, 4.0), Axis(40, 10, 1.5 + noise, 4.0 * (1 + noise))
        np.testing.assert_array_equal(exact.nearest_voxels(), noisy.nearest_voxels())
        assert exact.valid == noisy.valid
        assert exact.covered == noisy.covered
        np.testing.assert_array_equal(exact.down() > 0, noisy.down() > 0)


def test_cell_without_any_voxel_is_refused():
    with pytest.raises(ValueError, match=r"1\.0 voxels wide lies outside the 4 voxels"):
        cell_weights(4, np.array([9.0]))


@given(seed=st.integers(0, 999), threshold=st.floats(0.05, 1.0))
@settings(max_examples=25, deadline=None)
def test_reach_misses_no_voxel_above_the_threshold(seed, threshold):
    rng = np.random.default_rng(seed)
    cells = (rng.random((3, 7, 8)) * (rng.random((3, 7, 8)) > 0.97)).astype(np.float32)
    axes = tuple(Axis(30, n, 1.3, 3.1) for n in cells.shape)
    weights = tuple(axis.back()[slice(*axis.covered)] for axis in axes)
    whole = torch.stack(list(resampled(cells, weights))).numpy() >= threshold
    ranges = reach(cells, weights, threshold)
    if ranges is None:
        assert not whole.any()
    else:
        assert whole[ranges].sum() == whole.sum()


def test_shrink_gives_the_tight_box_and_where_it_begins():
    box = np.zeros((4, 5, 6), bool)
    box[1:3, 2, 4:] = True
    tight, start = shrink(box, (10, 20, 30))
    assert tight.shape == (2, 1, 2)
    assert tight.all()
    assert start == (11, 22, 34)
    assert shrink(np.zeros((4, 5, 6), bool), (10, 20, 30))[0].shape == (0, 0, 0)
