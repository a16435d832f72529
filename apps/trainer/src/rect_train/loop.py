"""All of training on one screen: build, resume, step, validate, save."""

import math
import time
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from rect_data.dataset import StoreDataset
from rect_train import checkpoint
from rect_train.begin import Beginning, begin, standardize
from rect_train.checkpoint import Parts
from rect_train.config import TrainConfig
from rect_train.door import open_store
from rect_train.feed import Feed, make_feeds
from rect_train.frozen import fill_frozen, keep_frozen, seal_of
from rect_train.optim import Average, make_optimizer
from rect_train.pace import Pace, peak_of
from rect_train.run import EVENTS, METRICS, SKIPPED, Run, check_new, continued
from rect_train.saver import Saver, check_space
from rect_train.scores import metrics, told
from rect_train.screen import SILENT, Screen
from rect_train.sharding import shard
from rect_train.stack import Stack, make_stack
from rect_train.step import Stepper, Taken
from rect_train.stop import Stop, stopping
from rect_train.track import Trackers, check, open_trackers
from rect_train.track.samples import chosen
from rect_train.validate import best_of, better, look
from rect_train.world import World, start


def train(config: TrainConfig, *, resume: bool = False, allow: Collection[str] = (), screen: Screen = SILENT) -> bool:
    """Trains from the start, or on from the last whole checkpoint; returns whether the run came to its end (a SIGTERM
    saves and stops it before).

    Under torchrun every process calls this, and all train one model. allow: keys of the config that a resumed run may
    have changed. Raises ValueError or OSError for what is wrong before the first step, RunError where a run cannot go
    on.
    """
    with stopping() as stop, start(config.device, config.timeout_s) as world:
        trainer = build(config, world, screen, resume=resume, allow=allow)
        with closing(trainer):
            trainer.open()
            with world.watched():
                trainer.go(stop)
    return trainer.step == trainer.stepper.total


def build(
    config: TrainConfig, world: World, screen: Screen, *, resume: bool = False, allow: Collection[str] = ()
) -> "Trainer":
    """Data, weights and optimizer of a run, of which nothing is written yet."""
    run = Run(folder=config.output_dir, writes=world.first)
    config = world.together(lambda: continued(config, allow) if resume else check_new(config))
    found, said = world.told(lambda: checkpoint.latest(run.checkpoints)) if resume else (None, [])
    cases = world.together(lambda: cases_each(config, world, found))
    feeds, stack, begun = world.together(lambda: prepare(config, world, cases, found))
    shard(stack, world, config.shard)
    return Trainer(
        run=run,
        config=config,
        world=world,
        screen=screen if world.first else SILENT,
        feeds=feeds,
        cases=cases,
        stepper=Stepper(
            stack=stack,
            optimizer=make_optimizer(stack, config.optim),
            average=Average(stack, config.optim.ema) if config.optim.ema else None,
            config=config,
            device=world.device,
            total=config.steps or config.epochs * steps_per_epoch(feeds, cases * world.size, config),
            world=world,
        ),
        saver=Saver(folder=run.checkpoints, keep=config.save.keep, world=world),
        pace=Pace(device=world.device, processes=world.size, peak=peak_of(world.device, config.precision)),
        found=found,
        begun=begun,
        frozen=seal_of(stack),
        said=said,
    )


def prepare(
    config: TrainConfig, world: World, cases: int, found: Path | None
) -> tuple[tuple[Feed, ...], Stack, Beginning]:
    """What each process makes by itself: its part of the data, and all weights, whole: those that the run begins with,
    or those that the seed draws and the checkpoint will replace."""
    check(config.track)
    dataset, notes = open_store(config)
    feeds = make_feeds(dataset, config, world, cases)
    torch.manual_seed(config.seed)
    stack = make_stack(config)
    begun = Beginning() if found else begin(stack, config)
    if found:
        fill_frozen(config.output_dir, stack, checkpoint.state_of(found)["frozen"])
    begun.notes += notes
    return feeds, stack.to(world.device).train(), begun


def cases_each(config: TrainConfig, world: World, found: Path | None) -> int:
    """Cases of a batch for each process. A run that goes on with other processes keeps its batches and shares them
    anew, unless it is told another batch_size."""
    state = checkpoint.state_of(found) if found else {}
    if state.get("batch_size") != config.batch_size:
        return config.batch_size
    each, over = divmod(state["cases"], world.size)
    if over:
        raise ValueError(
            f"a batch of this run has {state['cases']} cases, which {world.size} processes cannot share alike: start "
            "another number of them, or give another batch_size and --allow-change batch_size"
        )
    return int(each)


def steps_per_epoch(feeds: tuple[Feed, ...], batch: int, config: TrainConfig) -> int:
    """Steps in which the largest feed is drawn once. batch: cases, of all processes together."""
    cases = max(feed.cases for feed in feeds)
    return -(-cases // (batch * config.optim.accumulate))


@dataclass(kw_only=True)
class Trainer:
    """A run in progress.

    cases: of a batch, in this process. found: the checkpoint that it goes on from; said: of damaged ones after it.
    begun: where a new run's weights are from; frozen: fingerprint of those that never change. step: how many are done;
    saved: at which of them the last checkpoint is.
    """

    run: Run
    config: TrainConfig
    world: World
    screen: Screen
    feeds: tuple[Feed, ...]
    cases: int
    stepper: Stepper
    saver: Saver
    pace: Pace
    found: Path | None
    begun: Beginning
    frozen: str
    said: list[str]
    step: int = 0
    saved: int = -1
    best: float = math.nan
    best_checkpoint: str = ""
    trackers: Trackers = field(default_factory=Trackers)

    @property
    def parts(self) -> Parts:
        """What a checkpoint holds."""
        return Parts(stack=self.stepper.stack, optimizer=self.stepper.optimizer, average=self.stepper.average)

    @property
    def epoch(self) -> int:
        """Steps of an epoch."""
        return steps_per_epoch(self.feeds, self.cases * self.world.size, self.config)

    def open(self) -> None:
        """Takes up the last whole checkpoint; makes the run's folder, or takes back what was logged after it."""
        if self.found:
            self._load(self.found)
            said = [*self.said, f"going on from {self.found.name} of {self.stepper.total} steps"]
        else:
            said = [*self.said, *self.begun.lines, f"beginning a run of {self.stepper.total} steps"]
        if self.world.size > 1:
            said.append(f"{self.world.size} processes with {self.cases} cases each")
        self.world.told(self._make_folder)
        if self.world.first:
            self.trackers = open_trackers(self.config, self.run.folder, self.step)
        for line in [*self.begun.notes, *said]:
            self.say(line)

    def close(self) -> None:
        """Ends what the run is followed by, and the workers that read for it."""
        self.trackers.close()
        for feed in self.feeds:
            feed.close()

    def go(self, stop: Stop) -> None:
        """Steps to the end, or until asked to stop; what was done is saved either way."""
        if self.found is None and "encoder" not in self.begun.sources:
            standardize(self.stepper.stack, StoreDataset(self.config.data.store), self.config.data.train)
        while self.step < self.stepper.total and not self.world.any(stop.asked or self.saver.failed):
            self.advance()
        if self.step != self.saved:
            self.save()
        self.saver.finish()
        done = self.step == self.stepper.total
        self.say(f"finished after {self.step} steps" if done else f"stopped after step {self.step}: saved, --resume")

    def advance(self) -> None:
        """One step, and what is due after it."""
        begun = time.perf_counter()
        work = [(feed.tasks, next(feed)) for _ in range(self.config.optim.accumulate) for feed in self.feeds]
        waited = time.perf_counter() - begun
        taken = self.pace.take(self.stepper, self.step, work)
        self.step += 1
        self._log(taken, waited, time.perf_counter() - begun)
        self.stepper.guard.check()
        validate = self.step % (self.epoch * self.config.valid_every) == 0 or self.step == self.stepper.total
        if validate:
            self.validate()
        if validate or self.step % self.config.save.every == 0:
            self.save()

    def validate(self) -> dict[str, float]:
        """Scores the averaged weights on the validation split."""
        self.saver.finish()  # validation starts workers, which must not inherit a thread at work
        average = self.stepper.average
        if average:
            average.swap()
        dataset = StoreDataset(self.config.data.store)
        show = chosen(dataset.rows, self.config.data.valid) if "tensorboard" in self.config.track else ()
        seen = look(self.stepper.stack, dataset, self.config, self.world, show)
        if average:
            average.swap()
        found = metrics(seen, self.config.asked, self.config.seed)
        self._record({"step": self.step, **{f"valid/{name}": value for name, value in found.items()}})
        self.trackers.show(self.step, seen, dataset)
        name = best_of(self.config)
        if better(name, found[name], self.best):
            self.best, self.best_checkpoint = found[name], checkpoint.name_of(self.step)
        self.say(f"step {self.step}: " + ", ".join(told(found)))
        return found

    def save(self) -> None:
        """Begins to write a checkpoint."""
        self.saver.save(self.step, self.parts, self._state(), self.best_checkpoint)
        self.saved = self.step

    def say(self, line: str) -> None:
        """One line for the screen and the run's folder."""
        self.screen.say(line)
        self.run.write(EVENTS, {"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "said": line})

    def _log(self, taken: Taken, waited: float, seconds: float) -> None:
        losses = {f"loss/{name}": value for name, value in taken.losses.items()}
        row = {"step": self.step, "loss": taken.loss, **losses, "gradient_norm": taken.gradient_norm}
        row |= {"rate": taken.rate, "seconds": seconds, "wait": waited}
        self._record(row | self.pace.figures(len(taken.case_ids), seconds))
        self.screen.step(self.step, self.stepper.total, taken.loss, seconds)
        if taken.skipped:
            cases = [case for ids in self.world.gathered(taken.case_ids) for case in ids]
            self.run.write(SKIPPED, {"step": self.step, "why": taken.skipped, "case_ids": cases})
            self.say(f"step {self.step} skipped: {taken.skipped}")

    def _record(self, row: Mapping[str, Any]) -> None:
        self.run.write(METRICS, row)
        self.trackers.log(row)

    def _make_folder(self) -> None:
        check_space(self.run.folder, self.parts, self.config.save.keep)
        self.run.create(self.config)
        if not self.found:
            self.run.remember(self.begun.origins, self.begun.sources)
            keep_frozen(self.run.folder, self.stepper.stack)
        self.run.rewind(self.step)
        checkpoint.drop_after(self.run.checkpoints, self.step)

    def _load(self, found: Path) -> None:
        state = checkpoint.read(found, self.parts.tensors(), self.world)
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
            "batch_size": self.config.batch_size,
            "cases": self.cases * self.world.size,
            "frozen": self.frozen,
            "feeds": [feed.state_dict() for feed in self.feeds],
        }
