"""Augmentations: exact where they can be, reproducible, on one device, and never untrue about sides."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rect_core.findings import LOCALIZED, REGIONS, region_value
from rect_core.types import Reasoning, ReasoningStep
from rect_data.dataset import AugmentConfig, Batch, Draw, Item, augment, collate, generator_of
from rect_data.dataset.affine import Nearest, places, random_affines, warp
from rect_data.dataset.augment import padded
from rect_data.dataset.collate import blanked
from rect_data.dataset.crop import crop
from rect_data.dataset.flip import MIRRORED, flip, flip_refusals
from rect_data.dataset.intensity import blur, gamma, hu_shift, noise

SHAPE = (8, 12, 16)
VALID = ((1, 8), (0, 11), (2, 15))
NONE = AugmentConfig(affine_chance=0, blur_chance=0, gamma_chance=0, shift_chance=0, noise_chance=0)
ALL = AugmentConfig(affine_chance=1, blur_chance=1, gamma_chance=1, shift_chance=1, noise_chance=1, flip=True)
Make = Callable[..., Item]


@pytest.fixture
def make() -> Make:
    """A case with a bright ball on the right, a nodule (instance 3) in it, and a report that says so."""

    def item(name: str = "a", report: str = "Nodule in the right upper zone.", spacing: float = 2.0) -> Item:
        voxels = torch.full((1, *SHAPE), -1.0)
        voxels[0, 1:8, :11, 2:15] = -0.8
        voxels[0, 3:6, 4:8, 3:7] = 0.5
        regions = torch.zeros(SHAPE, dtype=torch.uint8)
        regions[1:8, :11, 2:8], regions[1:8, :11, 8:15] = 1, 4
        regions[1:3, :11, 2:4], regions[7, :11, 12:15] = 13, 18
        lesions = torch.zeros((5, *SHAPE), dtype=torch.uint8)
        lesions[LOCALIZED.index("lung_nodule"), 3:6, 4:8, 3:7] = 3
        step = ReasoningStep(region="right upper zone", observation="6 mm.", inference="Nodule.")
        return Item(
            case_id=name,
            draw=Draw(0),
            voxels=voxels,
            regions=regions,
            regions_true=False,
            lesions=lesions,
            known=torch.tensor([True, False, True, False, True]),
            partial=torch.tensor([False, True, False, False, False]),
            labels=torch.tensor([0.0, 1.0, *[float("nan")] * 16]),
            report=report,
            reasoning=Reasoning(steps=(step,), conclusion="Nodule, right."),
            valid=VALID,
            spacing_mm=(spacing, 1.0, 1.0),
            hu_range=(-1000.0, 1000.0),
        )

    return item


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(a: Batch, b: Batch) -> bool:
    tensors = [(a.voxels, b.voxels), (a.regions, b.regions), (a.lesions, b.lesions), (a.valid, b.valid)]
    return all(map(torch.equal, *zip(*tensors, strict=True))) and a.reports == b.reports and a.reasoning == b.reasoning


def test_missing_things_are_flags_and_unknown_labels_stay_nan(make: Make) -> None:
    bare = replace(make("b", report=" "), reasoning=None, draw=Draw(1, 0, 1))
    batch = collate([make(), bare])
    assert batch.has_report.tolist() == [True, False]
    assert batch.has_reasoning.tolist() == [True, False]
    assert batch.repeated.tolist() == [False, True]
    assert batch.labels_known[0].tolist() == [True, True] + [False] * 16
    assert batch.labels.isnan().equal(~batch.labels_known)
    assert batch.lesions_known[0].tolist() == [True, False, True, False, True]
    assert batch.lesions_partial[0].tolist() == [False, True, False, False, False]
    assert batch.valid.tolist() == [[list(r) for r in VALID]] * 2
    assert len(batch) == 2
    assert same(batch.to("cpu"), batch)


def test_batches_of_two_grids_and_of_nothing_are_refused(make: Make) -> None:
    with pytest.raises(ValueError, match=r"'a' and 'thick' lie on grids of 8 x 12 x 16 cells of 2 x 1 x 1 mm"):
        collate([make(), make("thick", spacing=3.0)])
    with pytest.raises(ValueError, match="no items"):
        collate([])


def test_the_flip_is_off_unless_asked_for(make: Make) -> None:
    batch = collate([make()] * 8)
    for seed in range(5):
        assert augment(batch, NONE, seeded(seed)).reports == batch.reports
    assert AugmentConfig().flip is False
    flipped = augment(batch, replace(NONE, flip=True, flip_chance=1.0), seeded())
    assert set(flipped.reports) == {"Nodule in the left upper zone."}


def test_a_flip_moves_voxels_masks_regions_ranges_and_words_to_the_other_side(make: Make) -> None:
    batch = collate([make("a"), make("b")])
    out = flip(batch, [1])
    assert same(flip(out, [1]), batch)
    assert torch.equal(out.voxels[0], batch.voxels[0])
    assert out.reports == ("Nodule in the right upper zone.", "Nodule in the left upper zone.")
    nodule = out.lesions[1, LOCALIZED.index("lung_nodule")]
    assert (out.voxels[1, 0] == 0.5).equal(nodule == 3)
    where = nodule.nonzero().float().mean(dim=0)
    assert where[2] > SHAPE[2] / 2, "increasing w is toward the left"
    assert set(out.regions[1][nodule > 0].tolist()) == {region_value("left upper zone")}
    assert out.reasoning[1] is not None
    assert (out.reasoning[1].steps[0].region, out.reasoning[1].conclusion) == ("left upper zone", "Nodule, left.")
    assert out.valid[1, 2].tolist() == [16 - 15, 16 - 2]
    assert out.valid[1, :2].equal(batch.valid[1, :2])
    assert same(padded(out), out), "the ranges still hold all that is not padding"
    assert out.labels_known.equal(batch.labels_known)


def test_the_mirrored_regions_are_pairs_and_the_unpaired_stay() -> None:
    pairs = {name.removeprefix("right "): i for i, name in enumerate(REGIONS, 1) if name.startswith("right ")}
    for name, value in pairs.items():
        assert REGIONS[MIRRORED[value] - 1] == f"left {name}"
    assert [MIRRORED[MIRRORED[value]] for value in range(21)] == list(range(21))
    assert [v for v in range(21) if MIRRORED[v] != v] == [1, 2, 3, 4, 5, 6, 13, 14]


def test_a_case_whose_words_forbid_it_is_never_flipped(make: Make) -> None:
    batch = collate([make("a"), make("b", report="Band in the right middle lobe."), make("c", report="Left atrium.")])
    assert [bool(why) for why in flip_refusals(batch)] == [False, True, True]
    out = augment(batch, replace(NONE, flip=True, flip_chance=1.0), seeded())
    assert [torch.equal(a, b) for a, b in zip(out.voxels, batch.voxels, strict=True)] == [False, True, True]
    assert out.reports[1:] == batch.reports[1:]
    with pytest.raises(ValueError, match="cannot be mirrored"):
        flip(batch, [1])


def test_nothing_chosen_changes_nothing(make: Make) -> None:
    batch = collate([make("a"), make("b")])
    assert same(augment(batch, NONE, seeded()), batch)


def test_an_affine_that_moves_nothing_gives_the_same_cells(make: Make) -> None:
    batch = collate([make()])
    out = warp(batch, [0], random_affines(1, (0.0, 0.0, 0.0), 0.0, (0.0, 0.0, 0.0), seeded()))
    assert torch.allclose(out.voxels, batch.voxels, atol=1e-5)
    assert out.regions.equal(batch.regions)
    assert out.lesions.equal(batch.lesions)


@pytest.mark.parametrize(("axis", "cells"), [(0, 1), (1, 2), (2, -3)])
def test_a_shift_in_mm_moves_voxels_and_labels_by_whole_cells_alike(make: Make, axis: int, cells: int) -> None:
    batch = collate([make()])
    affine = torch.eye(3, 4)[None]
    affine[0, axis, 3] = cells * batch.spacing_mm[axis]
    out, rolled = warp(batch, [0], affine), {}
    for name in ("voxels", "regions", "lesions"):
        was: Tensor = getattr(batch, name)
        rolled[name] = was.roll(-cells, was.ndim - 3 + axis)
    there = padded(replace(batch, **rolled))
    inside = [slice(None)] * 3
    inside[axis] = slice(0, -cells) if cells > 0 else slice(-cells, None)
    for moved, meant in ((out.voxels, there.voxels), (out.regions, there.regions), (out.lesions, there.lesions)):
        assert torch.allclose(moved[..., *inside].float(), meant[..., *inside].float(), atol=1e-4)


BOX = (slice(1, 5), slice(0, 6), slice(3, 7))


def test_places_in_the_old_picture_are_those_of_affine_grid() -> None:
    theta = torch.randn(3, 4)
    whole = F.affine_grid(theta[None], [1, 1, 5, 6, 7], align_corners=False)[0]
    torch.testing.assert_close(places(theta, (5, 6, 7), BOX), whole[BOX])


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_taken_from_where_grid_sample_takes_them(seed: int) -> None:
    theta, labels = torch.randn(3, 4, generator=seeded(seed)), torch.randint(0, 9, (5, 6, 7)).to(torch.uint8)
    grid = places(theta, (5, 6, 7), BOX)
    sampled = F.grid_sample(labels[None, None].float(), grid[None], "nearest", "zeros", align_corners=False)[0, 0]
    assert Nearest(grid, (5, 6, 7))(labels).equal(sampled.to(torch.uint8))


def test_a_blank_case_is_augmented_like_any_other_and_stays_padding(make: Make) -> None:
    none = blanked(collate([make("a"), make("b")]), 1)
    out = augment(none, ALL, seeded())
    assert (out.voxels[1] == -1).all()
    assert not out.regions[1].any()


def test_a_turn_is_a_turn_in_mm_also_where_slices_are_thick(make: Make) -> None:
    item = make(spacing=3.0)
    dhw = torch.stack(torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in SHAPE), indexing="ij"), -1)
    mm = dhw * torch.tensor([3.0, 1.0, 1.0])
    ball = ((mm - torch.tensor([2.5, 0.0, 0.0])).norm(dim=-1) < 5).to(torch.uint8)
    batch = collate([replace(item, regions=ball, voxels=ball[None].float() - 0.5)])
    affine = torch.eye(3, 4)[None]
    affine[0, :3, :3] = torch.tensor([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # 90 degrees about h
    out = warp(batch, [0], affine)
    middle = (mm[out.regions[0] > 0]).mean(dim=0)
    assert torch.allclose(middle, torch.tensor([0.0, 0.0, -2.5]), atol=0.6), middle
    assert abs(int(out.regions.sum()) - int(ball.sum())) <= 0.15 * int(ball.sum())


def test_labels_and_voxels_stay_together_and_numbers_stay_themselves(make: Make) -> None:
    batch = collate([make()] * 16)
    affines = random_affines(16, (10.0, 5.0, 5.0), 0.1, (2.0, 1.0, 1.0), seeded(3))
    out = warp(batch, list(range(16)), affines)
    assert set(out.regions.unique().tolist()) <= {0, 1, 4, 13, 18}
    nodule = out.lesions[:, LOCALIZED.index("lung_nodule")]
    assert set(nodule.unique().tolist()) == {0, 3}
    bright = out.voxels[:, 0] > -0.15
    overlap = 2 * (bright & (nodule == 3)).sum() / (bright.sum() + (nodule == 3).sum())
    assert overlap > 0.9, float(overlap)
    assert len({tuple(n.flatten().tolist()) for n in nodule}) > 1


def test_padding_stays_padding_whatever_is_done(make: Make) -> None:
    batch = collate([make("a"), make("b")])
    for seed in range(6):
        out = augment(batch, ALL, seeded(seed))
        outside = torch.ones(2, *SHAPE, dtype=torch.bool)
        for i, ranges in enumerate(out.valid.tolist()):
            outside[i][tuple(slice(*r) for r in ranges)] = False
        assert (out.voxels[:, 0][outside] == -1).all()
        assert not out.regions[outside].any()
        assert not out.lesions.amax(dim=1)[outside].any()
        assert out.voxels.abs().max() <= 1
        assert out.voxels.isfinite().all()


def test_the_same_draws_are_augmented_alike_and_others_otherwise(make: Make) -> None:
    batch = collate([make("a"), make("b")])
    later = collate([replace(make(name), draw=Draw(0, 1)) for name in "ab"])
    once, twice = (augment(batch, ALL, generator_of(batch, 7)) for _ in range(2))
    assert same(once, twice)
    assert not torch.equal(once.voxels, augment(later, ALL, generator_of(later, 7)).voxels)
    assert not torch.equal(once.voxels, augment(batch, ALL, generator_of(batch, 8)).voxels)


def test_the_input_batch_is_never_changed_in_place(make: Make) -> None:
    batch = collate([make("a"), make("b")])
    before = [t.clone() for t in (batch.voxels, batch.regions, batch.lesions, batch.valid)]
    augment(batch, replace(ALL, crop=(4, 6, 8)), seeded())
    assert all(map(torch.equal, before, (batch.voxels, batch.regions, batch.lesions, batch.valid)))


def test_no_tensor_is_made_on_a_device_of_its_own(make: Make) -> None:
    """With "meta" as the default device, a tensor made without naming the batch's device would be there, and fail."""
    batch = collate([make("a"), make("b")])
    generator = seeded(1)
    with torch.device("meta"):
        out = augment(batch, replace(ALL, flip_chance=1.0, crop=(4, 6, 8), lesion_bias=1.0), generator)
    tensors = (out.voxels, out.regions, out.lesions, out.valid, out.labels)
    assert {tensor.device.type for tensor in tensors} == {"cpu"}


def test_a_crop_holds_a_lesion_when_biased_and_keeps_its_ranges(make: Make) -> None:
    batch = collate([make()] * 12)
    out = crop(batch, (4, 6, 6), 1.0, seeded(2))
    assert out.voxels.shape == (12, 1, 4, 6, 6)
    assert out.lesions.flatten(1).any(dim=1).all()
    assert (out.voxels[:, 0] == 0.5).equal(out.lesions[:, 4] == 3)
    assert same(padded(out), out), "what lies outside the ranges is padding"
    spread = {tuple(n.flatten().tolist()) for n in out.lesions[:, 4]}
    assert len(spread) > 1, "the lesion is not always in the same place of the crop"


def test_a_crop_looks_for_no_lesion_that_the_affine_moved_out_of_the_scan(make: Make) -> None:
    item = make()
    lesions = item.lesions.clone()
    lesions[LOCALIZED.index("pleural_effusion"), 1:8, 8:11, 13] = (
        1  # moves beyond the valid cells, but not off the grid
    )
    batch = collate([replace(item, lesions=lesions)] * 60)
    moving = replace(NONE, affine_chance=1.0, rotate_deg=(0.0, 0.0, 0.0), scale=0.0, shift_mm=(0.0, 0.0, 3.0))
    out = augment(batch, replace(moving, crop=(4, 6, 3), lesion_bias=1.0), seeded(6))
    assert out.lesions.flatten(1).any(dim=1).all()


def test_a_crop_without_a_lesion_lies_inside_the_scan(make: Make) -> None:
    item = make()
    batch = collate([replace(item, lesions=torch.zeros_like(item.lesions))] * 20)
    out = crop(batch, (3, 5, 5), 1.0, seeded(4))
    assert (out.valid == torch.tensor([[0, 3], [0, 5], [0, 5]])).all()
    assert crop(batch, SHAPE, 0.5, seeded()).voxels.shape[2:] == SHAPE
    for wrong in ((9, 4, 4), (0, 4, 4)):
        with pytest.raises(ValueError, match="crop of"):
            crop(batch, wrong, 0.5, seeded())


def test_small_lesions_are_found_as_often_as_large_ones(make: Make) -> None:
    item = make()
    lesions = torch.zeros_like(item.lesions)
    lesions[1, :, :, 8:] = 1
    lesions[4, 4, 5, 3] = 200
    batch = collate([replace(item, lesions=lesions)] * 60)
    out = crop(batch, (3, 3, 3), 1.0, seeded(5))
    small = int((out.lesions[:, 4] == 200).flatten(1).any(dim=1).sum())
    assert 15 <= small <= 45, small


def test_strengths_of_zero_change_nothing_and_others_what_they_say() -> None:
    voxels = torch.rand((2, 1, 5, 6, 7), generator=seeded()) - 0.5
    zero, hu = torch.zeros(2), (-1000.0, 1000.0)
    for out in (
        blur(voxels, zero, (2.0, 1.0, 1.0), 2.0),
        gamma(voxels, zero + 1),
        hu_shift(voxels, zero, hu),
        noise(voxels, zero, hu, seeded()),
    ):
        assert torch.allclose(out, voxels, atol=1e-6)
    shifted = hu_shift(voxels, torch.tensor([0.0, 100.0]), hu)
    assert torch.allclose(shifted[0], voxels[0])
    assert torch.allclose(shifted[1] - voxels[1], torch.full_like(voxels[1], 0.1), atol=1e-6)
    grain = noise(torch.zeros(2, 1, 20, 20, 20), torch.tensor([0.0, 50.0]), hu, seeded())
    assert grain[0].abs().max() == 0
    assert grain[1].std() == pytest.approx(0.05, rel=0.05)
    dark = gamma(voxels, torch.tensor([1.0, 2.0]))
    assert (dark[1] <= voxels[1] + 1e-6).all()


def test_a_blur_is_as_wide_in_mm_along_every_axis() -> None:
    point = torch.zeros(1, 1, 21, 41, 41)
    point[0, 0, 10, 20, 20] = 1
    out: Tensor = blur(point, torch.tensor([4.0]), (2.0, 1.0, 1.0), 4.0)[0, 0]
    assert float(out.sum()) == pytest.approx(1.0, abs=1e-3)
    for axis, spacing in enumerate((2.0, 1.0, 1.0)):
        profile = out.sum(dim=[i for i in range(3) if i != axis])
        mm = (torch.arange(len(profile)) - len(profile) // 2) * spacing
        assert float((profile * mm**2).sum().sqrt()) == pytest.approx(4.0, rel=0.1)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"flip_chance 1\.5"):
        AugmentConfig(flip_chance=1.5)
    with pytest.raises(ValueError, match="below 0"):
        AugmentConfig(noise_hu=-1.0)
