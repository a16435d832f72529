"""Batches without end, of each task, with a position that a checkpoint keeps."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import torch

from rect_core.findings import LABEL_OF_LOCALIZED, LABELS
from rect_data.dataset import (
    Batch,
    CaseSampler,
    Item,
    Loader,
    StoreDataset,
    augment,
    balance_weights,
    collate,
    generator_of,
    joined,
)
from rect_data.dataset import Task as Need
from rect_train.config import Task, TrainConfig
from rect_train.stop import shielded
from rect_train.world import World

NEEDS: Final[Mapping[Task, Need]] = {
    "masking": "any",
    "classification": "classification",
    "localization": "localization",
    "generation": "report",
}
"""What a case must have for each task."""


class Feed:
    """The training batches of some tasks, epoch after epoch; augmented in the workers.

    world: the processes that share each batch of the epoch; batch_size: cases of this one's part.
    """

    def __init__(
        self, tasks: tuple[Task, ...], dataset: StoreDataset, config: TrainConfig, world: World, batch_size: int
    ) -> None:
        self.tasks = tasks
        self._batches: Iterator[Batch] | None = None
        sampler = CaseSampler(
            dataset.rows,
            task=NEEDS[tasks[0]] if len(tasks) == 1 else "any",
            split=config.data.train,
            seed=config.seed,
            weights=balance_weights(dataset.rows, _labels(tasks), power=config.data.balance),
            rank=world.rank,
            world=world.size,
        )
        if len(sampler.indices) < batch_size * world.size:
            shared = f" on each of {world.size} processes" if world.size > 1 else ""
            raise ValueError(
                f"batch_size {batch_size}{shared} is larger than the {len(sampler.indices)} cases there are to learn "
                f"{' and '.join(tasks)} from: give a smaller batch_size or more cases"
            )
        self.cases = len(sampler.indices)
        self.loader = Loader(
            dataset,
            sampler,
            batch_size=batch_size,
            workers=config.data.workers,
            pin_memory=torch.cuda.is_available() and config.device != "cpu",
            collate=Augmenting(config),
        )

    def __next__(self) -> Batch:
        """The next batch, of the next epoch where this one is over."""
        while True:
            if self._batches is None:
                self._batches = shielded(self.loader)
            batch = next(self._batches, None)
            if batch is not None:
                return batch
            self._batches = None

    def close(self) -> None:
        """Ends the workers: they hear no signal, so that a process which leaves them behind waits for them for ever."""
        self._batches = None
        self.loader.close()

    def state_dict(self) -> dict[str, Any]:
        """Where the next batch is."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on at a state."""
        self._batches = None
        self.loader.load_state_dict(state)


class Augmenting:
    """Collates and augments, in a worker; what becomes of a case depends on the seed and its own draw alone, so that it
    is the same whichever process has it, and with whom."""

    def __init__(self, config: TrainConfig) -> None:
        self.config, self.seed = config.data.augment, config.seed

    def __call__(self, items: Sequence[Item]) -> Batch:
        alone = [collate([item]) for item in items]
        return joined([augment(one, self.config, generator_of(one, self.seed)) for one in alone])


def make_feeds(dataset: StoreDataset, config: TrainConfig, world: World, batch_size: int) -> tuple[Feed, ...]:
    """One feed for all tasks, or one for each."""
    if config.data.batches == "shared":
        return (Feed(config.asked, dataset, config, world, batch_size),)
    return tuple(Feed((task,), dataset, config, world, batch_size) for task in config.asked)


def _labels(tasks: tuple[Task, ...]) -> tuple[str, ...]:
    return tuple(LABEL_OF_LOCALIZED.values()) if tasks == ("localization",) else LABELS
