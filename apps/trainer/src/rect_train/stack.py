"""All that a run trains, as one module: a batch in, the losses of its tasks out."""

from collections.abc import Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from rect_classifier import Classifier
from rect_classifier.loss import masked_asymmetric, masked_bce
from rect_core.types import VisionTokens
from rect_data.dataset import Batch
from rect_encoder import VisionEncoder
from rect_localizer import Localizer, corrupt, outline_loss, restoration_loss
from rect_train.config import LossConfig, Task, TrainConfig
from rect_train.masked import MaskedVolume, draw_hidden
from rect_vlm.presets import Preset

Losses = dict[str, Float[Tensor, ""]]


class Stack(nn.Module):
    """Encoder and the heads of the asked tasks.

    The encoder's own forward runs once a batch, whatever the number of heads. `weigh` brings losses to one number.
    """

    def __init__(self, sizes: Preset, tasks: tuple[Task, ...], loss: LossConfig) -> None:
        super().__init__()
        self.tasks, self.loss = tasks, loss
        self.encoder = VisionEncoder(sizes.encoder)
        self.classifier = Classifier(sizes.classifier) if "classification" in tasks else None
        self.localizer = Localizer(sizes.localizer) if "localization" in tasks else None
        self.masking = MaskedVolume(sizes.encoder) if "masking" in tasks else None
        self.log_variance = nn.Parameter(torch.zeros(len(tasks)), requires_grad=loss.uncertainty)

    def forward(self, batch: Batch, tasks: tuple[Task, ...], generator: torch.Generator) -> Losses:
        """The losses of some of the run's tasks on one batch; a task that the batch cannot teach is left out.

        generator: on the batch's device, for what is hidden and corrupted.
        """
        losses: Losses = {}
        if self.masking is not None and "masking" in tasks:
            losses["masking"] = self._masking(self.masking, batch, generator)
        classify = "classification" in tasks and bool(batch.labels_known.any())
        localize = "localization" in tasks and bool(batch.lesions_known.any())
        if not (classify or localize):
            return losses
        tokens = self.tokens(batch)
        if self.classifier is not None and classify:
            loss = masked_asymmetric if self.loss.asymmetric else masked_bce
            losses["classification"] = loss(self.classifier(tokens).float(), batch.labels)
        if self.localizer is not None and localize:
            losses |= self._outline(self.localizer, tokens, batch, generator)
        return losses

    def tokens(self, batch: Batch, voxels: Float[Tensor, "b 1 d h w"] | None = None) -> VisionTokens:
        """The encoder's tokens of a batch, or of other voxels in place of its own."""
        seen = batch.voxels if voxels is None else voxels
        tokens: VisionTokens = self.encoder(seen, batch.regions, batch.valid)
        return tokens

    def weigh(self, losses: Mapping[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
        """The weighted sum; with `uncertainty` a task's weight is learned besides: exp(-s) L + s / 2."""
        total = torch.zeros((), device=self.log_variance.device)
        for name, loss in losses.items():
            weighted = self.loss.weights[name] * loss
            if self.loss.uncertainty and name in self.tasks:
                spread = self.log_variance[[*self.tasks].index(name)]
                weighted = torch.exp(-spread) * weighted + spread / 2
            total = total + weighted
        return total

    def _masking(self, masking: MaskedVolume, batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
        hidden = draw_hidden(len(batch), self.encoder.config.patch_grid, self.loss.mask_ratio, generator)
        tokens = self.tokens(batch, masking.hide(batch.voxels, hidden))
        return masking.loss(tokens, batch.voxels, hidden)

    def _outline(self, localizer: Localizer, tokens: VisionTokens, batch: Batch, generator: torch.Generator) -> Losses:
        noisy, damaged = corrupt(localizer.stored, generator=generator)
        seen = localizer.outline(batch.voxels, tokens, noisy)
        return {
            "localization": outline_loss(seen.logits.float(), (batch.lesions > 0).float(), batch.lesions_known),
            "restoration": restoration_loss(seen.restored.float(), localizer.stored, damaged),
        }


def make_stack(config: TrainConfig) -> Stack:
    """The components of a run with weights drawn from torch's seed; what is to be frozen is frozen."""
    stack = Stack(config.sizes, config.asked, config.loss)
    if config.freeze_vision:
        stack.encoder.requires_grad_(False)
    if config.checkpointing:
        _recompute(stack.encoder)
    return stack


def _recompute(encoder: VisionEncoder) -> None:
    """Computes the blocks again in the backward pass. Not by torch's wrapper module, which renames parameters."""
    for block in encoder.blocks:
        block.forward = partial(recomputed, block.forward, use_reentrant=False, preserve_rng_state=False)
