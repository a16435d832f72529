"""What patches and regions are said to hold."""

import math

import pytest
import torch
from einops import rearrange

from rect_core.preprocess import GridConfig
from rect_encoder.config import EncoderConfig
from rect_encoder.patch import Positions, axis_centres_mm, centres_mm
from rect_encoder.shares import DENSITIES, patch_presence, region_densities, region_features, region_shares


def test_shares_count_every_voxel_of_every_patch() -> None:
    regions = torch.randint(0, 21, (2, 8, 12, 10), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    cut = rearrange(regions, "b (gd d) (gh h) (gw w) -> b (gd gh gw) (d h w)", d=4, h=3, w=5)
    one_hot = torch.nn.functional.one_hot(cut.long(), 21)[..., 1:]
    assert torch.equal(region_shares(regions, (4, 3, 5)) * 60, one_hot.sum(2).float())


def test_shares_read_maps_that_are_views() -> None:
    regions = torch.randint(0, 21, (1, 8, 12, 10), dtype=torch.uint8).flip(3)[:, :, ::2]
    assert torch.equal(region_shares(regions, (4, 3, 5)), region_shares(regions.contiguous(), (4, 3, 5)))


def test_a_label_above_20_is_refused() -> None:
    with pytest.raises(ValueError, match="label 21: labels end at 20"):
        region_shares(torch.full((1, 4, 4, 4), 21, dtype=torch.uint8), (2, 2, 2))


@pytest.mark.parametrize(
    ("valid", "first", "last"),
    [((0, 8), 0, 3), ((2, 8), 1, 3), ((1, 8), 0, 3), ((0, 5), 0, 2), ((3, 4), 1, 1), ((0, 2), 0, 0)],
)
def test_a_patch_is_present_if_one_voxel_of_it_lies_in_the_scan(valid: tuple[int, int], first: int, last: int) -> None:
    for axis in range(3):
        ranges = torch.tensor([[valid if a == axis else (0, 2) for a in range(3)]])
        shape = tuple(4 if a == axis else 1 for a in range(3))
        expected = [first <= i <= last for i in range(4)]
        assert patch_presence(ranges, shape, (2, 2, 2)).flatten().tolist() == expected


def test_an_empty_scan_has_no_patch() -> None:
    assert not patch_presence(torch.tensor([[(0, 8), (3, 3), (0, 8)]]), (4, 4, 4), (2, 2, 2)).any()


def test_region_features_are_size_centre_and_extent() -> None:
    places = torch.tensor([[0.0, 0.0, -100.0], [0.0, 0.0, 100.0], [50.0, 0.0, 0.0]])
    shares = torch.zeros(1, 3, 20)
    shares[0, :2, 4] = torch.tensor([0.5, 0.5])
    features = region_features(shares, places, patch_ml=10.0)
    expected = torch.tensor([torch.tensor(11.0).log() / 8, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    torch.testing.assert_close(features[0, 4], expected)
    assert features[0, :4].abs().max() == 0


def test_region_densities_say_what_share_of_a_region_lies_in_each_step_of_hu() -> None:
    voxels, regions = torch.full((2, 1, 1, 2, 5), -1.0), torch.zeros(2, 1, 2, 5, dtype=torch.uint8)
    regions[0, 0, 0], regions[0, 0, 1] = 7, 20
    voxels[0, 0, 0, 0] = torch.tensor([-1.0, -0.876, -0.874, 1.0, 1.0])  # steps of 0.125: 0, 0, 1, 15, 15
    found = region_densities(voxels, regions)
    shares = ((found * math.log1p(1000)).exp() - 1) / 1000
    expected = torch.zeros(DENSITIES)
    expected[[0, 1, 15]] = torch.tensor([0.4, 0.2, 0.4])
    torch.testing.assert_close(shares[0, 6], expected)
    assert found[0, 19].tolist() == [1.0] + [0.0] * 15
    assert found[0, 7:19].abs().max() == 0 == found[1].abs().max()


def test_region_densities_do_not_depend_on_spacing() -> None:
    voxels = torch.rand(1, 1, 2, 4, 4) * 2 - 1
    regions = torch.randint(0, 21, (1, 2, 4, 4), dtype=torch.uint8)
    fine = region_densities(voxels.repeat_interleave(3, dim=-1), regions.repeat_interleave(3, dim=-1))
    torch.testing.assert_close(fine, region_densities(voxels, regions))


def test_patch_centres_are_mm_from_the_centre_of_the_grid() -> None:
    config = EncoderConfig(patch=(2, 4, 4), grid=GridConfig(shape=(4, 8, 12), spacing_mm=(5.0, 1.0, 2.0)))
    places = centres_mm(config)
    assert places[0].tolist() == [-5.0, -2.0, -8.0]
    assert places[-1].tolist() == [5.0, 2.0, 8.0]
    assert places[1].tolist() == [-5.0, -2.0, 0.0]
    torch.testing.assert_close(places.mean(0), torch.zeros(3))


def test_a_place_in_mm_has_the_same_position_vector_on_any_grid() -> None:
    coarse = EncoderConfig(patch=(2, 4, 4), grid=GridConfig(shape=(6, 12, 12), spacing_mm=(6.0, 3.0, 3.0)))
    fine = EncoderConfig(patch=(2, 4, 4), grid=GridConfig(shape=(18, 36, 36), spacing_mm=(2.0, 1.0, 1.0)))
    positions = Positions(coarse)
    ours, theirs = (positions(axis_centres_mm(config)) for config in (coarse, fine))
    on_fine = {tuple(place): vector for place, vector in zip(centres_mm(fine).tolist(), theirs, strict=True)}
    shared = [(vector, on_fine[tuple(p)]) for p, vector in zip(centres_mm(coarse).tolist(), ours, strict=True)]
    assert len(shared) == 27
    for one, other in shared:
        torch.testing.assert_close(one, other)
