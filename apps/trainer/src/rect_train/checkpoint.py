"""Checkpoints of a run: what they hold, checked when read, and the one before where the last is damaged.

All processes write one checkpoint together, each its shards, and any number of them reads it.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor
from torch.distributed.checkpoint import state_dict_loader

from rect_train.frozen import frozen_names
from rect_train.optim import Average
from rect_train.stack import Stack
from rect_train.world import World

_SUMS: Final = "checksums.json"
_STATE: Final = "state.json"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a checkpoint holds: the weights but frozen ones, the averaged ones, and the optimizer's moments."""

    stack: Stack
    optimizer: torch.optim.Optimizer
    average: Average | None

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """The live tensors, which a checkpoint is written from or read into, by kind and name."""
        names = {parameter: name for name, parameter in self.stack.named_parameters()}
        moments = {
            f"{names[parameter]}.{kind}": moment
            for group in self.optimizer.param_groups
            for parameter in group["params"]
            for kind, moment in self.optimizer.state[parameter].items()
        }
        return {**weights(self.stack, self.average), "optimizer": moments}

    @property
    def bytes(self) -> int:
        """Size of a checkpoint."""
        return sum(tensor.nbytes for kind in self.tensors().values() for tensor in kind.values())


def weights(stack: Stack, average: Average | None) -> dict[str, dict[str, Tensor]]:
    """The part of a checkpoint that others read: the weights but frozen ones (see `rect_train.frozen`), and their
    average."""
    frozen = frozen_names(stack)
    model = {name: tensor for name, tensor in stack.state_dict().items() if name not in frozen}
    return {"model": model, "average": dict(average.values) if average else {}}


def read(checkpoint: Path, tensors: dict[str, dict[str, Tensor]], world: World | None = None) -> dict[str, Any]:
    """Reads a checkpoint into tensors, in place, and returns its state. world: whose tensors are shards; all read."""
    alone = world is None or world.size == 1
    with _without_a_word():
        group = None if world is None else world.host
        state_dict_loader.load(tensors, checkpoint_id=checkpoint, process_group=group, no_dist=alone)
    return state_of(checkpoint)


def state_of(checkpoint: Path) -> dict[str, Any]:
    """The state that a checkpoint was saved with, and its step."""
    state: dict[str, Any] = json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    return state


def name_of(step: int) -> str:
    """Folder name of a step's checkpoint."""
    return f"step-{step:08d}"


def latest(folder: Path) -> tuple[Path | None, list[str]]:
    """The last checkpoint that is whole, and one line about each later one that is damaged."""
    said: list[str] = []
    for checkpoint in sorted(folder.glob("step-*"), reverse=True):
        if not (why := damage(checkpoint)):
            return checkpoint, said
        said.append(f"checkpoint {checkpoint.name} is damaged ({why}): going back to the one before")
    return None, said


def damage(checkpoint: Path) -> str:
    """Which of a checkpoint's files is not what was written, or ""."""
    try:
        expected = json.loads((checkpoint / _SUMS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{_SUMS}: {type(error).__name__}"
    found = _sums(checkpoint)
    return next((name for name in expected if found.get(name) != expected[name]), "")


def drop_after(folder: Path, step: int) -> None:
    """Removes what lies after a step that a run goes back to, and what was left half-written."""
    for checkpoint in (*folder.glob("step-*"), *folder.glob(".step-*.partial")):
        if checkpoint.name > name_of(step) or checkpoint.name.startswith("."):
            shutil.rmtree(checkpoint)


def seal(folder: Path, state: Mapping[str, Any]) -> None:
    """Adds the state to the tensors that lie in a folder, and the checksums of all."""
    (folder / _STATE).write_text(json.dumps(state, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    (folder / _SUMS).write_text(json.dumps(_sums(folder), indent=2) + "\n", encoding="utf-8")


@contextmanager
def _without_a_word() -> Iterator[None]:
    """One process is what we asked for; torch warns of it all the same."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _sums(folder: Path) -> dict[str, str]:
    return {p.name: _sum(p) for p in sorted(folder.iterdir()) if p.is_file() and p.name != _SUMS}


def _sum(path: Path) -> str:
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
