"""Overlap and surface scores are MONAI's, on random and on edge inputs, with and without cubic voxels."""

import time
import warnings
from math import isnan

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rect_eval.localization import dice, hd95, iou, nsd, precision, sensitivity
from rect_eval.localization.surface import surface

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of MONAI's own imports
    from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou, compute_surface_dice

of_monai = pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")  # of its own call
SPACINGS = [(1.0, 1.0, 1.0), (2.5, 0.7, 0.7), (5.0, 0.5, 0.9)]


def batch(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(mask[None, None].astype(np.float32))


def blobs(seed: int, shape: tuple[int, int, int] = (12, 17, 15)) -> tuple[np.ndarray, np.ndarray]:
    """Two smooth masks that overlap more or less, and may touch the border of the scan."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    middle, radii = rng.uniform(0, shape), rng.uniform(2, 7, 3)
    moved = middle + rng.uniform(-3, 3, 3)
    return (
        (((places - middle) / radii) ** 2).sum(-1) < 1,
        (((places - moved) / (radii * rng.uniform(0.6, 1.4))) ** 2).sum(-1) < 1,
    )


@of_monai
@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("noise", [False, True])
def test_all_scores_are_those_of_monai(spacing: tuple[float, float, float], noise: bool) -> None:
    compared = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        a, b = (rng.random((2, 7, 9, 8)) < 0.05 * (seed + 1)) if noise else blobs(seed)
        if not (a.any() and b.any()):
            continue
        compared += 1
        assert dice(b, a) == pytest.approx(float(compute_dice(batch(a), batch(b))), abs=1e-6)
        assert iou(b, a) == pytest.approx(float(compute_iou(batch(a), batch(b))), abs=1e-6)
        theirs = compute_hausdorff_distance(batch(a), batch(b), include_background=True, percentile=95, spacing=spacing)
        assert hd95(b, a, spacing) == pytest.approx(float(theirs), abs=1e-4)
        for tolerance in (0.8, 2.0):
            theirs = compute_surface_dice(batch(a), batch(b), [tolerance], include_background=True, spacing=spacing)
            assert nsd(b, a, spacing, tolerance) == pytest.approx(float(theirs), abs=1e-6)
    assert compared >= 6


@of_monai
@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((slice(0, 1), slice(0, 1), slice(0, 1)), (slice(5, 6), slice(7, 8), slice(6, 7))),  # opposite corners
        ((slice(None), slice(None), slice(None)), (slice(2, 4), slice(2, 4), slice(2, 4))),  # the whole scan
        ((slice(1, 2), slice(None), slice(None)), (slice(4, 5), slice(None), slice(None))),  # flat sheets
        ((slice(2, 4), slice(2, 4), slice(2, 4)), (slice(2, 4), slice(2, 4), slice(2, 4))),  # the same
    ],
)
def test_edge_shapes_score_as_with_monai(a: tuple[slice, ...], b: tuple[slice, ...]) -> None:
    one, other, spacing = np.zeros((6, 8, 7), bool), np.zeros((6, 8, 7), bool), (2.5, 0.7, 0.7)
    one[a], other[b] = True, True
    theirs = compute_hausdorff_distance(
        batch(one), batch(other), include_background=True, percentile=95, spacing=spacing
    )
    assert hd95(other, one, spacing) == pytest.approx(float(theirs), abs=1e-4)
    theirs = compute_surface_dice(batch(one), batch(other), [2.0], include_background=True, spacing=spacing)
    assert nsd(other, one, spacing) == pytest.approx(float(theirs), abs=1e-6)
    assert dice(other, one) == pytest.approx(float(compute_dice(batch(one), batch(other))), abs=1e-6)


def test_empty_masks_have_no_distance_and_no_ratio() -> None:
    some, none = np.zeros((4, 5, 6), bool), np.zeros((4, 5, 6), bool)
    some[1, 2, 3] = True
    assert dice(some, none) == iou(none, some) == nsd(none, some, (1, 1, 1)) == 0
    assert isnan(dice(none, none))
    assert isnan(iou(none, none))
    assert isnan(nsd(none, none, (1, 1, 1)))
    assert isnan(hd95(some, none, (1, 1, 1)))
    assert isnan(hd95(none, none, (1, 1, 1)))
    assert isnan(sensitivity(none, some))
    assert isnan(precision(some, none))
    assert sensitivity(some, none) == precision(none, some) == 0


def test_hd95_is_the_larger_percentile_and_not_that_of_both_sets_together() -> None:
    large, small = np.zeros((40, 40, 40), bool), np.zeros((40, 40, 40), bool)
    large[5:35, 5:35, 5:35] = True
    small[30:35, 5:10, 5:10] = True  # every one of its surface voxels is near, most of the large one's are far
    forth, back = hd95(large, small, (1, 1, 1)), hd95(small, large, (1, 1, 1))
    assert forth == back
    assert forth > 30


def test_distances_are_millimetres_along_each_axis() -> None:
    a, b = np.zeros((9, 9, 9), bool), np.zeros((9, 9, 9), bool)
    a[1, 4, 4] = True
    for place, expected in [((3, 4, 4), 10.0), ((1, 6, 4), 1.4), ((1, 4, 1), 2.7)]:
        b[...] = False
        b[place] = True
        assert hd95(a, b, (5.0, 0.7, 0.9)) == pytest.approx(expected)
        assert nsd(a, b, (5.0, 0.7, 0.9)) == float(expected <= 2)


def test_a_distance_at_the_tolerance_is_within_it_whatever_the_last_digit_of_the_spacing() -> None:
    a, b = np.zeros((5, 5, 9), bool), np.zeros((5, 5, 9), bool)
    a[2, 2, 1], b[2, 2, 6] = True, True
    assert nsd(a, b, (1.0, 1.0, float(np.float32(0.4)))) == 1.0


def test_masks_of_two_sizes_are_refused() -> None:
    a, b = np.zeros((2, 2, 2), bool), np.zeros((2, 2, 3), bool)
    for score in (dice, iou, sensitivity, precision):
        with pytest.raises(ValueError, match=r"\(2, 2, 2\) and \(2, 2, 3\)"):
            score(a, b)
    with pytest.raises(ValueError, match="scan's grid"):
        hd95(a, b, (1, 1, 1))


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), flip=st.integers(0, 2), order=st.permutations([0, 1, 2]))
def test_turning_both_masks_changes_nothing(seed: int, flip: int, order: list[int]) -> None:
    a, b = blobs(seed)
    if not (a.any() and b.any()):
        return
    spacing = (2.5, 0.7, 0.9)
    turned = [np.flip(np.transpose(mask, order), flip) for mask in (a, b)]
    sizes = (spacing[order[0]], spacing[order[1]], spacing[order[2]])
    assert hd95(turned[0], turned[1], sizes) == pytest.approx(hd95(a, b, spacing))
    assert nsd(turned[0], turned[1], sizes) == pytest.approx(nsd(a, b, spacing))
    assert dice(turned[0], turned[1]) == dice(a, b)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 1.0))
def test_the_surface_is_what_an_erosion_takes_away(seed: int, share: float) -> None:
    from scipy import ndimage

    mask = np.random.default_rng(seed).random((4, 6, 5)) < share
    np.testing.assert_array_equal(surface(mask), mask & ~ndimage.binary_erosion(mask))


def test_hd95_of_two_large_effusions_on_a_full_scan_takes_less_than_five_seconds() -> None:
    spacing = (1.25, 0.7, 0.7)
    d, h, w = np.ogrid[:200, :512, :512]
    crescents = []
    for shift in (0, 6):
        z, y, x = (d - 70) * 1.25, (h - 300 - shift) * 0.7, (w - 370 - shift) * 0.7
        outer = (z / 88) ** 2 + (y / 80) ** 2 + (x / 58) ** 2 < 1
        crescents.append(outer & ~((z / 86) ** 2 + ((y + 33) / 80) ** 2 + ((x + 12) / 58) ** 2 < 1))
    assert min(mask.sum() for mask in crescents) * np.prod(spacing) / 1000 > 500
    start = time.process_time()
    assert 2 < hd95(crescents[0], crescents[1], spacing) < 8
    assert time.process_time() - start < 5
