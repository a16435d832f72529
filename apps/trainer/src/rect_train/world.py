"""The processes of a run: this one alone, or all that torchrun (or Ray Train) started.

Groups talk apart from each other. In a step, the default group carries gradients and `steps` counts: who lets the
others wait there for longer than the timeout counts as dead. Before and between steps `host` is patient, because one
process may still read while another is ready; and so is `disk`, by which a thread of its own writes checkpoints.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Float, Int64
from torch import Tensor
from torch.distributed import distributed_c10d

from rect_train.device import pick_device
from rect_train.guard import RunError
from rect_train.screen import one_line

T = TypeVar("T")

_PATIENCE: Final = timedelta(minutes=30)
_ROLL_CALL_S: Final = 3.0
"""Seconds in which a process that lives says so after a connection has broken."""


class OwnError(RunError):
    """What went wrong in this process and in no other."""


class ToldError(RunError):
    """What went wrong everywhere, or elsewhere: another process says it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """This process among all. local: how many of them are on this machine; device: where weights and batches live;
    steps, host, disk: the groups, None where there is one process; timeout: of the first."""

    rank: int = 0
    size: int = 1
    local: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    timeout: timedelta = _PATIENCE
    steps: Any = None
    host: Any = None
    disk: Any = None

    @property
    def first(self) -> bool:
        """Whether this process speaks and writes for all."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """Which of how many."""
        return f"process {self.rank} of {self.size}"

    def mean(self, values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Means over all processes, the same to the bit on each."""
        if self.size == 1:
            return values
        total = values.detach().clone()
        dist.all_reduce(total)
        return total / self.size

    def total(self, counts: Int64[Tensor, "..."]) -> Int64[Tensor, "..."]:
        """Counts (on the CPU) added up over all processes."""
        if self.size == 1:
            return counts
        added = counts.clone()
        dist.all_reduce(added, group=self.steps)
        return added

    def any(self, flag: bool) -> bool:
        """Whether a flag is set in one of the processes."""
        return int(self.total(torch.tensor(int(flag)))) > 0

    def gathered(self, mine: T) -> list[T]:
        """What each process has, in their order; it is pickled."""
        if self.size == 1:
            return [mine]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, mine, group=self.host)
        return found

    def told(self, ask: Callable[[], T]) -> T:
        """What the first process finds, on all; a ValueError or OSError of it is raised on all."""
        if self.size == 1:
            return ask()
        box: list[Any] = [None, None]
        if self.first:
            try:
                box[0] = ask()
            except (ValueError, OSError) as error:
                box[1] = error
        dist.broadcast_object_list(box, src=0, group=self.host, device=torch.device("cpu"))
        if box[1] is not None:
            raise box[1] if self.first else ToldError(str(box[1]))
        found: T = box[0]
        return found

    def together(self, find: Callable[[], T]) -> T:
        """What each process finds by itself; the first ValueError, OSError or ImportError of any is raised on all."""
        if self.size == 1:
            return find()
        error: Exception | None = None
        found: T | None = None
        try:
            found = find()
        except (ValueError, OSError, ImportError) as mine:
            error = mine
        errors = self.gathered(error)
        for rank, each in enumerate(errors):
            if each is not None and not self.first:
                raise ToldError(str(each))
            if each is not None:
                raise each if rank == 0 else OSError(f"process {rank} of {self.size}: {each}")
        assert found is not None
        return found

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Around work that processes do together. Raises RunError: for a ValueError or OSError of this process, and,
        with who has failed or died, where another one's has left this one without an answer."""
        try:
            yield
        except RunError as error:
            if self.first:
                raise
            raise ToldError(str(error)) from error
        except (ValueError, OSError) as error:
            if self.size == 1:
                raise RunError(str(error)) from error
            _note(self.rank, one_line(error))
            raise OwnError(f"{self.name}: {one_line(error)}") from error
        except RuntimeError as error:
            if self.size == 1 or not _is_loss(error):
                raise
            speaker, line = self._roll_call()
            raise (RunError if speaker else ToldError)(line) from error

    def _roll_call(self) -> tuple[bool, str]:
        """Whether this process is the one to speak, and who has failed or does not answer."""
        _note(self.rank, "")
        end = time.monotonic() + _ROLL_CALL_S
        notes = _notes(self.size)
        while len(notes) < self.size and time.monotonic() < end:
            time.sleep(0.1)
            notes = _notes(self.size)
        failed = {rank: f"failed: {note}" for rank, note in notes.items() if note}
        gone = "no longer answers: it has died or hangs; --resume goes on"
        missing = {rank: gone for rank in range(self.size) if rank not in notes}
        said = [f"process {rank} of {self.size} {what}" for rank, what in sorted({**missing, **failed}.items())]
        alive = min(rank for rank, note in notes.items() if not note)
        return self.rank == alive, "; ".join(said) or "the connection between the processes broke"


@contextmanager
def start(device: str, timeout_s: float = 50.0) -> Iterator[World]:
    """The world that torchrun's environment describes, or this process alone.

    device: as in `pick_device`; timeout_s: after which a process in a step counts as dead. Takes a process
    group that is there already (Ray Train makes one) and leaves it there.
    """
    size, rank, local = (int(os.environ.get(name, "1")) for name in ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE"))
    place = pick_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if size == 1:
        yield World(device=place)
        return
    if place.type == "cuda":
        torch.cuda.set_device(place)
    mine = not dist.is_initialized()
    if mine:
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=_PATIENCE)
    timeout = timedelta(seconds=timeout_s)
    steps, host, disk = (dist.new_group(backend="gloo", timeout=each) for each in (timeout, _PATIENCE, _PATIENCE))
    distributed_c10d._set_pg_timeout(timeout, dist.group.WORLD)
    yield World(rank=rank, size=size, local=local, device=place, timeout=timeout, steps=steps, host=host, disk=disk)
    if mine:  # not after an error, when it would wait for who is gone
        dist.destroy_process_group()


def _is_loss(error: RuntimeError) -> bool:
    """Whether another process went away, told by the two libraries that carry messages."""
    return isinstance(error, dist.DistError) or "gloo/transport" in str(error)


def _note(rank: int, text: str) -> None:
    """Leaves a note that outlives this process: the store is torchrun's."""
    distributed_c10d._get_default_store().set(f"rect/{rank}", text)


def _notes(size: int) -> dict[int, str]:
    store = distributed_c10d._get_default_store()
    there = [rank for rank in range(size) if store.check([f"rect/{rank}"])]
    return {rank: store.get(f"rect/{rank}").decode() for rank in there}
