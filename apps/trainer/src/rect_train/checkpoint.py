"""Checkpoints of a run: whole or not there, checked when read, and the one before where the last is damaged."""

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
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException

from rect_train.optim import Average
from rect_train.stack import Stack

_SUMS: Final = "checksums.json"
_STATE: Final = "state.json"


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a checkpoint holds: every weight, the averaged ones, and the optimizer's moments."""

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
    """The part of a checkpoint that others read: the weights and their average."""
    return {"model": stack.state_dict(), "average": dict(average.values) if average else {}}


def check_space(folder: Path, parts: Parts, keep: int) -> None:
    """Raises ValueError where the disk has no room for the last `keep` checkpoints, the best one and a new one."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    need, free = (keep + 2) * parts.bytes, shutil.disk_usage(there).free
    if need > free:
        raise ValueError(
            f"{folder.name}: {keep + 2} checkpoints of {parts.bytes / 1e9:.2f} GB need {need / 1e9:.2f} GB but "
            f"{free / 1e9:.2f} GB are free: make room, or give another --output-dir"
        )


def save(folder: Path, step: int, parts: Parts, state: Mapping[str, Any]) -> Path:
    """Writes `<folder>/step-<step>` whole or not at all; state: plain JSON, such as the feeds' positions.

    Raises OSError where it cannot be written.
    """
    target, scratch = folder / name_of(step), folder / f".{name_of(step)}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        _write(scratch, parts.tensors(), {"step": step, **state})
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    except (CheckpointException, RuntimeError, OSError) as error:
        why = str(error).strip().splitlines()[-1]
        raise OSError(f"{target.name} cannot be written ({why}): make room and go on with --resume") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def read(checkpoint: Path, tensors: dict[str, dict[str, Tensor]]) -> dict[str, Any]:
    """Reads a checkpoint into tensors, in place, and returns its state."""
    with _without_a_word():
        state_dict_loader.load(tensors, checkpoint_id=checkpoint, no_dist=True)
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


def prune(folder: Path, keep: int, best: str) -> None:
    """Removes all but the last `keep` checkpoints and the best one."""
    for checkpoint in sorted(folder.glob("step-*"))[:-keep]:
        if checkpoint.name != best:
            shutil.rmtree(checkpoint)


def drop_after(folder: Path, step: int) -> None:
    """Removes what lies after a step that a run goes back to, and what was left half-written."""
    for checkpoint in (*folder.glob("step-*"), *folder.glob(".step-*.partial")):
        if checkpoint.name > name_of(step) or checkpoint.name.startswith("."):
            shutil.rmtree(checkpoint)


def _write(scratch: Path, tensors: dict[str, dict[str, Tensor]], state: Mapping[str, Any]) -> None:
    with _without_a_word():
        state_dict_saver.save(tensors, checkpoint_id=scratch, no_dist=True)
    (scratch / _STATE).write_text(json.dumps(state, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    (scratch / _SUMS).write_text(json.dumps(_sums(scratch), indent=2) + "\n", encoding="utf-8")


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
