"""Which part of a step is at work: forward by hooks on modules, backward by hooks on what they gave."""

from typing import Final, Protocol, runtime_checkable

from torch import Tensor, nn

from rect_core.types import VisionTokens
from rect_train.stack import Losses, Stack

LOSSES: Final = "losses"


@runtime_checkable
class Turn(Protocol):
    """Told that from here on a part is at work."""

    def __call__(self, part: str, *, backward: bool = False) -> None:
        """part: a component of the stack, or LOSSES."""


class Stages:
    """Tells `turn` of a stack's parts as a step goes through them. What lies between two modules belongs to the one
    before."""

    def __init__(self, stack: Stack, turn: Turn) -> None:
        self._turn = turn
        self._enters(stack, "encoder")
        self._enters(stack.encoder, "encoder")
        stack.encoder.register_forward_hook(lambda _module, _args, tokens: self._encoded(tokens))
        if stack.classifier is not None:
            self._head(stack.classifier, "classifier")
        if stack.localizer is not None:
            self._enters(stack.localizer.denoiser, "localizer")
            self._head(stack.localizer.unet, "localizer")
        if stack.masking is not None:
            self._head(stack.masking.head, "masking")
        stack.register_forward_hook(lambda _module, _args, losses: self._lost(losses))

    def _enters(self, module: nn.Module, part: str) -> None:
        module.register_forward_pre_hook(lambda _module, _args: self._turn(part))

    def _head(self, module: nn.Module, part: str) -> None:
        self._enters(module, part)
        module.register_forward_hook(lambda _module, _args, given: self._leaves(given, part))

    def _leaves(self, given: Tensor, part: str) -> None:
        self._comes_back(given, part)
        self._turn(LOSSES)

    def _encoded(self, tokens: VisionTokens) -> None:
        for given in (tokens.patches, tokens.regions, tokens.pooled):
            self._comes_back(given, "encoder")

    def _lost(self, losses: Losses) -> None:
        for loss in losses.values():
            self._comes_back(loss, LOSSES)

    def _comes_back(self, given: Tensor, part: str) -> None:
        if given.requires_grad:
            given.register_hook(lambda _: self._turn(part, backward=True))  # type: ignore[no-untyped-call]
