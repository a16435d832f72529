"""How fast a run goes: cases, operations and their share of what the device could do, and memory."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from rect_train.plan.gpus import named
from rect_train.plan.memory import imported_bytes
from rect_train.plan.tally import flop_counter
from rect_train.step import Stepper, Taken, Work


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations of matrix products, convolutions and attention while it is entered. Torch's own counter
    does it by hooks on all modules besides, which sharded and recomputed ones need not bear; this one only looks on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0
        self._known = flop_counter().flop_registry

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation below autograd."""
        del types
        given = kwargs or {}
        out = func(*args, **given)
        if count := self._known.get(func.overloadpacket):
            self.total += count(*args, **given, out_val=out)
        return out


@dataclass(kw_only=True)
class Pace:
    """What the steps of a run are measured by.

    processes: of the run; device: of this one; peak: TFLOP/s of a device, NaN where nobody states it; flops: of a case,
    what checkpointing computes again included, NaN until a step was counted.
    """

    device: torch.device
    processes: int = 1
    peak: float = math.nan
    flops: float = math.nan

    def take(self, stepper: Stepper, step: int, work: Sequence[Work]) -> Taken:
        """Takes a step. The first that teaches every task is counted, which changes nothing of it; later ones compute
        as much a case."""
        if not math.isnan(self.flops):
            return stepper.take(step, work)
        with Operations() as counted:
            taken = stepper.take(step, work)
        if set(stepper.config.asked) <= set(taken.losses):
            self.flops = counted.total / len(taken.case_ids)
        return taken

    def figures(self, cases: int, seconds: float) -> dict[str, float]:
        """Of a step of so many cases of this process, as many of each of the others.

        cases_per_second and tflops (1e12 a second): of all processes; mfu: share of their peak, 0 to 1; memory_gb (1e9
        bytes): the most that this process has held on its GPU so far, or what it holds now where it has none.
        """
        rate = cases * self.processes / seconds
        tflops = rate * self.flops / 1e12
        mfu = tflops / (self.peak * self.processes)
        return {"cases_per_second": rate, "tflops": tflops, "mfu": mfu, "memory_gb": self._memory() / 1e9}

    def _memory(self) -> int:
        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else imported_bytes()


def peak_of(device: torch.device, precision: str) -> float:
    """TFLOP/s of a GPU that the table of plans knows; else NaN.

    A CPU has none: no maker states it, and a measured one would change with whatever else runs at that moment, so that
    a run that is resumed would be measured by another.
    """
    gpu = named(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    return math.nan if gpu is None else gpu.peak("bf16" if precision == "bf16" else "fp32")
