"""One step of training: batches in, weights moved, what happened out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from rect_data.dataset import Batch
from rect_train.config import Task, TrainConfig
from rect_train.guard import Guard
from rect_train.optim import Average, set_rate
from rect_train.stack import Losses, Stack

Work = tuple[tuple[Task, ...], Batch]
"""Tasks, and the batch that they learn from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """A step that was taken or skipped. loss: weighted sum of the losses of each task; rate: the schedule's factor;
    skipped: why, or ""."""

    loss: float
    losses: dict[str, float]
    gradient_norm: float
    rate: float
    case_ids: tuple[str, ...]
    skipped: str


@dataclass(kw_only=True)
class Stepper:
    """What a step needs besides its batches. total: steps of the run, which the schedule ends with."""

    stack: Stack
    optimizer: torch.optim.Optimizer
    average: Average | None
    config: TrainConfig
    device: torch.device
    total: int
    guard: Guard = field(init=False)

    def __post_init__(self) -> None:
        self.guard = Guard(spike=self.config.optim.spike, most=self.config.optim.most_skips)

    def take(self, step: int, work: Sequence[Work]) -> Taken:
        """One step over `accumulate` batches of each feed. The same step, weights and batches give the same weights."""
        rate = set_rate(self.optimizer, self.config.optim, step, self.total)
        found = [self._backward(step, turn, tasks, batch) for turn, (tasks, batch) in enumerate(work)]
        norm = float(torch.nn.utils.clip_grad_norm_(self._trained(), self.config.optim.clip))
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

    def _backward(self, step: int, turn: int, tasks: tuple[Task, ...], batch: Batch) -> Losses:
        """Adds a batch's gradients and returns its losses."""
        batch = batch.to(self.device, non_blocking=True)
        key = np.random.SeedSequence([self.config.seed, step, turn]).generate_state(1)
        generator = torch.Generator(self.device).manual_seed(int(key[0]))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            found: Losses = self.stack(batch, tasks, generator)
        if found:
            (self.stack.weigh(found) / self.config.optim.accumulate).backward()  # type: ignore[no-untyped-call]
        return {name: loss.detach() for name, loss in found.items()}

    def _means(self, found: Sequence[Losses]) -> dict[str, float]:
        """Each loss, averaged over the batches that had it."""
        names = sorted({name for losses in found for name in losses})
        values = {name: [losses[name] for losses in found if name in losses] for name in names}
        return {name: float(torch.stack(each).mean()) for name, each in values.items()}

    def _trained(self) -> list[Tensor]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
