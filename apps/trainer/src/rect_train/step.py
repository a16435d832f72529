"""One step of training: batches in, weights moved, what happened out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor

from rect_data.dataset import Batch
from rect_train.config import Task, TrainConfig
from rect_train.guard import Guard
from rect_train.optim import Average, set_rate
from rect_train.sharding import average_whole, clip, send_gradients
from rect_train.shares import Amount, Shares, shares_of, table
from rect_train.stack import Losses, Stack
from rect_train.world import World

Work = tuple[tuple[Task, ...], Batch]
"""Tasks, and the batch that they learn from."""

_PART_OF: Final[Mapping[Amount, str]] = {"hidden": "masking", "labels": "classifier", "masks": "localizer"}
"""Which component learns from what, beside the encoder."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A step that was taken or skipped, of all processes together. loss: weighted sum of the losses of each task;
    rate: the schedule's factor; case_ids: of this process; skipped: why, or ""."""

    loss: float
    losses: dict[str, float]
    gradient_norm: float
    rate: float
    case_ids: tuple[str, ...]
    skipped: str


@dataclass(kw_only=True)
class Stepper:
    """What a step needs besides its batches. total: steps of the run, which the schedule ends with; world: whose
    processes take each step together."""

    stack: Stack
    optimizer: torch.optim.Optimizer
    average: Average | None
    config: TrainConfig
    device: torch.device
    total: int
    world: World = field(default_factory=World)
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.guard = Guard(spike=self.config.optim.spike, most=self.config.optim.most_skips)

    def take(self, step: int, work: Sequence[Work]) -> Taken:
        """One step over `accumulate` batches of each feed. The same step, weights and batches give the same weights,
        however the batches are spread over processes."""
        rate = set_rate(self.optimizer, self.config.optim, step, self.total)
        shares = self._shares(step, work)
        last = last_turns(shares)
        found = []
        for turn, (tasks, batch) in enumerate(work):
            send_gradients(self.stack, [part for part, when in last.items() if when == turn])
            found.append(self._backward(batch, tasks, self._chance(step, turn, self.device), shares[turn]))
        average_whole(self.stack, self.world)
        norm = clip(self._trained(), self.config.optim.clip)
        losses = self._means(found)
        weights = self.config.loss.weights
        loss = sum(weights[name] * value for name, value in losses.items())
        skipped = self.guard.judge(loss, norm) if losses else "no case of it teaches a task"
        if not skipped:
            self.optimizer.step()
            if self.average:
                self.average.update(step)
        self.optimizer.zero_grad(set_to_none=True)
        return Taken(
            loss=loss,
            losses=losses,
            gradient_norm=norm,
            rate=rate,
            case_ids=tuple(case for _, batch in work for case in batch.case_ids),
            skipped=skipped,
        )

    def _shares(self, step: int, work: Sequence[Work]) -> list[dict[Amount, float]]:
        """What each batch has of all that the processes learn from in this step."""
        cpu = torch.device("cpu")
        amounts = [
            self.stack.amounts(batch, tasks, self._chance(step, turn, cpu)) for turn, (tasks, batch) in enumerate(work)
        ]
        mine = table(amounts)
        return shares_of(mine, self.world.total(mine), self.config.optim.accumulate * self.world.size)

    def _chance(self, step: int, turn: int, device: torch.device) -> torch.Generator:
        """The random numbers of a turn, the same on all processes."""
        key = np.random.SeedSequence([self.config.seed, step, turn]).generate_state(1)
        return torch.Generator(device).manual_seed(int(key[0]))

    def _backward(self, batch: Batch, tasks: tuple[Task, ...], chance: torch.Generator, shares: Shares) -> Losses:
        """Adds a batch's gradients and returns its losses."""
        batch = batch.to(self.device, non_blocking=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            found: Losses = self.stack(batch, tasks, chance, shares)
        if found:
            (self.stack.weigh(found) / self.config.optim.accumulate).backward()  # type: ignore[no-untyped-call]
        return {name: loss.detach() for name, loss in found.items()}

    def _means(self, found: Sequence[Losses]) -> dict[str, float]:
        """Each loss of the step: the mean over all batches of what their shares make of it."""
        names = sorted({name for losses in found for name in losses})
        if not names:
            return {}
        totals = [torch.stack([losses[name] for losses in found if name in losses]).sum() for name in names]
        means = self.world.mean(torch.stack(totals) / self.config.optim.accumulate)
        return dict(zip(names, means.tolist(), strict=True))

    def _trained(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]


def last_turns(shares: Sequence[Shares]) -> dict[str, int]:
    """Component -> the last turn of a step that it learns in: there its gradients are complete."""
    found: dict[str, int] = {}
    for turn, has in enumerate(shares):
        parts: Collection[str] = [part for amount, part in _PART_OF.items() if amount in has]
        found |= dict.fromkeys(["encoder", *parts] if parts else [], turn)
    return found
