"""The least that a step could take: each of its matrix products, convolutions and attentions, alone on the clock."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from rect_train.plan.tally import flop_counter

COUNTED: Final = frozenset(flop_counter().flop_registry)
"""What torch's counter counts, forward and backward."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Like:
    """How a tensor lies in memory."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    def make(self) -> Tensor:
        """Such a tensor, of small random numbers; of a mask every element is set."""
        last = sum((n - 1) * step for n, step in zip(self.shape, self.stride, strict=True))
        room = torch.empty(last + 1, dtype=self.dtype)
        made = room.normal_(std=0.1) if self.dtype.is_floating_point else room.fill_(1)
        return made.as_strided(self.shape, self.stride)


class Record(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the calls of each operation with each layout of arguments while it is entered."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[str] = Counter()
        self.made: dict[str, tuple[Any, Any, Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation below autograd."""
        del types
        given = kwargs or {}
        if func.overloadpacket in COUNTED:
            likes = tree_map_only(Tensor, like, (args, given))
            key = f"{func} {likes}"
            self.calls[key] += 1
            self.made.setdefault(key, (func, *likes))
        return func(*args, **given)


class Limit:
    """A recorded step's operations, to be timed in turn with other things."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self._seconds: dict[str, list[float]] = {key: [] for key in record.calls}

    def turn(self) -> None:
        """Each operation once, after a first call that is not on the clock."""
        for key, (func, args, kwargs) in self.record.made.items():
            given, named = tree_map_only(Like, Like.make, (args, kwargs))
            call = _call(func, given, named)
            call()
            begun = time.perf_counter()
            call()
            self._seconds[key].append(time.perf_counter() - begun)

    @property
    def seconds(self) -> dict[str, float]:
        """Operation -> median seconds of all its calls in a step."""
        found: dict[str, float] = {}
        for key, count in self.record.calls.items():
            name = key.partition(".")[2].partition(".")[0].removeprefix("_")
            found[name] = found.get(name, 0.0) + count * median(self._seconds[key])
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def like(tensor: Tensor) -> Like:
    """How a tensor lies in memory."""
    return Like(shape=tuple(tensor.shape), stride=tuple(tensor.stride()), dtype=tensor.dtype)


def _call(func: Any, args: Any, kwargs: Any) -> Callable[[], object]:
    return lambda: func(*args, **kwargs)
