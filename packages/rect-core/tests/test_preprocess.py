"""What a model sees of a scan: centred on the lungs, in [-1, 1], the same however the scan is stored."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rect_core.anatomy import RegionMap
from rect_core.errors import ScanError
from rect_core.geometry import HOUSE, axes_code, orientation, parse_axes, turn, turn_affine
from rect_core.preprocess import Frame, GridConfig, ModelInput, Preprocess
from rect_core.read import read_volume
from rect_core.volume import StoredGrid, Volume

GRID = GridConfig(shape=(16, 40, 40), spacing_mm=(5.0, 3.0, 3.0))
SIX = ["RAS", "LPS", "LAS", "PIR", "SRP", "AIL"]


def volume_of(hu: np.ndarray, spacing_mm=(2.5, 1.0, 1.0), axes: str = "SPL") -> Volume:
    """A scan that holds (d, h, w) voxels, stored as `axes`."""
    house = np.eye(4)
    house[:3, :3] = np.array([[0, 0, -spacing_mm[2]], [0, -spacing_mm[1], 0], [spacing_mm[0], 0, 0]])
    house[:3, 3] = (90.3, 120.7, -210.1)
    target = parse_axes(axes)
    array = np.ascontiguousarray(turn(hu, HOUSE, target))
    i, j, k = array.shape
    stored = StoredGrid(shape=(i, j, k), affine=turn_affine(house, hu.shape, target))
    return Volume(hu=stored.to_house(array), affine=stored.house_affine, stored=stored, case_id="phantom")


def lungs(shape: tuple[int, int, int], *box: tuple[int, int]) -> RegionMap:
    """A map whose right and left lung fill the two halves of a box."""
    labels = np.full(shape, 20, np.uint8)
    (d0, d1), (h0, h1), (w0, w1) = box
    labels[d0:d1, h0:h1, w0 : (w0 + w1) // 2] = 2
    labels[d0:d1, h0:h1, (w0 + w1) // 2 : w1] = 5
    return RegionMap(labels=labels, origin="given")


def noisy(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1024, 1500, shape, dtype=np.int16)


def run(hu: np.ndarray, regions: RegionMap, grid: GridConfig = GRID, spacing_mm=(2.5, 1.0, 1.0)) -> ModelInput:
    return Preprocess(grid)(volume_of(hu, spacing_mm), regions)


def test_hounsfield_units_become_minus_one_to_one():
    hu = np.full((32, 100, 100), 500, np.int16)
    item = run(hu, lungs(hu.shape, (4, 28), (10, 90), (10, 90)))
    assert item.voxels.shape == (1, 16, 40, 40)
    (d0, d1), (h0, h1), (w0, w1) = item.valid
    inside = item.voxels[0, d0:d1, h0:h1, w0:w1]
    torch.testing.assert_close(inside, torch.full_like(inside, 0.5), rtol=0, atol=1e-6)


def test_grid_that_fits_the_scan_leaves_its_voxels_exactly_as_they_are():
    hu = noisy((16, 40, 40))
    item = run(hu, lungs(hu.shape, (0, 16), (0, 40), (0, 40)), spacing_mm=GRID.spacing_mm)
    expected = torch.from_numpy(np.clip(hu, -1000, 1000)).float() / 1000
    assert torch.equal(item.voxels[0], expected)
    assert item.valid == ((0, 16), (0, 40), (0, 40))
    assert item.frame.start == (0.0, 0.0, 0.0)


def test_smaller_scan_is_padded_with_minus_one_and_valid_says_where():
    hu = np.full((16, 60, 50), 1000, np.int16)
    item = run(hu, lungs(hu.shape, (0, 16), (0, 60), (0, 50)))
    assert item.valid == ((4, 12), (10, 30), (12, 28))
    inside = torch.zeros(16, 40, 40, dtype=torch.bool)
    inside[4:12, 10:30, 12:28] = True
    assert (item.voxels[0][inside] == 1).all()
    assert (item.voxels[0][~inside] == -1).all()
    assert (item.regions[~inside] == 0).all()
    assert (item.regions[inside] > 0).all()


def test_larger_scan_is_cropped_around_the_lungs():
    hu = np.full((80, 200, 200), -1000, np.int16)
    hu[60, 80, 120] = 1000
    item = run(hu, lungs(hu.shape, (51, 70), (71, 90), (111, 130)))
    assert item.valid == ((0, 16), (0, 40), (0, 40))
    brightest = np.unravel_index(int(item.voxels[0].argmax()), GRID.shape)
    at = item.frame.to_scan(np.array([brightest], float))[0]
    assert (np.abs(at - (60, 80, 120)) <= np.array(item.frame.step) / 2).all()


def test_chest_abdomen_scan_is_centred_on_the_lungs_not_on_the_belly():
    hu = noisy((200, 50, 50))
    item = run(hu, lungs(hu.shape, (155, 185), (5, 45), (5, 45)))
    middle = item.frame.to_scan((np.array([GRID.shape]) - 1) / 2)[0]
    assert np.abs(middle - (169.5, 24.5, 24.5)).max() <= 0.5
    assert item.frame.lung_outside == 0.0
    assert item.regions[8, 20, 20] in (2, 5)


def test_share_of_lung_outside_the_grid_is_counted_in_voxels():
    grid = GridConfig(shape=(8, 40, 40), spacing_mm=(5.0, 3.0, 3.0))
    hu = noisy((60, 60, 60))
    item = run(hu, lungs(hu.shape, (10, 50), (10, 50), (10, 50)), grid)
    assert item.frame.covered[0] == (22, 38)
    assert item.frame.lung_outside == pytest.approx(1 - 16 / 40)


def test_regions_are_taken_from_the_nearest_voxel():
    rng = np.random.default_rng(1)
    labels = np.repeat(np.repeat(rng.integers(1, 7, (16, 40, 40), dtype=np.uint8), 3, 1), 3, 2)
    item = run(noisy(labels.shape), RegionMap(labels=labels, origin="given"), spacing_mm=(5.0, 1.0, 1.0))
    np.testing.assert_array_equal(item.regions.numpy(), labels[:, 1::3, 1::3])


@pytest.mark.parametrize("spacing_mm", [(2.5, 1.0, 1.0), (1.25, 0.703125, 0.703125), (7.0, 0.6, 0.6)])
def test_same_scan_stored_in_six_orientations_gives_the_same_model_input(spacing_mm):
    hu = noisy((40, 70, 60))
    regions = lungs(hu.shape, (3, 36), (9, 61), (4, 57))
    first = Preprocess(GRID)(volume_of(hu, spacing_mm), regions)
    for axes in SIX:
        volume = volume_of(hu, spacing_mm, axes)
        assert axes_code(orientation(volume.stored.affine)) == axes
        item = Preprocess(GRID)(volume, regions)
        torch.testing.assert_close(item.voxels, first.voxels, rtol=0, atol=1e-6)
        assert torch.equal(item.regions, first.regions)
        assert item.valid == first.valid
        np.testing.assert_allclose(item.frame.start, first.frame.start, atol=1e-9)


def test_mirrored_scan_gives_the_mirrored_input():
    hu = noisy((32, 60, 60))
    regions = lungs(hu.shape, (4, 28), (10, 50), (10, 50))
    mirrored = RegionMap(labels=np.ascontiguousarray(regions.labels[:, :, ::-1]), origin="given")
    item, other = run(hu, regions), run(np.ascontiguousarray(hu[:, :, ::-1]), mirrored)
    assert (item.voxels - other.voxels).abs().max() > 0.1
    torch.testing.assert_close(other.voxels.flip(3), item.voxels, rtol=0, atol=1e-5)


def test_metal_is_clipped_before_it_is_averaged():
    hu = np.zeros((16, 120, 120), np.int16)
    hu[:, 60, 60] = 3071
    item = run(hu, lungs(hu.shape, (0, 16), (0, 120), (0, 120)), spacing_mm=(5.0, 1.0, 1.0))
    assert item.voxels.max() == pytest.approx(1 / 9, abs=1e-6)


@given(
    level=st.integers(-1024, 3000),
    spacing_mm=st.tuples(st.floats(0.7, 7.0), st.floats(0.4, 3.5), st.floats(0.4, 3.5)),
)
@settings(max_examples=20, deadline=None)
def test_constant_scan_stays_constant_inside_and_the_range_holds(level, spacing_mm):
    hu = np.full((20, 30, 40), level, np.int16)
    item = run(hu, lungs(hu.shape, (2, 18), (3, 27), (4, 36)), spacing_mm=spacing_mm)
    (d0, d1), (h0, h1), (w0, w1) = item.valid
    inside = item.voxels[0, d0:d1, h0:h1, w0:w1]
    assert inside.numel()
    assert (inside - np.clip(level, -1000, 1000) / 1000).abs().max() < 1e-6
    assert item.voxels.abs().max() <= 1


def test_other_hu_range_is_mapped_to_its_own_ends():
    grid = GridConfig(shape=GRID.shape, spacing_mm=GRID.spacing_mm, hu_range=(-160.0, 240.0))
    hu = np.full((16, 40, 40), 40, np.int16)
    hu[0], hu[1], hu[2] = -1024, 240, 140
    item = run(hu, lungs(hu.shape, (0, 16), (0, 40), (0, 40)), grid, spacing_mm=GRID.spacing_mm)
    found = [float(item.voxels[0, d, 20, 20]) for d in range(4)]
    np.testing.assert_allclose(found, [-1.0, 1.0, 0.5, 0.0], atol=1e-6)


def test_scan_and_regions_are_left_alone_and_float_scans_are_read():
    hu = noisy((20, 40, 40)).astype(np.float32) + np.float32(0.25)
    before = hu.copy()
    regions = lungs(hu.shape, (2, 18), (3, 37), (4, 36))
    labels = regions.labels.copy()
    volume = volume_of(hu)
    volume.hu.setflags(write=False)
    Preprocess(GRID)(volume, regions)
    np.testing.assert_array_equal(volume.hu, before)
    np.testing.assert_array_equal(regions.labels, labels)


def test_scan_without_lungs_is_refused():
    hu = noisy((20, 40, 40))
    regions = RegionMap(labels=np.full(hu.shape, 20, np.uint8), origin="given")
    with pytest.raises(ScanError, match="scan 'phantom' has no lung") as refused:
        run(hu, regions)
    assert refused.value.check == "chest"


def test_region_map_of_another_shape_is_refused_with_both_shapes():
    hu = noisy((20, 40, 40))
    with pytest.raises(ScanError, match=r"\(20, 40, 39\) voxels but scan 'phantom' has \(20, 40, 40\)") as refused:
        run(hu, lungs((20, 40, 39), (2, 18), (3, 37), (4, 36)))
    assert refused.value.check == "regions"


def test_frame_alone_equals_the_frame_of_the_model_input():
    hu = noisy((20, 40, 40))
    regions = lungs(hu.shape, (2, 18), (3, 37), (4, 36))
    frame = Preprocess(GRID).frame(volume_of(hu), regions)
    assert isinstance(frame, Frame)
    assert frame == run(hu, regions).frame


def test_real_chest_ct_and_its_segmentation_survive_the_way_there_and_back():
    nrrd = pytest.importorskip("nrrd")
    folder = Path(next(iter(importlib.util.find_spec("slicerio").submodule_search_locations))) / "data"
    volume = read_volume(folder / "CTChest4.nrrd")
    segments, header = nrrd.read(str(folder / "Segmentation.seg.nrrd"))
    labels = np.zeros(volume.stored.shape, np.uint8)
    offset = [int(x) for x in header["Segmentation_ReferenceImageExtentOffset"].split()]
    place = tuple(slice(o, o + n) for o, n in zip(offset, segments.shape, strict=True))
    labels[place] = np.where(segments == 5, 2, np.where(segments == 6, 5, 0))
    regions = RegionMap(labels=np.ascontiguousarray(volume.stored.to_house(labels)), origin="given")
    item = Preprocess(GridConfig(shape=(48, 128, 128), spacing_mm=(6.5, 3.0, 3.0)))(volume, regions)
    assert item.frame.lung_outside < 0.02
    assert item.voxels[0][(item.regions == 2) | (item.regions == 5)].mean() < -0.6
    back = item.frame.restore_labels(item.regions)
    (d0, d1), (h0, h1), (w0, w1) = item.frame.covered
    mine, theirs = back[d0:d1, h0:h1, w0:w1] > 0, regions.lungs[d0:d1, h0:h1, w0:w1]
    assert 2 * (mine & theirs).sum() / (mine.sum() + theirs.sum()) > 0.98
    box, start = item.frame.restore(item.frame.soften(regions.lungs), 0.5)
    whole = np.zeros(volume.shape, bool)
    whole[tuple(slice(s, s + n) for s, n in zip(start, box.shape, strict=True))] = box
    assert 2 * (whole & regions.lungs).sum() / (whole.sum() + regions.lungs.sum()) > 0.97
