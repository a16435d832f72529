"""One training step on tensors without memory: what it would hold at its fullest, and what it would compute."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from rect_core.findings import LABELS, LOCALIZED
from rect_data.dataset import Batch, Draw
from rect_train.config import Task, TrainConfig
from rect_train.optim import Average, make_optimizer
from rect_train.plan.stages import Stages
from rect_train.plan.tally import Tally, flop_counter
from rect_train.stack import Stack, make_stack
from rect_train.step import Stepper

WEIGHTS: Final = "weights"
GRADIENTS: Final = "gradients"
MOMENTS: Final = "AdamW moments"
AVERAGE: Final = "averaged weights"
BATCH: Final = "batch"
BACKWARD: Final = "backward pass"
STEP: Final = "optimizer step"


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """memory: bytes at the fullest moment of a step, by what they are for; flops: of a batch of each feed, by part."""

    memory: dict[str, int]
    flops: dict[str, int]


def trace(config: TrainConfig) -> Trace:
    """A step of a run as `Stepper` takes it on one device, with every label and mask known. Loads and allocates
    nothing.

    Where gradients accumulate, they are there from the start.
    """
    with torch.device("meta"):
        drawn = make_stack(config)  # drawing weights asks for values again and again, which only meta never does
    tally, counter = Tally(), flop_counter()
    with FakeTensorMode(allow_non_fake_inputs=True), counter, tally:
        stepper = _stepper(drawn, config, tally)
        tally.now = BATCH
        work = [(tasks, blank_batch(config)) for tasks in feeds(config)]
        counts = _Counts(tally, counter.get_total_flops)
        counts.follow(stepper.stack)
        stepper.take(0, work)
        counts.turn(STEP)
    return Trace(
        memory={name: size for name, size in tally.peak.items() if size},
        flops={part: count for part, count in counts.flops.items() if count},
    )


def feeds(config: TrainConfig) -> tuple[tuple[Task, ...], ...]:
    """The tasks of each feed of a run (`rect_train.feed.make_feeds`)."""
    return (config.asked,) if config.data.batches == "shared" else tuple((task,) for task in config.asked)


def blank_batch(config: TrainConfig) -> Batch:
    """A batch of the config's size in which everything is known and everything empty."""
    size, grid = config.batch_size, config.sizes.encoder.grid
    shape = grid.shape
    return Batch(
        case_ids=tuple(f"case{i}" for i in range(size)),
        draws=(Draw(0),) * size,
        voxels=torch.zeros(size, 1, *shape),
        regions=torch.zeros(size, *shape, dtype=torch.uint8),
        regions_true=torch.zeros(size, dtype=torch.bool),
        lesions=torch.ones(size, len(LOCALIZED), *shape, dtype=torch.uint8),
        lesions_known=torch.ones(size, len(LOCALIZED), dtype=torch.bool),
        lesions_partial=torch.zeros(size, len(LOCALIZED), dtype=torch.bool),
        labels=torch.zeros(size, len(LABELS)),
        labels_known=torch.ones(size, len(LABELS), dtype=torch.bool),
        reports=("",) * size,
        has_report=torch.zeros(size, dtype=torch.bool),
        reasoning=(None,) * size,
        has_reasoning=torch.zeros(size, dtype=torch.bool),
        valid=torch.tensor([[0, n] for n in shape]).repeat(size, 1, 1),
        repeated=torch.zeros(size, dtype=torch.bool),
        spacing_mm=grid.spacing_mm,
        hu_range=grid.hu_range,
    )


def _stepper(drawn: Stack, config: TrainConfig, tally: Tally) -> Stepper:
    tally.now = WEIGHTS
    stack = drawn.to_empty(device="cpu").train()
    tally.now = MOMENTS
    optimizer = make_optimizer(stack, config.optim)
    tally.now = AVERAGE
    average = Average(stack, config.optim.ema) if config.optim.ema else None
    if config.optim.accumulate > 1:
        tally.now = GRADIENTS
        for parameter in stack.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.zeros_like(parameter)
    device = torch.device("cpu")
    return Stepper(stack=stack, optimizer=optimizer, average=average, config=config, device=device, total=2)


class _Counts:
    """What each part allocates and computes, told by a tally and a counter which part is at work."""

    def __init__(self, tally: Tally, total: Callable[[], int]) -> None:
        self.tally, self.total = tally, total
        self.flops: Counter[str] = Counter()
        self._part, self._last = "", 0

    def turn(self, part: str, *, backward: bool = False) -> None:
        """From here on `part` is at work."""
        now = self.total()
        self.flops[self._part] += now - self._last
        self._part, self._last = part, now
        self.tally.now = BACKWARD if backward else part if part == STEP else f"{part} activations"

    def follow(self, stack: Stack) -> None:
        """Looks on; a gradient is one once it is a parameter's."""
        Stages(stack, self.turn)
        for parameter in stack.parameters():
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self._gradient)  # type: ignore[no-untyped-call]

    def _gradient(self, parameter: Tensor) -> None:
        if parameter.grad is not None:
            self.tally.call_it(parameter.grad, GRADIENTS)
