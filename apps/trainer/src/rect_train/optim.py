"""AdamW with a learning rate for each component, its schedule, and averaged weights."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from rect_train.config import OptimConfig


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW over what can be trained: a group for each component, once with and once without weight decay.

    Vectors (biases, norms, scales) and learned tokens do not decay. `lr` of a group is its highest learning rate times
    the schedule; the highest stands in `peak`. What is sharded over processes and what is whole do not share a group.
    """
    groups: dict[tuple[str, bool, bool], list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            part = name.partition(".")[0]
            decays = parameter.ndim > 1 and not name.endswith(("token", "tokens", "cover"))
            groups.setdefault((part, decays, isinstance(parameter, DTensor)), []).append(parameter)
    if not groups:
        raise ValueError("nothing is left to train: every parameter is frozen")
    optimizer = torch.optim.AdamW(
        [
            {
                "params": parameters,
                "name": f"{part}{'' if decays else ' (no decay)'}",
                "peak": config.lr * _factor(part, config),
                "weight_decay": config.weight_decay if decays else 0.0,
            }
            for (part, decays, _sharded), parameters in groups.items()
        ],
        lr=config.lr,
        betas=config.betas,
    )
    _begin(optimizer)
    return optimizer


def _begin(optimizer: torch.optim.Optimizer) -> None:
    """Moments from the start, as AdamW would make them at the first gradient: a parameter that never gets one (phase 0
    does not use the pooled token) has the same place in every checkpoint."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            zeros = torch.zeros_like(parameter, memory_format=torch.preserve_format)
            optimizer.state[parameter] = {"step": torch.tensor(0.0), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}


def set_rate(optimizer: torch.optim.Optimizer, config: OptimConfig, step: int, total: int) -> float:
    """Sets every group's learning rate for a step (counted from 0) and returns the schedule's factor."""
    factor = schedule(config, step, total)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    return factor


def schedule(config: OptimConfig, step: int, total: int) -> float:
    """Rises linearly over the warm-up, then falls as a cosine to `floor`."""
    warmup = max(1, round(config.warmup * total))
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(1, total - warmup)
    return config.floor + (1 - config.floor) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class Average:
    """Exponential moving average of what is trained: what is validated and exported.

    Its decay starts low and rises to `decay`, so that the first weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = model, decay
        self.restart()

    def restart(self) -> None:
        """Begins at the weights as they are now."""
        self.values = {name: value.detach().clone() for name, value in _trained(self.model)}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Moves towards the weights after a step, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in _trained(self.model):
            self.values[name].lerp_(value.detach(), 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges the averaged weights and those in training; twice is nothing."""
        for name, value in _trained(self.model):
            kept = value.detach().clone()
            value.copy_(self.values[name])
            self.values[name] = kept


def _trained(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    return ((name, value) for name, value in model.named_parameters() if value.requires_grad)


def _factor(part: str, config: OptimConfig) -> float:
    factors = {"encoder": config.encoder, "classifier": config.classifier, "localizer": config.localizer}
    return factors.get(part, 1.0)
