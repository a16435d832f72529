"""All of training on one screen: build, resume, step, validate, save."""

import math
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rect_data.dataset import StoreDataset
from rect_train import checkpoint
from rect_train.begin import Beginning, begin
from rect_train.checkpoint import Parts
from rect_train.config import TrainConfig
from rect_train.device import pick_device
from rect_train.door import open_store
from rect_train.feed import Feed, make_feeds
from rect_train.guard import RunError
from rect_train.optim import Average, make_optimizer
from rect_train.run import EVENTS, METRICS, SKIPPED, Run, check_new, continued
from rect_train.screen import SILENT, Screen
from rect_train.stack import make_stack
from rect_train.step import Stepper, Taken
from rect_train.stop import Stop, stopping
from rect_train.validate import best_of, better, look, metrics


def train(config: TrainConfig, *, resume: bool = False, allow: Collection[str] = (), screen: Screen = SILENT) -> bool:
    """Trains from the start, or on from the last whole checkpoint; returns whether the run came to its end (a SIGTERM
    saves and stops it before).

    allow: keys of the config that a resumed run may have changed. Raises ValueError or OSError for what is wrong before
    the first step, RunError where a run cannot go on.
    """
    device = pick_device(config.device)
    with stopping() as stop:
        config = continued(config, allow) if resume else check_new(config)
        trainer = build(config, device, screen)
        trainer.open(resume=resume)
        try:
            trainer.go(stop)
        except (ValueError, OSError) as error:
            raise RunError(str(error)) from error
    return trainer.step == trainer.stepper.total


def build(config: TrainConfig, device: torch.device, screen: Screen) -> "Trainer":
    """Data, weights and optimizer of a run; the weights are still those that the seed draws."""
    dataset, notes = open_store(config)
    feeds = make_feeds(dataset, config)
    torch.manual_seed(config.seed)
    stack = make_stack(config).to(device).train()
    trainer = Trainer(
        run=Run(folder=config.output_dir),
        config=config,
        screen=screen,
        feeds=feeds,
        stepper=Stepper(
            stack=stack,
            optimizer=make_optimizer(stack, config.optim),
            average=Average(stack, config.optim.ema) if config.optim.ema else None,
            config=config,
            device=device,
            total=config.steps or config.epochs * steps_per_epoch(feeds, config),
        ),
    )
    for line in notes:
        screen.say(line)
    return trainer


def steps_per_epoch(feeds: tuple[Feed, ...], config: TrainConfig) -> int:
    """Steps in which the largest feed is drawn once."""
    cases = max(feed.cases for feed in feeds)
    return -(-cases // (config.batch_size * config.optim.accumulate))


@dataclass(kw_only=True)
class Trainer:
    """A run in progress. step: how many are done; saved: at which of them the last checkpoint is."""

    run: Run
    config: TrainConfig
    screen: Screen
    feeds: tuple[Feed, ...]
    stepper: Stepper
    step: int = 0
    saved: int = -1
    best: float = math.nan
    best_checkpoint: str = ""

    @property
    def parts(self) -> Parts:
        """What a checkpoint holds."""
        return Parts(stack=self.stepper.stack, optimizer=self.stepper.optimizer, average=self.stepper.average)

    def open(self, *, resume: bool) -> None:
        """Takes up the last whole checkpoint, or begins; makes the run's folder, or takes back what was logged after
        the checkpoint."""
        found, said = checkpoint.latest(self.run.checkpoints) if resume else (None, [])
        begun = Beginning()
        if found:
            self._load(found)
            said.append(f"going on from {found.name} of {self.stepper.total} steps")
        else:
            begun = begin(self.stepper.stack, self.config)
            if self.stepper.average:
                self.stepper.average.restart()
            said += [*begun.lines, f"beginning a run of {self.stepper.total} steps"]
        checkpoint.check_space(self.run.folder, self.parts, self.config.save.keep)
        self.run.create(self.config)
        if not found:
            self.run.remember(begun.origins, begun.sources)
        self.run.rewind(self.step)
        checkpoint.drop_after(self.run.checkpoints, self.step)
        for line in said:
            self.say(line)

    def go(self, stop: Stop) -> None:
        """Steps to the end, or until asked to stop; what was done is saved either way."""
        while self.step < self.stepper.total and not stop.asked:
            self.advance()
        if self.step != self.saved:
            self.save()
        done = self.step == self.stepper.total
        self.say(f"finished after {self.step} steps" if done else f"stopped after step {self.step}: saved, --resume")

    def advance(self) -> None:
        """One step, and what is due after it."""
        begun = time.perf_counter()
        work = [(feed.tasks, next(feed)) for _ in range(self.config.optim.accumulate) for feed in self.feeds]
        waited = time.perf_counter() - begun
        taken = self.stepper.take(self.step, work)
        self.step += 1
        self._log(taken, waited, time.perf_counter() - begun)
        self.stepper.guard.check()
        due = steps_per_epoch(self.feeds, self.config) * self.config.valid_every
        validate = self.step % due == 0 or self.step == self.stepper.total
        if validate:
            self.validate()
        if validate or self.step % self.config.save.every == 0:
            self.save()

    def validate(self) -> dict[str, float]:
        """Scores the averaged weights on the validation split."""
        average = self.stepper.average
        if average:
            average.swap()
        seen = look(self.stepper.stack, StoreDataset(self.config.data.store), self.config, self.stepper.device)
        if average:
            average.swap()
        found = metrics(seen, self.config.asked, self.config.seed)
        self.run.write(METRICS, {"step": self.step, **{f"valid/{name}": value for name, value in found.items()}})
        name = best_of(self.config)
        if better(name, found[name], self.best):
            self.best, self.best_checkpoint = found[name], checkpoint.name_of(self.step)
        self.say(f"step {self.step}: " + ", ".join(f"{name} {value:.4f}" for name, value in found.items()))
        return found

    def save(self) -> None:
        """Writes a checkpoint, and removes those that are no longer kept."""
        checkpoint.save(self.run.checkpoints, self.step, self.parts, self._state())
        self.saved = self.step
        checkpoint.prune(self.run.checkpoints, self.config.save.keep, self.best_checkpoint)

    def say(self, line: str) -> None:
        """One line for the screen and the run's folder."""
        self.screen.say(line)
        self.run.write(EVENTS, {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "said": line})

    def _log(self, taken: Taken, waited: float, seconds: float) -> None:
        losses = {f"loss/{name}": value for name, value in taken.losses.items()}
        row = {"step": self.step, "loss": taken.loss, **losses, "gradient_norm": taken.gradient_norm}
        self.run.write(METRICS, {**row, "rate": taken.rate, "seconds": seconds, "wait": waited})
        self.screen.step(self.step, self.stepper.total, taken.loss, seconds)
        if taken.skipped:
            self.run.write(SKIPPED, {"step": self.step, "why": taken.skipped, "case_ids": taken.case_ids})
            self.say(f"step {self.step} skipped: {taken.skipped}")

    def _load(self, found: Path) -> None:
        state = checkpoint.read(found, self.parts.tensors())
        self.step = self.saved = state["step"]
        self.best = math.nan if state["best"] is None else state["best"]
        self.best_checkpoint = state["best_checkpoint"]
        self.stepper.guard.load_state_dict(state["guard"])
        for feed, position in zip(self.feeds, state["feeds"], strict=True):
            feed.load_state_dict(position)

    def _state(self) -> dict[str, Any]:
        """Everything besides tensors that the next step depends on, as plain JSON."""
        return {
            "best": None if math.isnan(self.best) else self.best,
            "best_checkpoint": self.best_checkpoint,
            "guard": self.stepper.guard.state_dict(),
            "feeds": [feed.state_dict() for feed in self.feeds],
        }
