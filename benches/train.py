"""A tiny training step on two cores: what it computes, takes, waits for, and what the least is that it could take.

The step is `rect_train`'s own, of phase 2 with batches of 8, on a store of phantoms that two workers read and augment.
Its limit is the sum of its matrix products, convolutions and attentions, each timed alone at its own shape, layout and
dtype; steps and limit take turns. A part's seconds are those between the hooks of its modules, backward too.
"""

import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch

from benches.timing import Result, machine, memory
from benches.train_data import write_store
from benches.train_limit import Limit, Record
from rect_train.config import DataConfig, TrainConfig
from rect_train.heap import keep_heap
from rect_train.loop import prepare
from rect_train.optim import Average, make_optimizer
from rect_train.plan.stages import Stages
from rect_train.plan.tally import flop_counter
from rect_train.stack import Stack
from rect_train.step import Stepper, Work
from rect_train.world import World

ROUNDS, SETTLE, STEPS = 4, 6, 5
GOAL_TFLOP, GOAL_SECONDS, GOAL_WAIT, GOAL_LIMIT = 0.5, 2.0, 0.03, 0.5
SIDE: Final = 2048
"""Of the matrices whose product is the machine's peak."""


def run() -> Result:
    """Prepares the data and counts a step; then loop, limit and a large matrix product take turns."""
    keep_heap()
    before = memory("VmRSS")
    config = TrainConfig(device="cpu")
    cases = config.batch_size * (2 + ROUNDS * (SETTLE + STEPS) + 8)
    with tempfile.TemporaryDirectory() as folder:
        store = write_store(Path(folder), config.sizes.encoder.grid, cases, config.data.workers)
        loop = Loop(replace(config, data=DataConfig(store=store)))
        with closing(loop.feed):
            noted = machine()
            flops, limit = loop.count()
            products = []
            for _ in range(ROUNDS):
                loop.turn()
                held = memory("VmHWM") - before
                time.sleep(1)  # until the workers' queue is full and they rest
                limit.turn()
                products.append(_product())
    return _result(noted, loop, flops, limit.seconds, 2 * SIDE**3 / median(products), held)


class Loop:
    """Steps as `rect_train.loop` takes them, on the clock."""

    def __init__(self, config: TrainConfig) -> None:
        (self.feed,), stack, _ = prepare(config, World(), config.batch_size, None)
        self.clock = Clock(stack)
        optimizer = make_optimizer(stack, config.optim)
        optimizer.register_step_pre_hook(lambda *_: self.clock.turn("optimizer"))
        optimizer.register_step_post_hook(lambda *_: self.clock.turn("averaged weights"))
        self.stepper = Stepper(
            stack=stack,
            optimizer=optimizer,
            average=Average(stack, config.optim.ema),
            config=config,
            device=torch.device("cpu"),
            total=1000,
        )
        self.step, self.seconds, self.waits = 0, list[float](), list[float]()
        self.parts: list[dict[str, float]] = []

    def count(self) -> tuple[int, Limit]:
        """FLOP of a step by torch's own counter, and the operations of another."""
        counter, record = flop_counter(), Record()
        with counter:
            self._take(self._draw())
        with record:
            self._take(self._draw())
        return counter.get_total_flops(), Limit(record)

    def turn(self) -> None:
        """Steps until the workers' queue is as full as it stays, then some on the clock."""
        for i in range(SETTLE + STEPS):
            begun = time.perf_counter()
            work = self._draw()
            waited = time.perf_counter() - begun
            parts = self._take(work)
            if i >= SETTLE:
                self.seconds.append(time.perf_counter() - begun)
                self.waits.append(waited)
                self.parts.append(parts)

    def _draw(self) -> list[Work]:
        return [(self.feed.tasks, next(self.feed))]

    def _take(self, work: list[Work]) -> dict[str, float]:
        self.clock.start()
        taken = self.stepper.take(self.step, work)
        assert not taken.skipped, taken.skipped
        assert set(self.stepper.config.asked) < set(taken.losses), taken.losses
        self.step += 1
        return self.clock.stop()


class Clock:
    """Seconds of each part of a step."""

    def __init__(self, stack: Stack) -> None:
        Stages(stack, self.turn)
        self._name, self._since, self._seconds = "", 0.0, dict[str, float]()

    def start(self) -> None:
        """At the beginning of a step."""
        self._name, self._since, self._seconds = "shares of the batch", time.perf_counter(), {}

    def turn(self, part: str, *, backward: bool = False) -> None:
        """From here on `part` is at work."""
        now = time.perf_counter()
        self._seconds[self._name] = self._seconds.get(self._name, 0.0) + now - self._since
        self._name, self._since = f"{part}, backward" if backward else part, now

    def stop(self) -> dict[str, float]:
        """At its end."""
        self.turn("")
        return self._seconds


def _result(
    noted: Mapping[str, Any], loop: Loop, flops: int, limit: Mapping[str, float], peak: float, held: int
) -> Result:
    step, wait, least = median(loop.seconds), sum(loop.waits) / sum(loop.seconds), sum(limit.values())
    parts = {name: median(part[name] for part in loop.parts) for name in loop.parts[0]}
    return Result(
        name="train",
        machine=noted,
        seconds={
            "a step": step,
            "of which waiting": median(loop.waits),
            **{f"of which {name}": seconds for name, seconds in parts.items()},
            "its limit": least,
            **{f"of which {name} alone": seconds for name, seconds in limit.items()},
        },
        ratios={
            "0.5 TFLOP a step": flops / 1e12 / GOAL_TFLOP,
            "2 s a step": step / GOAL_SECONDS,
            "3 % of it waiting": wait / GOAL_WAIT,
            "half of its limit": GOAL_LIMIT * step / least,
            "TFLOP a step": flops / 1e12,
            "share waiting": wait,
            "limit / step": least / step,
            "TFLOP/s of the peak": peak / 1e12,
            "share of the peak": flops / step / peak,
        },
        peak_gb={"a step": held / 1e9},
        goals=dict.fromkeys(("0.5 TFLOP a step", "2 s a step", "3 % of it waiting", "half of its limit"), 1.0),
    )


def _product() -> float:
    """Seconds of a large matrix product in bf16, the best of three."""
    square, seconds = torch.full((SIDE, SIDE), 0.1, dtype=torch.bfloat16), []
    for _ in range(3):
        begun = time.perf_counter()
        torch.mm(square, square)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)
