"""The losses of a batch, what they are weighed with, and what the optimizer does to whom."""

import math
from dataclasses import replace

import pytest
import torch

from rect_data.dataset import Batch, StoreDataset, collate
from rect_train.config import LossConfig, OptimConfig, TrainConfig
from rect_train.masked import MaskedVolume, draw_hidden
from rect_train.optim import Average, make_optimizer, schedule
from rect_train.stack import Stack, make_stack
from rect_vlm.presets import Preset

TASKS = ("classification", "localization")


@pytest.fixture
def batch(config: TrainConfig) -> Batch:
    data = StoreDataset(config.data.store)
    return collate([data[0], data[1]])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_a_task_that_a_batch_cannot_teach_is_left_out(batch: Batch, sizes: Preset) -> None:
    stack = Stack(sizes, TASKS, LossConfig())
    assert set(stack(batch, TASKS, generator())) == {"classification", "localization", "restoration"}
    assert set(stack(batch, ("classification",), generator())) == {"classification"}
    blind = replace(batch, labels_known=torch.zeros_like(batch.labels_known))
    assert set(stack(blind, TASKS, generator())) == {"localization", "restoration"}
    bare = replace(blind, lesions_known=torch.zeros_like(batch.lesions_known))
    assert stack(bare, TASKS, generator()) == {}
    assert float(stack.weigh({})) == 0


def test_losses_are_weighed_and_learned_weights_begin_at_the_given_ones(sizes: Preset) -> None:
    losses = {"classification": torch.tensor(3.0), "localization": torch.tensor(5.0), "restoration": torch.tensor(7.0)}
    assert Stack(sizes, TASKS, LossConfig()).weigh(losses).item() == pytest.approx(3 + 2 * 5 + 0.1 * 7)
    stack = Stack(sizes, TASKS, LossConfig(uncertainty=True))
    assert stack.weigh(losses).item() == pytest.approx(3 + 2 * 5 + 0.1 * 7)
    stack.weigh(losses).backward()
    assert stack.log_variance.grad is not None
    assert stack.log_variance.grad.tolist() == [0.5 - 3, 0.5 - 10], "exp(-s) L + s / 2"


def test_recomputed_blocks_give_the_same_gradients_under_the_same_names(batch: Batch, config: TrainConfig) -> None:
    grads = []
    for recompute in (False, True):
        torch.manual_seed(0)
        stack = make_stack(replace(config, checkpointing=recompute))
        stack.weigh(stack(batch, TASKS, generator())).backward()
        grads.append({name: p.grad for name, p in stack.named_parameters() if p.grad is not None})
        assert set(stack.state_dict()) == set(make_stack(config).state_dict())
    assert grads[0].keys() == grads[1].keys()
    assert all(torch.equal(grads[0][name], grads[1][name]) for name in grads[0])


def test_a_frozen_encoder_gets_no_gradient_and_no_place_in_the_optimizer(batch: Batch, config: TrainConfig) -> None:
    stack = make_stack(replace(config, freeze_vision=True))
    stack.weigh(stack(batch, TASKS, generator())).backward()
    assert all(p.grad is None for p in stack.encoder.parameters())
    names = {group["name"].split()[0] for group in make_optimizer(stack, OptimConfig()).param_groups}
    assert names == {"classifier", "localizer"}


def test_hidden_patches_are_covered_and_only_they_count(batch: Batch, sizes: Preset) -> None:
    stack = Stack(sizes, ("masking",), LossConfig(mask_ratio=0.5))
    masking = stack.masking
    assert isinstance(masking, MaskedVolume)
    hidden = draw_hidden(2, sizes.encoder.patch_grid, 0.5, generator())
    assert hidden.sum((1, 2, 3)).tolist() == [4, 4], "half of 2 x 2 x 2 patches of each scan"
    covered = masking.hide(batch.voxels, hidden)
    assert torch.equal((covered != batch.voxels).any(), torch.tensor(True))
    block = covered[0, 0, :4, :8, :8]
    assert bool((block == 0).all()) == bool(hidden[0, 0, 0, 0])
    tokens = stack.tokens(batch, covered)
    before = masking.loss(tokens, batch.voxels, hidden)
    d, h, w = (int(i) for i in (~hidden[0]).nonzero()[0])
    other = batch.voxels.clone()
    other[0, 0, 4 * d : 4 * d + 4, 8 * h : 8 * h + 8, 8 * w : 8 * w + 8] = 9.0
    assert torch.equal(before, masking.loss(tokens, other, hidden)), "a visible patch is not asked for"
    with pytest.raises(ValueError, match="no hidden patch lies inside"):
        masking.loss(tokens, batch.voxels, torch.zeros_like(hidden))


def test_vectors_and_tokens_do_not_decay_and_parts_have_their_own_rate(sizes: Preset) -> None:
    stack = Stack(sizes, TASKS, LossConfig())
    groups = {g["name"]: g for g in make_optimizer(stack, OptimConfig(lr=1.0, encoder=0.5)).param_groups}
    assert groups["encoder"]["peak"] == 0.5
    assert groups["classifier"]["peak"] == 1.0
    assert groups["encoder"]["weight_decay"] == 0.05
    assert groups["encoder (no decay)"]["weight_decay"] == 0
    bare = {id(p) for p in groups["encoder (no decay)"]["params"]}
    assert {id(stack.encoder.region_tokens), id(stack.encoder.global_token), id(stack.encoder.norm.weight)} <= bare


def test_the_rate_rises_then_falls_to_the_floor() -> None:
    rates = [schedule(OptimConfig(warmup=0.1, floor=0.1), step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[55] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_the_average_follows_and_swaps_both_ways() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(layer.weight, 0.0)
    average = Average(layer, 0.5)
    torch.nn.init.constant_(layer.weight, 1.0)
    average.update(0)
    assert average.values["weight"].item() == pytest.approx(0.9), "at first it forgets fast: (1 + 0) / (10 + 0) stays"
    average.update(1000)
    assert average.values["weight"].item() == pytest.approx(0.95)
    average.swap()
    assert layer.weight.item() == pytest.approx(0.95)
    average.swap()
    assert layer.weight.item() == 1.0
    assert not math.isnan(average.values["weight"].item())
