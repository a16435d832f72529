"""Writes checkpoints while training goes on: one at a time, each whole or not there."""

import shutil
import warnings
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict_saver import async_save

from rect_train.checkpoint import Parts, name_of, seal
from rect_train.guard import RunError
from rect_train.world import World


@dataclass(kw_only=True)
class Saver:
    """Writes into a run's folder of checkpoints; keeps the last `keep` of them, and the best one.

    Tensors are copied before `save` returns; a thread writes them, adds checksums and then gives the folder its name.
    """

    folder: Path
    keep: int
    world: World = field(default_factory=World)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checkpoint"))
    _writing: "Future[str] | None" = None

    def save(self, step: int, parts: Parts, state: Mapping[str, Any], best: str = "") -> None:
        """Begins to write `step-<step>` once the one before is whole; all processes come here together.

        state: plain JSON, such as the feeds' positions; best: name of the best checkpoint. Raises as `finish` does.
        """
        self.finish()
        scratch = self.folder / f".{name_of(step)}.partial"
        # One process is what we asked for; torch warns of it all the same, and in a thread, where no filter can be set
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        alone = self.world.size == 1
        tensors = async_save(parts.tensors(), checkpoint_id=scratch, process_group=self.world.disk, no_dist=alone)
        assert isinstance(tensors, Future)
        self._writing = self._thread.submit(self._complete, tensors, scratch, {"step": step, **state}, best)

    @property
    def failed(self) -> bool:
        """Whether the checkpoint in hand is known to have failed."""
        return self._writing is not None and self._writing.done() and bool(self._writing.result())

    def finish(self) -> None:
        """Returns when the checkpoint in hand is whole; raises RunError, on all processes, where it cannot be."""
        if self._writing is None:
            return
        why = self._writing.result()
        self._writing = None
        for found in self.world.gathered(why):
            if found:
                raise RunError(found)

    def _complete(self, tensors: "Future[Any]", scratch: Path, state: dict[str, Any], best: str) -> str:
        """Waits for all processes' tensors and finishes their checkpoint; returns why it could not be, or ""."""
        target = self.folder / name_of(state["step"])
        try:
            tensors.result()
            if self.world.first:
                seal(scratch, state)
                shutil.rmtree(target, ignore_errors=True)
                scratch.rename(target)
                prune(self.folder, self.keep, best)
        except (CheckpointException, RuntimeError, OSError) as error:
            if self.world.first:
                shutil.rmtree(scratch, ignore_errors=True)
            why = str(error).strip().splitlines()[-1]
            return f"{target.name} cannot be written ({why}): make room and go on with --resume"
        return ""


def prune(folder: Path, keep: int, best: str) -> None:
    """Removes all but the last `keep` checkpoints and the best one."""
    for checkpoint in sorted(folder.glob("step-*"))[:-keep]:
        if checkpoint.name != best:
            shutil.rmtree(checkpoint)


def check_space(folder: Path, parts: Parts, keep: int) -> None:
    """Raises ValueError where the disk has no room for the last `keep` checkpoints, the best one and a new one."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    need, free = (keep + 2) * parts.bytes, shutil.disk_usage(there).free
    if need > free:
        raise ValueError(
            f"{folder.name}: {keep + 2} checkpoints of {parts.bytes / 1e9:.2f} GB need {need / 1e9:.2f} GB but "
            f"{free / 1e9:.2f} GB are free: make room, or give another --output-dir"
        )
