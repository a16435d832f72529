"""The network: shapes, what may and may not change its logits, and that it learns."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rect_core.types import VisionTokens
from rect_localizer.config import BASE, SMALL, TINY, LocalizerConfig
from rect_localizer.denoiser import restoration_loss
from rect_localizer.loss import DOUBT, SPARE, SPURIOUS, outline_loss, outline_terms, soft_dice
from rect_localizer.model import Localizer
from rect_localizer.prompts import PromptTokens, corrupt
from rect_localizer.unet import Head, ImagePath, SharedDecoder, kernels

MakeTokens = Callable[..., VisionTokens]


@pytest.fixture
def model(config: LocalizerConfig) -> Localizer:
    return Localizer.untrained(config, seed=1)


@pytest.fixture
def voxels() -> Tensor:
    return torch.rand(1, 1, 8, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def prompts() -> PromptTokens:
    vectors = torch.randn(4, 5, 16, generator=torch.Generator().manual_seed(0))
    return PromptTokens(vectors, torch.arange(5) < torch.tensor([[5], [3], [1], [4]]))


def test_gives_one_logit_a_voxel_and_a_finding(model: Localizer, make_tokens: MakeTokens, voxels: Tensor) -> None:
    assert model(voxels, make_tokens()).shape == (1, 5, 8, 32, 32)
    assert model(voxels.expand(2, -1, -1, -1, -1), make_tokens(batch=2)).shape == (2, 5, 8, 32, 32)


def test_outlines_any_number_of_new_prompts(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor, prompts: PromptTokens
) -> None:
    assert model(voxels, make_tokens(), prompts).shape == (1, 4, 8, 32, 32)


def test_permuting_prompts_permutes_logits(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor, prompts: PromptTokens
) -> None:
    order = torch.tensor([2, 0, 3, 1])
    logits = model(voxels, make_tokens(), prompts)
    turned = model(voxels, make_tokens(), PromptTokens(prompts.vectors[order], prompts.mask[order]))
    torch.testing.assert_close(turned, logits[:, order], atol=1e-5, rtol=1e-5)
    assert (logits[:, 0] - logits[:, 1]).abs().mean() > 1e-3


def test_padding_of_a_prompt_changes_nothing(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor, prompts: PromptTokens
) -> None:
    junk = PromptTokens(torch.where(prompts.mask[..., None], prompts.vectors, 100.0), prompts.mask).of_length(9)
    logits = model(voxels, make_tokens(), prompts)
    torch.testing.assert_close(model(voxels, make_tokens(), junk), logits, atol=1e-5, rtol=1e-5)


def test_what_is_absent_or_padding_never_changes_a_logit(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor
) -> None:
    tokens = make_tokens()
    junk = dataclasses.replace(
        tokens,
        patches=torch.where(tokens.patch_present[..., None], tokens.patches, 1e3),
        regions=torch.where(tokens.region_present[..., None], tokens.regions, -1e3),
    )
    assert torch.equal(model(voxels, junk), model(voxels, tokens))


def test_patches_regions_voxels_and_words_all_matter(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor, prompts: PromptTokens
) -> None:
    tokens = make_tokens()
    logits = model(voxels, tokens, prompts)
    changed = [
        model(voxels, dataclasses.replace(tokens, patches=tokens.patches + 1), prompts),
        model(voxels, dataclasses.replace(tokens, regions=make_tokens(seed=5).regions), prompts),
        model(-voxels, tokens, prompts),
        model(voxels, tokens, PromptTokens(prompts.vectors.flip(1), prompts.mask.flip(1))),
    ]
    assert all((other - logits).abs().max() > 1e-4 for other in changed)


def test_the_denoiser_runs_once_with_all_asked_prompts_as_context(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor, prompts: PromptTokens
) -> None:
    sizes: list[torch.Size] = []
    model.denoiser.register_forward_hook(lambda _, __, restored: sizes.append(restored.shape))
    together = model(voxels, make_tokens(), prompts)
    assert sizes == [(1, 4, 5, 16)]
    fewer = model(voxels, make_tokens(), PromptTokens(prompts.vectors[:2], prompts.mask[:2]))
    assert (fewer - together[:, :2]).abs().max() > 1e-5


def test_image_skips_reach_the_decoder_at_every_level(config: LocalizerConfig) -> None:
    decoder = SharedDecoder(config)
    levels = [torch.randn(1, 8, 8, 32, 32), torch.randn(1, 16, 4, 16, 16), torch.randn(1, 24, 4, 8, 8)]
    finest = decoder(list(levels))[0]
    assert finest.shape == levels[0].shape
    for i, level in enumerate(levels):
        changed = [*levels[:i], torch.randn_like(level), *levels[i + 1 :]]
        assert (decoder(changed)[0] - finest).abs().max() > 1e-3


def test_a_closed_gate_shuts_out_what_counts_inside_a_finding_alone(config: LocalizerConfig) -> None:
    head, width = Head(config), config.channels[0]
    shared, words = torch.randn(1, width, 4, 8, 8), torch.randn(1, 2, 3, 16)

    def logits(gate: float) -> Tensor:
        coarse = torch.stack([torch.zeros(1, 2, 2, 4, 4), torch.full((1, 2, 2, 4, 4), gate)], 2)
        return head(shared, coarse, words, torch.ones(2, 3, dtype=torch.bool))

    closed, opened = logits(-100.0), logits(100.0)
    with torch.no_grad():
        head.weigh.weight[width:] += 1.0
    assert torch.equal(logits(-100.0), closed)
    assert (logits(100.0) - opened).abs().max() > 0.1


def test_scans_of_a_batch_do_not_mix(model: Localizer, make_tokens: MakeTokens, voxels: Tensor) -> None:
    one, two = make_tokens(seed=1), make_tokens(seed=2)
    names = ("patches", "regions", "region_present", "patch_present", "pooled", "centres_mm")
    both = dataclasses.replace(one, **{n: torch.cat([getattr(one, n), getattr(two, n)]) for n in names})
    apart = torch.cat([model(voxels, one), model(-voxels, two)])
    torch.testing.assert_close(model(torch.cat([voxels, -voxels]), both), apart, atol=1e-4, rtol=1e-4)


def test_channels_last_gives_the_same(model: Localizer, make_tokens: MakeTokens, voxels: Tensor) -> None:
    logits = model(voxels, make_tokens())
    last = model.to(memory_format=torch.channels_last_3d)(voxels, make_tokens())
    torch.testing.assert_close(last, logits, atol=1e-4, rtol=1e-4)


def test_bfloat16_weights_outline_nearly_the_same(model: Localizer, make_tokens: MakeTokens, voxels: Tensor) -> None:
    exact = model(voxels, make_tokens())
    assert (model.to(torch.bfloat16)(voxels, make_tokens()).float() - exact).abs().mean() < 0.05


def test_tokens_of_another_encoder_are_refused(
    config: LocalizerConfig, make_tokens: MakeTokens, voxels: Tensor
) -> None:
    model = Localizer.untrained(dataclasses.replace(config, encoder_fingerprint="b" * 64))
    with pytest.raises(
        ValueError, match="tokens come from encoder aaaaaaaaaaaa but the head was trained on bbbbbbbbbbbb"
    ):
        model(voxels, make_tokens())


def test_tokens_voxels_or_prompts_of_another_size_are_refused(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor
) -> None:
    tokens = make_tokens()
    with pytest.raises(ValueError, match=r"cover \(8, 32, 32\) voxels but the scan has \(8, 32, 16\)"):
        model(voxels[..., :16], tokens)
    with pytest.raises(ValueError, match="tokens are 12 wide but the localizer reads 24"):
        model(
            voxels,
            dataclasses.replace(tokens, **{n: getattr(tokens, n)[..., :12] for n in ("patches", "regions", "pooled")}),
        )
    with pytest.raises(ValueError, match="prompts are 8 wide but the localizer reads 16"):
        model(voxels, tokens, PromptTokens(torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.bool)))


def test_untrained_weights_and_prompts_come_from_the_seed(config: LocalizerConfig) -> None:
    one, same, other = (Localizer.untrained(config, seed=seed) for seed in (1, 1, 2))
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert not torch.equal(one.prompt_vectors, other.prompt_vectors)


def test_an_untrained_network_outlines_nothing(model: Localizer, make_tokens: MakeTokens, voxels: Tensor) -> None:
    prob = torch.sigmoid(model(voxels, make_tokens()))
    assert 0.001 < prob.mean() < 0.05
    assert prob.max() < 0.5


def test_every_weight_learns(model: Localizer, make_tokens: MakeTokens, voxels: Tensor) -> None:
    noisy, damaged = corrupt(model.stored, generator=torch.Generator().manual_seed(0))
    out = model.train().outline(voxels, make_tokens(), noisy)
    masks = (torch.rand(out.logits.shape, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    loss = outline_loss(out.logits, masks, torch.ones(1, 5, dtype=torch.bool))
    (loss + restoration_loss(out.restored, model.stored, damaged)).backward()
    still = [n for n, p in model.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert still == []


def test_learns_which_of_two_equally_bright_lesions_each_finding_means(
    config: LocalizerConfig, make_tokens: MakeTokens
) -> None:
    torch.manual_seed(0)
    model = Localizer.untrained(dataclasses.replace(config, findings=("one", "other"))).train()
    z, y, x = torch.meshgrid(torch.arange(8), torch.arange(32), torch.arange(32), indexing="ij")
    masks = torch.stack(
        [
            (z - 3) ** 2 * 4 + (y - 10) ** 2 + (x - 12) ** 2 < 36,
            (z - 5) ** 2 * 4 + (y - 22) ** 2 + (x - 20) ** 2 < 16,
        ]
    )[None].float()
    voxels = 0.3 * torch.randn(1, 1, 8, 32, 32) + 0.6 * masks.sum(1, keepdim=True)
    tokens, known = make_tokens(), torch.ones(1, 2, dtype=torch.bool)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(35):
        optimizer.zero_grad()
        outline_loss(model(voxels, tokens), masks, known).backward()
        optimizer.step()
    found = (model(voxels, tokens) > 0).float()
    assert soft_dice(found[0], masks[0]).min() > 0.8


def test_learns_to_restore_damaged_words(config: LocalizerConfig, make_tokens: MakeTokens) -> None:
    sizes = {"findings": ("a", "b"), "denoiser_width": 48, "denoiser_heads": 4}
    model = Localizer.untrained(dataclasses.replace(config, **sizes)).train()  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(model.denoiser.parameters(), lr=6e-3)
    tokens, g = make_tokens(), torch.Generator().manual_seed(0)

    def step() -> float:
        noisy, damaged = corrupt(model.stored, generator=g)
        loss = restoration_loss(model.denoiser(noisy, tokens), model.stored, damaged)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step() for _ in range(300)]
    assert sum(losses[-20:]) < 0.65 * sum(losses[:20])


def test_saved_and_loaded_it_outlines_the_same(
    model: Localizer, make_tokens: MakeTokens, voxels: Tensor, tmp_path: Path
) -> None:
    model.save_pretrained(tmp_path / "localizer", weights_status="untrained")
    loaded = Localizer.from_pretrained(tmp_path / "localizer")
    assert loaded.config == model.config
    assert loaded.fingerprint == model.fingerprint
    assert torch.equal(loaded(voxels, make_tokens()), model(voxels, make_tokens()))


def test_stored_prompts_are_padded_and_change_the_weights(
    config: LocalizerConfig, make_tokens: MakeTokens, voxels: Tensor, prompts: PromptTokens
) -> None:
    model = Localizer.untrained(dataclasses.replace(config, findings=("a", "b", "c", "d")))
    before, logits = model.fingerprint, model(voxels, make_tokens(), prompts)
    model.store_prompts(prompts)
    assert model.fingerprint != before
    torch.testing.assert_close(model(voxels, make_tokens()), logits, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="more than the 6 tokens"):
        model.store_prompts(PromptTokens(torch.randn(4, 7, 16), torch.ones(4, 7, dtype=torch.bool)))
    with pytest.raises(ValueError, match=r"prompts have shape \(2, 6, 16\) but the head stores \(4, 6, 16\)"):
        model.store_prompts(PromptTokens(torch.randn(2, 6, 16), torch.ones(2, 6, dtype=torch.bool)))


def test_corruption_damages_its_share_of_the_words_and_no_padding() -> None:
    mask = torch.arange(40)[None].expand(50, -1) < 30
    clean = PromptTokens(torch.randn(50, 40, 16), mask)
    noisy, damaged = corrupt(clean, rate=0.4, noise=0.0, generator=torch.Generator().manual_seed(0))
    assert damaged[mask].float().mean() == pytest.approx(0.4, abs=0.05)
    assert not damaged[~mask].any()
    torch.testing.assert_close(noisy.vectors[~damaged & mask], clean.normed[~damaged & mask])
    blank = (noisy.vectors == 0).all(-1)
    assert blank[damaged].float().mean() == pytest.approx(0.5, abs=0.1)
    again, _ = corrupt(clean, rate=0.4, noise=0.0, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again.vectors, noisy.vectors)


def test_a_damaged_word_counts_four_times_and_padding_nothing(prompts: PromptTokens) -> None:
    clean = prompts.normed[None]
    damaged = torch.zeros_like(prompts.mask)
    damaged[0, 0] = True
    off = {"damaged": torch.zeros_like(clean), "kept": torch.zeros_like(clean), "padding": torch.zeros_like(clean)}
    off["damaged"][0, 0, 0], off["kept"][0, 0, 1], off["padding"][0, 2, 4] = 1.0, 1.0, 1.0
    loss = {name: restoration_loss(clean + error, prompts, damaged).item() for name, error in off.items()}
    words = prompts.mask.sum().item() + 3
    assert loss == pytest.approx({"damaged": 4 / words, "kept": 1 / words, "padding": 0.0})


def test_a_prompt_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no words"):
        PromptTokens(torch.randn(2, 3, 4), torch.tensor([[True, True, False], [False] * 3]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_has_the_gradient_of_its_formula_and_leaves_what_it_is_given_alone(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    logits, masks = torch.randn(2, 3, 4, 5, 6).to(dtype), (torch.rand(2, 3, 4, 5, 6) > 0.5).float()
    masks[:, 2] = 0
    given = logits.clone().requires_grad_(), masks.clone()
    outline_loss(*given, torch.ones(2, 3, dtype=torch.bool)).backward()
    assert torch.equal(given[0], logits)
    assert torch.equal(given[1], masks)
    exact = logits.float().requires_grad_()
    prob = exact.sigmoid()
    dice = soft_dice(prob[:, :2].flatten(0, 1), masks[:, :2].flatten(0, 1))
    spare = SPARE * 4 * 5 * 6
    over = (prob[:, 2].flatten(1) - DOUBT).clamp(min=0) / (1 - DOUBT)
    spurious = 1 - spare / (spare + over.square().sum(1))
    (F.binary_cross_entropy_with_logits(exact, masks) + (1 - dice).mean() + SPURIOUS * spurious.mean()).backward()
    assert given[0].grad is not None
    assert exact.grad is not None
    torch.testing.assert_close(
        given[0].grad.float(), exact.grad, rtol=0.01 if dtype == torch.bfloat16 else 1e-4, atol=1e-6
    )


def test_masks_that_nobody_drew_teach_nothing() -> None:
    logits = torch.zeros(1, 2, 2, 3, 3, requires_grad=True)
    masks = torch.ones(1, 2, 2, 3, 3)
    outline_loss(logits, masks, torch.tensor([[True, False]])).backward()
    assert logits.grad is not None
    assert (logits.grad[:, 0] != 0).all()
    assert (logits.grad[:, 1] == 0).all()
    with pytest.raises(ValueError, match="none of the 2 masks"):
        outline_loss(logits, masks, torch.zeros(1, 2, dtype=torch.bool))


def test_an_outline_of_nothing_costs_a_share_of_a_missed_one_and_none_of_it_costs_nothing() -> None:
    known = torch.ones(1, 1, dtype=torch.bool)
    empty, lesion = torch.zeros(1, 1, 20, 20, 20), torch.zeros(1, 1, 20, 20, 20)
    lesion[..., 5:9, 5:9, 5:9] = 1
    outlined, nothing = 40 * lesion - 20, torch.full_like(lesion, -20)
    assert outline_loss(nothing, empty, known) < 1e-6
    assert outline_loss(outlined, lesion, known) < 1e-6
    false, missed = outline_terms(outlined, empty, known).spurious, outline_terms(nothing, lesion, known).overlap
    assert false is not None
    assert missed is not None
    assert false.item() == pytest.approx(missed.item(), rel=0.02)
    entropy = outline_terms(outlined, empty, known).entropy.item()
    assert outline_loss(outlined, empty, known) == pytest.approx(entropy + SPURIOUS * false.item())
    speck = torch.full_like(lesion, -20)
    speck[..., 0, 0, 0] = 20
    assert 0.1 < outline_terms(speck, empty, known).spurious < outline_terms(outlined, empty, known).spurious  # type: ignore[operator]


def test_a_doubt_about_an_empty_mask_is_no_outline() -> None:
    known, empty = torch.ones(1, 1, dtype=torch.bool), torch.zeros(1, 1, 4, 5, 6)
    doubt = torch.full((1, 1, 4, 5, 6), math.log(DOUBT / (1 - DOUBT)) - 1e-3)
    assert outline_terms(doubt, empty, known).spurious == 0


@pytest.mark.parametrize("config", [TINY, SMALL, BASE])
def test_presets_build_and_their_levels_lead_from_the_grid_to_the_patches(config: LocalizerConfig) -> None:
    with torch.device("meta"):
        Localizer(config)
    total = [math.prod(step[axis] for step in config.steps) for axis in range(3)]
    assert tuple(total) == config.patch
    assert len(kernels(config)) == len(config.channels)


def test_base_has_about_45_million_weights() -> None:
    with torch.device("meta"):
        model = Localizer(BASE)
    assert 44e6 < sum(p.numel() for p in model.parameters()) < 46e6


def test_kernels_are_flat_while_slices_are_thick() -> None:
    assert kernels(BASE) == [(1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)]
    assert kernels(TINY) == [(1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3)]


@pytest.mark.parametrize("config", [TINY, BASE])
def test_a_step_that_halves_the_plane_alone_looks_at_one_slice(config: LocalizerConfig) -> None:
    with torch.device("meta"):
        steps = [down[0][0].kernel_size for down in ImagePath(config).down]
    assert steps == [(1, 3, 3), (1, 3, 3), (3, 3, 3), (3, 3, 3)]


def test_nothing_is_convolved_at_full_size_on_the_way_up_where_that_is_not_wanted() -> None:
    with torch.device("meta"):
        refined, plain = (SharedDecoder(dataclasses.replace(TINY, refine=refine)) for refine in (True, False))
    at_full = {name for name, _ in refined.named_parameters() if name.startswith("mix.0.")}
    assert at_full
    assert {name for name, _ in plain.named_parameters()} == {name for name, _ in refined.named_parameters()} - at_full


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"patch": (4, 12, 12)}, "powers of two"),
        ({"patch": (4, 16, 8)}, "square in-plane"),
        ({"channels": (16, 32)}, "needs 5 channels"),
        ({"channels": (16, 32, 64, 100, 256)}, r"channels \[100\] are not multiples of groups 8"),
        ({"gated": 5}, r"gated 5 must lie in 1\.\.4"),
        ({"denoiser_width": 100}, "denoiser_width 100"),
        ({"findings": ("a", "a")}, "different names"),
        ({"groups": 0}, "groups is 0: give at least 1"),
        ({"repeats": -1}, "repeats is -1: give 0 or more"),
        ({"denoiser_heads": 0}, "denoiser_heads is 0: give at least 1"),
        ({"text_length": 0}, "text_length is 0: give at least 1"),
        ({"channels": (8, 16, 0, 64, 64)}, r"channels \(8, 16, 0, 64, 64\): give at least 1"),
    ],
)
def test_a_config_that_cannot_work_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LocalizerConfig(**wrong)  # type: ignore[arg-type]
