"""What a step allocates and computes, counted while it runs on tensors without memory."""

import weakref
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

aten = torch.ops.aten


class Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Bytes that are alive, by what was going on when they were allocated, and the moment when they were most.

    Every storage counts once, until it is freed. A question about values is answered yes and a mask picks everything,
    since tensors without memory have no values: what depends on the data is planned at its largest. `now` names what
    is going on; `peak` is the fullest moment.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = ""
        self.alive: Counter[str] = Counter()
        self.peak: Counter[str] = Counter()
        self._most = 0
        self._known: dict[int, tuple[weakref.ref[Any], str, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation below autograd."""
        del types
        given = kwargs or {}
        out = _without_values(func, args, given) if _asks_values(func, args) else func(*args, **given)
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._see(leaf.untyped_storage())
        return out

    def call_it(self, tensor: Tensor, name: str) -> None:
        """Another name for what a tensor lies in: a gradient is one only once it is a parameter's."""
        key = id(tensor.untyped_storage())
        if key in self._known:
            ref, before, size = self._known[key]
            self.alive[before] -= size
            self.alive[name] += size
            self._known[key] = ref, name, size

    def _see(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        if key in self._known:
            return
        self._known[key] = weakref.ref(storage, lambda _: self._forget(key)), self.now, size
        self.alive[self.now] += size
        if self.alive.total() > self._most:
            self._most, self.peak = self.alive.total(), self.alive.copy()

    def _forget(self, key: int) -> None:
        _, name, size = self._known.pop(key)
        self.alive[name] -= size


def flop_counter() -> FlopCounterMode:
    """Torch's own counter of matrix products, convolutions and attention, which misses the CPU's fused attention."""
    return FlopCounterMode(
        display=False,
        custom_mapping={
            aten._scaled_dot_product_flash_attention_for_cpu: _attention,
            aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
        },
    )


def _attention(query: Any, key: Any, value: Any, *args: Any, out_shape: Any = None, **kwargs: Any) -> int:
    return int(sdpa_flop_count(query, key, value))  # type: ignore[no-untyped-call]


def _attention_backward(
    grad: Any, query: Any, key: Any, value: Any, *args: Any, out_shape: Any = None, **kwargs: Any
) -> int:
    return int(sdpa_backward_flop_count(grad, query, key, value))  # type: ignore[no-untyped-call]


def _asks_values(func: Any, args: tuple[Any, ...]) -> bool:
    if func in (aten._local_scalar_dense.default, aten.bincount.default, aten.nonzero.default):
        return True
    indexes = func in (aten.index.Tensor, aten.index_put.default, aten._index_put_impl_.default)
    return indexes and args[1][0] is not None and args[1][0].dtype == torch.bool


def _without_values(func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
    if func == aten.bincount.default:
        return args[0].new_zeros(given["minlength"] if "minlength" in given else args[2])
    if func == aten.nonzero.default:
        with unset_fake_temporarily():  # where masks are known is looked up one by one, which takes numbers
            return torch.ones(args[0].shape).nonzero()
    if func == aten._local_scalar_dense.default:
        return 1.0 if args[0].is_floating_point() else True
    if func == aten.index.Tensor:
        return args[0].flatten(0, args[1][0].ndim - 1).clone()
    return args[0]
