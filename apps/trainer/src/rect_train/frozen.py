"""Frozen weights, which no step changes: written once into the run's folder, and left out of its checkpoints.

Not read again from where they came: another run's checkpoints come and go. Each checkpoint holds their fingerprint.
"""

from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rect_core.published import fingerprint_of
from rect_train.stack import Stack

FROZEN: Final = "frozen.safetensors"


def frozen_names(stack: Stack) -> frozenset[str]:
    """Names of the parameters that a run was given and never changes."""
    parameters = stack.encoder.named_parameters()
    return frozenset(f"encoder.{name}" for name, parameter in parameters if not parameter.requires_grad)


def keep_frozen(run: Path, stack: Stack) -> None:
    """Writes a stack's frozen weights into a run's folder; nothing where there are none."""
    if tensors := _tensors(stack):
        scratch = run / f".{FROZEN}.tmp"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, scratch)
        scratch.replace(run / FROZEN)


def seal_of(stack: Stack) -> str:
    """The fingerprint of a stack's frozen weights; "" where there are none."""
    tensors = _tensors(stack)
    return fingerprint_of(tensors) if tensors else ""


def fill_frozen(run: Path, stack: Stack, seal: str) -> None:
    """Puts a run's frozen weights into a stack. Raises ValueError where they are gone, or others than the checkpoint
    was written beside."""
    if not (names := frozen_names(stack)):
        return
    path = run / FROZEN
    if not path.is_file():
        raise ValueError(f"{run.name} has lost {FROZEN}, the weights it froze: put it back, or begin a new run")
    stored = load_file(path)
    if set(stored) != names or fingerprint_of(stored) != seal:
        raise ValueError(f"{FROZEN} of {run.name} is not what its checkpoints were written beside: put that back")
    with torch.no_grad():
        for name, tensor in _tensors(stack).items():
            tensor.copy_(stored[name])


def _tensors(stack: Stack) -> dict[str, Tensor]:
    names = frozen_names(stack)
    return {name: parameter.detach() for name, parameter in stack.named_parameters() if name in names}
