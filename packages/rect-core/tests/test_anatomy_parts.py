"""The tools of anatomy one by one: the region map, the coarse grid, morphology, zones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rect_core.anatomy import RegionMap
from rect_core.anatomy.coarse import Coarse, coarsen, expand, refine, thin
from rect_core.anatomy.lung_air import inner_air
from rect_core.anatomy.morphology import closed, dilate, erode, hull, opened, pieces
from rect_core.anatomy.zones import zones
from rect_core.errors import ScanError

masks = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((5, 9, 11)) < 0.08)
radii = st.floats(0.5, 9.0)


def test_a_region_map_knows_what_it_holds() -> None:
    labels = np.zeros((6, 8, 10), np.uint8)
    labels[2:4, 1:5, 3:6] = 2
    labels[3, 6, 7] = 6
    labels[5, 7, 9] = 20
    found = RegionMap(labels=labels, origin="given")
    assert [i + 1 for i, here in enumerate(found.present) if here] == [2, 6, 20]
    assert len(found.present) == 20
    assert found.lungs_box == ((2, 4), (1, 7), (3, 8))
    np.testing.assert_array_equal(found.lungs, (labels == 2) | (labels == 6))


def test_a_region_map_refuses_values_above_20_and_has_no_box_without_lungs() -> None:
    with pytest.raises(ValueError, match=r"0\.\.20 but this one has the value 21"):
        RegionMap(labels=np.full((2, 2, 2), 21, np.uint8), origin="given")
    empty = RegionMap(labels=np.full((2, 2, 2), 12, np.uint8), origin="given")
    with pytest.raises(ScanError, match="holds no lung"):
        _ = empty.lungs_box


@settings(max_examples=30, deadline=None)
@given(mask=masks, radius=radii)
def test_dilation_is_the_exact_ball(mask: np.ndarray, radius: float) -> None:
    spacing = (3.0, 1.5, 1.1)
    points = np.argwhere(mask) * spacing
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in mask.shape), indexing="ij"), -1) * spacing
    gaps = np.linalg.norm(grid[..., None, :] - points, axis=-1)
    within = (gaps <= radius + 1e-9).any(axis=-1)
    close = (np.abs(gaps - radius) < 1e-6).any(axis=-1)
    assert np.array_equal(dilate(mask, radius, spacing)[~close], within[~close])


@settings(max_examples=30, deadline=None)
@given(mask=masks, radius=radii, flat=st.booleans())
def test_opening_shrinks_and_closing_grows(mask: np.ndarray, radius: float, flat: bool) -> None:
    spacing = (3.0, 1.5, 1.1)
    assert not (opened(mask, radius, spacing, flat=flat) & ~mask).any()
    assert not (mask & ~closed(mask, radius, spacing, flat=flat)).any()
    assert not (erode(mask, radius, spacing, flat=flat) & ~mask).any()


def test_closing_is_not_helped_by_the_end_of_the_array() -> None:
    mask = np.zeros((1, 20, 20), bool)
    mask[:, 8:12, 8:12] = True
    np.testing.assert_array_equal(closed(mask, 30.0, (1.0, 1.0, 1.0), flat=True), mask)


def test_the_hull_of_a_crescent_holds_its_hollow_and_little_else() -> None:
    y, x = np.mgrid[:60, :60]
    ball = (y - 30) ** 2 + (x - 30) ** 2 <= 25**2
    crescent = ball & ((y - 30) ** 2 + (x - 42) ** 2 > 18**2)
    outline = hull(np.stack([crescent, np.zeros_like(crescent)]), (5.0, 1.0, 1.0))
    assert not (crescent & ~outline[0]).any()
    assert outline[0, 30, 30]
    assert not outline[1].any()
    assert (outline[0] & ~ball).sum() < 0.02 * ball.sum()


def test_pieces_are_numbered_by_size() -> None:
    mask = np.zeros((1, 1, 12), bool)
    mask[0, 0, [0, 2, 3, 5, 6, 7]] = True
    found, sizes = pieces(mask)
    assert sizes.tolist() == [3, 2, 1]
    assert found[0, 0, [0, 2, 5]].tolist() == [3, 2, 1]


def test_coarse_blocks_are_means_and_the_way_back_has_the_scans_shape() -> None:
    hu = np.random.default_rng(0).integers(-1000, 1000, (7, 10, 13)).astype(np.int16)
    for scan in (hu, hu.astype(np.float32), hu[::-1, :, ::-1]):
        coarse = coarsen(scan, (1.5, 1.0, 0.7))
        assert coarse.factors == (2, 3, 4)
        np.testing.assert_allclose(coarse.hu[0, 0, 0], scan[:2, :3, :4].mean(), rtol=1e-4, atol=1e-2)
        assert coarse.hu.shape == (4, 4, 4)
        assert expand(coarse.hu, coarse.factors, scan.shape).shape == scan.shape
    assert coarsen(hu, (5.0, 3.1, 3.1)).factors == (1, 1, 1)


def test_refined_borders_of_air_are_those_of_the_scan() -> None:
    d, h, w = np.mgrid[:12, :60, :60]
    ball = (d - 6) ** 2 * 4 + (h - 30) ** 2 + (w - 31) ** 2 <= 21**2
    hu = np.where(ball, -850, 40).astype(np.int16)
    coarse = coarsen(hu, (1.5, 0.75, 0.75))
    blocks = np.where(coarse.hu < -400, 2, 17).astype(np.uint8)
    fine = refine(blocks, coarse, hu)
    assert ((fine == 2) != ball).sum() <= 0.003 * ball.sum()
    assert ((expand(blocks, coarse.factors, hu.shape) == 2) != ball).sum() > 0.03 * ball.sum()
    np.testing.assert_array_equal(thin(fine, coarse)[2:4, 4:10, 4:10], blocks[2:4, 4:10, 4:10])


def test_dense_tissue_inside_a_filled_lung_stays_lung_when_refined() -> None:
    coarse = Coarse(hu=np.full((3, 9, 9), -850, np.float32), spacing_mm=(3.0, 3.0, 3.0), factors=(2, 4, 4))
    coarse.hu[1, 4, 4] = 40
    hu = expand(coarse.hu, coarse.factors, (6, 36, 36)).astype(np.int16)
    assert (refine(np.full((3, 9, 9), 5, np.uint8), coarse, hu) == 5).all()


def test_inner_air_is_what_its_own_slice_encloses_or_what_is_no_room_air() -> None:
    air = np.ones((3, 12, 12), bool)
    air[:, 2:10, 2:10] = False
    air[:, 5:7, 5:7] = True
    air[1, 5, 6:] = True
    hu = np.where(air, -1000, 40)
    hu[2] = 40
    hu[2, 3:9, 8:] = -850  # the field of view cuts a lung
    inner = inner_air(hu < -400, hu)
    assert inner[0].sum() == 4
    assert not inner[1].any()
    assert inner[2].sum() == 24


@pytest.mark.parametrize("height", [3, 10, 31, 200])
def test_zones_split_a_lung_in_equal_heights_upper_on_top(height: int) -> None:
    right = np.zeros((height + 4, 2, 4), bool)
    left = right.copy()
    right[2:-2, :, :2] = True
    left[3:-2, :, 2:] = True
    labels = zones(right, left)
    counts = [int((labels[:, 0, 0] == v).sum()) for v in (1, 2, 3)]
    assert sum(counts) == height
    assert max(counts) - min(counts) <= 1
    assert labels[-3, 0, 0] == 1
    assert labels[2, 0, 0] == 3
    assert set(np.unique(labels[:, :, 2:])) <= {0, 4, 5, 6}
