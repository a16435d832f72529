"""One stack over several processes: PyTorch's fully_shard (FSDP2), and what it does not do.

Each component is a root of its own, because training and validation enter them one by one; the encoder's blocks are
sharded one by one inside it. Weights are gathered for a forward pass and for a backward pass, and let go after each.
They stay float32 and autocast makes bfloat16 of them, as on one process, so the losses are the same on any number;
FSDP's own mixed precision would halve what is sent and round what autocast keeps exact.

Whole on every process stay a frozen encoder, and the few scalars that are learned (fully_shard takes none).
"""

from collections.abc import Collection, Iterable
from typing import Final, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import distributed_c10d
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor
from torch.utils import _pytree as pytree

from rect_core.types import VisionTokens
from rect_train.stack import Stack
from rect_train.world import World

How = Literal["auto", "full", "node", "none"]

_ENTRANCES: Final = {"localizer": ("outline",), "masking": ("hide", "loss", "errors")}
"""Methods beside `forward` that read a component's weights."""


def mesh_shape(how: How, size: int, local: int) -> tuple[int, int]:
    """Copies of the weights, and processes that share each copy.

    how: "full" shares one copy among all, "node" one among the processes of each machine, "none" gives all a copy;
    "auto" is "full" on one machine and "node" on several. local: processes of a machine.
    """
    if how == "none":
        return size, 1
    if how == "full" or (how == "auto" and size <= local):
        return 1, size
    if size % local:
        raise ValueError(f"{size} processes on machines of {local}: start as many on each, or give shard=full")
    return size // local, local


def shard(stack: Stack, world: World, how: How) -> None:
    """Spreads the trained components over the processes, in place; does nothing to one process."""
    if world.size == 1:
        return
    _know_tokens()
    mesh = _mesh(how, world)
    whole = set(_whole(stack))
    for name, module in stack.components.items():
        if not any(parameter.requires_grad for parameter in module.parameters()):
            continue
        units = [*stack.encoder.blocks, module] if module is stack.encoder else [module]
        for unit in units:
            fully_shard(unit, mesh=mesh, reshard_after_forward=True, ignored_params=whole)
        for method in _ENTRANCES.get(name, ()):
            register_fsdp_forward_method(module, method)


def send_gradients(stack: Stack, parts: Collection[str]) -> None:
    """Which components add up their gradients over processes in the next backward pass; the others keep theirs."""
    for name, module in stack.components.items():
        if isinstance(module, FSDPModule):
            module.set_requires_gradient_sync(name in parts)


def average_whole(stack: Stack, world: World) -> None:
    """The mean over processes of the gradients of what is not sharded."""
    if world.size > 1:
        for parameter in _whole(stack):
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= world.size


def clip(parameters: Iterable[Tensor], most: float) -> float:
    """Scales gradients to a norm of at most `most` and returns the norm that they had, all shards of them together."""
    trained = [parameter for parameter in parameters if parameter.grad is not None]
    kinds = [[p for p in trained if isinstance(p, DTensor) is sharded] for sharded in (False, True)]
    norms = [torch.nn.utils.get_total_norm([p.grad for p in kind if p.grad is not None]) for kind in kinds if kind]
    whole = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]
    total = whole[0] if len(whole) == 1 else torch.linalg.vector_norm(torch.stack(whole or [torch.zeros(())]))
    for kind in kinds:
        torch.nn.utils.clip_grads_with_norm_(kind, most, total)
    return float(total)


def _mesh(how: How, world: World) -> DeviceMesh:
    copies, shared = mesh_shape(how, world.size, world.local)
    if copies == 1:
        mesh = init_device_mesh(world.device.type, (shared,), mesh_dim_names=("shard",))
    else:
        mesh = init_device_mesh(world.device.type, (copies, shared), mesh_dim_names=("replicate", "shard"))
    for group in mesh.get_all_groups():
        distributed_c10d._set_pg_timeout(world.timeout, group)
    return mesh


def _whole(stack: Stack) -> list[nn.Parameter]:
    """What is trained and too small to share."""
    return [p for p in stack.parameters() if p.requires_grad and (p.ndim == 0 or p is stack.log_variance)]


def _know_tokens() -> None:
    """FSDP looks for tensors in what a component takes and gives; it must know how to look into a VisionTokens."""
    if VisionTokens not in pytree.SUPPORTED_NODES:
        torch.export.register_dataclass(VisionTokens)
