"""The encoder as a whole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rect_core.preprocess import GridConfig
from rect_core.types import VisionTokens
from rect_encoder import EncoderConfig, VisionEncoder

Make = Callable[..., tuple[Tensor, Tensor, Tensor]]


def changed(one: VisionTokens, other: VisionTokens) -> Tensor:
    """Which patches of the first scan differ at all, as (gd, gh, gw)."""
    return (one.patches != other.patches)[0].any(-1).unflatten(0, one.grid)


def test_tokens_have_the_shapes_that_heads_expect(encoder: VisionEncoder, scan: Make) -> None:
    tokens = encoder(*scan())
    assert tokens.patches.shape == (1, 64, 16)
    assert tokens.regions.shape == (1, 20, 16)
    assert tokens.pooled.shape == (1, 16)
    assert tokens.grid == (4, 4, 4)
    assert tokens.centres_mm.shape == (1, 64, 3)
    assert [r + 1 for r in tokens.region_present[0].nonzero().flatten().tolist()] == [1, 2, 5, 8, 9, 20]
    assert tokens.patch_present.unflatten(1, tokens.grid).nonzero().amin(0).tolist() == [0, 1, 0, 1]
    assert tokens.patch_present.unflatten(1, tokens.grid).nonzero().amax(0).tolist() == [0, 3, 2, 3]
    assert all(x.isfinite().all() for x in (tokens.patches, tokens.regions, tokens.pooled))


def test_one_layer_carries_a_lesion_to_its_neighbour_slices_and_its_regions(config: EncoderConfig, scan: Make) -> None:
    encoder = VisionEncoder.untrained(replace(config, depth=1))
    voxels, regions, valid = scan()
    regions[:, 6:, 4:8, 8:12] = 9
    lesion = voxels.clone()  # as dense as what was there, so that only attention can tell of it
    lesion[:, :, 6:, 4:8, 8:12] = voxels[:, :, 6:, 4:8, 8:12].flip(-1)
    before, after = encoder(voxels, regions, valid), encoder(lesion, regions, valid)
    assert changed(before, after).flatten(1).any(1).tolist() == [False, False, True, True]
    assert changed(before, after)[2:].all()
    assert (before.regions != after.regions)[0].any(-1).nonzero().flatten().tolist() == [8]
    assert (before.pooled != after.pooled).any()


def test_a_denser_region_is_told_to_its_patches_in_one_layer(config: EncoderConfig, scan: Make) -> None:
    encoder = VisionEncoder.untrained(replace(config, depth=1))
    voxels, regions, valid = scan(valid=((0, 8), (0, 16), (0, 16)))
    regions[:] = 9
    dense = voxels.clone()
    dense[:, :, 6:] += 0.5
    assert changed(encoder(voxels, regions, valid), encoder(dense, regions, valid)).all()


def test_a_standardized_region_says_what_is_unusual_of_it_and_an_absent_one_nothing(encoder: VisionEncoder) -> None:
    d, h, w = encoder.config.grid.shape
    voxels = torch.rand(16, 1, d, h, w) * 2 - 1
    regions = torch.zeros(16, d, h, w, dtype=torch.uint8)
    regions[:, :, : h // 2], regions[:3, :, h // 2 :] = 4, 5
    encoder.standardize(voxels, regions)
    assert encoder.region_mean[3].any()
    assert not encoder.region_mean[4].any(), "three scans do not say what is usual"
    valid = torch.tensor([[0, d], [0, h], [0, w]]).repeat(16, 1, 1)
    usual = encoder(voxels, regions, valid).regions
    odd = voxels.clone()
    odd[0, :, :, : h // 2] = 1.0
    told = (encoder(odd, regions, valid).regions - usual).abs()
    assert told[0, 3].max() > 0.05
    assert told[1:].max() < 1e-5
    assert usual[3:, 4].std(0).max() < 1e-6, "the token of an absent region is a constant of the weights"


def test_two_layers_carry_a_lesion_everywhere_through_the_summary_tokens(encoder: VisionEncoder, scan: Make) -> None:
    voxels, regions, valid = scan(valid=((0, 8), (0, 16), (0, 16)))
    lesion = voxels.clone()
    lesion[:, :, 6:] += 0.5
    assert changed(encoder(voxels, regions, valid), encoder(lesion, regions, valid)).all()


def test_a_full_layer_carries_a_lesion_everywhere_at_once(config: EncoderConfig, scan: Make) -> None:
    encoder = VisionEncoder.untrained(replace(config, depth=1, full_layers=(0,)))
    voxels, regions, valid = scan(valid=((0, 8), (0, 16), (0, 16)))
    lesion = voxels.clone()
    lesion[:, :, 6:] += 0.5
    assert changed(encoder(voxels, regions, valid), encoder(lesion, regions, valid)).all()


def test_nothing_reads_padding(encoder: VisionEncoder, scan: Make) -> None:
    voxels, regions, valid = scan()
    noisy = voxels.clone()
    noisy[:, :, :2] = 0.7
    before, after = encoder(voxels, regions, valid), encoder(noisy, regions, valid)
    present = before.patch_present[0]
    assert torch.equal(before.patches[0, present], after.patches[0, present])
    assert torch.equal(before.regions, after.regions)
    assert torch.equal(before.pooled, after.pooled)


def test_the_token_of_an_absent_region_is_the_same_for_every_scan(encoder: VisionEncoder, scan: Make) -> None:
    one, other = encoder(*scan(0)), encoder(*scan(1))
    absent = ~one.region_present[0]
    assert absent.sum() == 14
    torch.testing.assert_close(one.regions[0, absent], other.regions[0, absent])
    assert (one.regions[0, ~absent] - other.regions[0, ~absent]).abs().amax(-1).min() > 1e-4


def test_a_region_token_knows_the_size_of_its_region(encoder: VisionEncoder, scan: Make) -> None:
    voxels, regions, valid = scan()
    flat = torch.zeros_like(voxels)
    heart = regions.clone()
    heart[regions == 9] = 8
    one, other = encoder(flat, regions, valid), encoder(flat, heart, valid)
    assert (one.regions[0, 7] - other.regions[0, 7]).abs().max() > 1e-4


def test_a_batch_of_two_equals_two_singles(config: EncoderConfig, scan: Make) -> None:
    encoder = VisionEncoder.untrained(replace(config, full_layers=(1,)))
    one, other = scan(0), scan(1, valid=((0, 7), (3, 16), (0, 16)))
    both = encoder(*(torch.cat(pair) for pair in zip(one, other, strict=True)))
    for i, single in enumerate((encoder(*one), encoder(*other))):
        for name in ("patches", "regions", "pooled", "region_present", "patch_present", "centres_mm"):
            torch.testing.assert_close(getattr(both, name)[i], getattr(single, name)[0], rtol=1e-5, atol=1e-6)


def test_the_same_scan_gives_the_same_tokens_bit_for_bit(encoder: VisionEncoder, scan: Make) -> None:
    one, other = encoder(*scan()), VisionEncoder.untrained(encoder.config)(*scan())
    assert torch.equal(one.patches, other.patches)
    assert torch.equal(one.pooled, other.pooled)
    assert one.fingerprint == other.fingerprint == encoder.fingerprint


def test_a_mirrored_scan_gives_other_tokens(encoder: VisionEncoder, scan: Make) -> None:
    valid = ((0, 8), (0, 16), (0, 16))
    voxels, regions, ranges = scan(valid=valid)
    straight, mirrored = encoder(voxels, regions, ranges), encoder(voxels.flip(-1), regions.flip(-1), ranges)
    tolerance = 1e-3 * straight.pooled.abs().max()
    assert (straight.pooled - mirrored.pooled).abs().max() > 10 * tolerance


def test_gradients_reach_every_parameter(config: EncoderConfig, scan: Make) -> None:
    encoder = VisionEncoder.untrained(replace(config, full_layers=(1,))).train()
    tokens = encoder(*scan())
    (tokens.patches.square().sum() + tokens.regions.square().sum() + tokens.pooled.square().sum()).backward()
    idle = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_training_mode_claims_no_fingerprint(encoder: VisionEncoder, scan: Make) -> None:
    assert encoder.train()(*scan()).fingerprint == ""


def test_bfloat16_stays_close_to_float32(encoder: VisionEncoder, scan: Make) -> None:
    full, name = encoder(*scan()), encoder.fingerprint
    half = encoder.to(torch.bfloat16)(*scan())
    assert half.pooled.dtype == torch.bfloat16
    assert half.fingerprint == name
    for exact, rounded in ((full.patches, half.patches), (full.regions, half.regions), (full.pooled, half.pooled)):
        assert (exact - rounded.float()).norm() < 0.03 * exact.norm()


def test_saved_and_loaded_it_gives_identical_tokens(config: EncoderConfig, scan: Make, tmp_path: Path) -> None:
    encoder = VisionEncoder.untrained(replace(config, full_layers=(0,)), seed=5)
    encoder.save_pretrained(tmp_path / "encoder", weights_status="untrained")
    loaded = VisionEncoder.from_pretrained(tmp_path / "encoder")
    assert loaded.config == encoder.config
    one, other = encoder(*scan()), loaded(*scan())
    assert one.fingerprint == other.fingerprint
    for name in ("patches", "regions", "pooled"):
        # Tensors read from a file lie at other addresses, which may change the last bit of a matrix product.
        torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-6)


def test_its_state_dict_is_strict(encoder: VisionEncoder) -> None:
    state = encoder.state_dict()
    VisionEncoder(encoder.config).load_state_dict(state, strict=True)
    state.pop("blocks.0.attention.distance_bias")
    with pytest.raises(RuntimeError, match="distance_bias"):
        VisionEncoder(encoder.config).load_state_dict(state, strict=True)


def test_another_grid_needs_no_other_weights(encoder: VisionEncoder, scan: Make) -> None:
    grid = GridConfig(shape=(16, 32, 32), spacing_mm=(10.0, 8.0, 8.0))
    finer = encoder.on_grid(grid)
    voxels, regions, valid = scan(valid=((0, 8), (0, 16), (0, 16)))
    tokens = finer(
        *(x.repeat_interleave(2, -3).repeat_interleave(2, -2).repeat_interleave(2, -1) for x in (voxels, regions)),
        valid * 2,
    )
    assert tokens.grid == (8, 8, 8)
    assert tokens.fingerprint == encoder.fingerprint
    assert finer.global_token.data_ptr() == encoder.global_token.data_ptr()
    torch.testing.assert_close(tokens.centres_mm.amax(1) + 10, torch.tensor([[80.0, 122.0, 122.0]]))


def test_voxels_of_another_grid_are_refused(encoder: VisionEncoder) -> None:
    voxels, regions = torch.zeros(1, 1, 8, 16, 12), torch.zeros(1, 8, 16, 12, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"voxels are \(8, 16, 12\) but this encoder's grid is \(8, 16, 16\)"):
        encoder(voxels, regions, torch.tensor([[(0, 8), (0, 16), (0, 12)]]))


def test_a_scan_of_nothing_but_padding_gives_no_nan(encoder: VisionEncoder, scan: Make) -> None:
    tokens: Any = encoder(*scan(valid=((0, 0), (0, 16), (0, 16))))
    assert not tokens.patch_present.any()
    assert not tokens.region_present.any()
    assert all(x.isfinite().all() for x in (tokens.patches, tokens.regions, tokens.pooled))
