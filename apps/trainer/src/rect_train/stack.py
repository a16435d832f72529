"""All that a run trains, as one module: a batch in, the losses of its tasks out."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from rect_classifier import Classifier
from rect_classifier.loss import masked_asymmetric, masked_bce
from rect_core.types import VisionTokens
from rect_data.dataset import Batch
from rect_encoder import VisionEncoder
from rect_encoder.shares import patch_presence
from rect_localizer import Localizer, corrupt, restoration_loss
from rect_localizer.loss import outline_terms
from rect_train.config import LossConfig, Task, TrainConfig
from rect_train.masked import MaskedVolume, draw_hidden
from rect_train.shares import Amount, Shares, alone, outlined, real
from rect_vlm.presets import Preset

Losses = dict[str, Float[Tensor, ""]]

_HIDDEN: Final = 2
"""Purpose of the random numbers that hide patches (`Draw.seed`)."""


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

    def forward(
        self, batch: Batch, tasks: tuple[Task, ...], generator: torch.Generator, shares: Shares | None = None
    ) -> Losses:
        """The losses of some of the run's tasks on one batch; a task that cannot be taught is left out.

        generator: on the batch's device, for what is hidden and corrupted. shares: of this batch in what is taught
        (`rect_train.shares`); by default it is all there is. A loss of which a batch has no share is 0, but goes all
        the way through its head: other processes wait for this one there.
        """
        shares = alone(self.amounts(batch, tasks, generator)) if shares is None else shares
        losses: Losses = {}
        if self.masking is not None and "hidden" in shares:
            losses["masking"] = self._masking(self.masking, batch, generator, shares["hidden"])
        if not {"labels", "masks"} & set(shares):
            return losses
        tokens = self.tokens(batch)
        if self.classifier is not None and "labels" in shares:
            losses["classification"] = self._classify(self.classifier, tokens, batch, shares["labels"])
        if self.localizer is not None and "masks" in shares:
            losses |= self._outline(self.localizer, tokens, batch, generator, shares)
        return losses

    def amounts(self, batch: Batch, tasks: tuple[Task, ...], generator: torch.Generator) -> dict[Amount, int]:
        """How much of what each loss is a mean over this batch holds. generator: as in `forward`; it is not moved."""
        found: dict[Amount, int] = {}
        if "masking" in tasks:
            present = patch_presence(batch.valid, self.encoder.config.patch_grid, self.encoder.config.patch)
            found["hidden"] = int((self._hidden(batch, generator).flatten(1) & present).sum())
        if "classification" in tasks:
            found["labels"] = int(batch.labels_known.sum())
        if "localization" in tasks:
            found |= outlined(batch)
        return found

    @property
    def components(self) -> dict[str, nn.Module]:
        """Name -> module, of those that this stack has."""
        found = {
            "encoder": self.encoder,
            "classifier": self.classifier,
            "localizer": self.localizer,
            "masking": self.masking,
        }
        return {name: module for name, module in found.items() if module is not None}

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

    def hidden_errors(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, " b"]:
        """How well each scan's hidden patches are filled in (`MaskedVolume.errors`)."""
        assert self.masking is not None
        hidden = self._hidden(batch, generator)
        return self.masking.errors(self.tokens(batch, self.masking.hide(batch.voxels, hidden)), batch.voxels, hidden)

    def _hidden(self, batch: Batch, generator: torch.Generator) -> Bool[Tensor, "b gd gh gw"]:
        """Which patches are hidden: each case's own draw decides, not its place in the batch nor who else is in it."""
        grid, ratio = self.encoder.config.patch_grid, self.loss.mask_ratio
        seeds = [draw.seed(generator.initial_seed(), _HIDDEN) for draw in batch.draws]
        each = [draw_hidden(1, grid, ratio, torch.Generator().manual_seed(seed)) for seed in seeds]
        return torch.cat(each).to(batch.voxels.device)

    def _masking(
        self, masking: MaskedVolume, batch: Batch, generator: torch.Generator, share: float
    ) -> Float[Tensor, ""]:
        hidden = self._hidden(batch, generator)
        tokens = self.tokens(batch, masking.hide(batch.voxels, hidden))
        if not share:
            tokens = replace(tokens, patch_present=torch.ones_like(tokens.patch_present))
        return share * masking.loss(tokens, batch.voxels, hidden)

    def _classify(self, classifier: Classifier, tokens: VisionTokens, batch: Batch, share: float) -> Float[Tensor, ""]:
        logits = classifier(tokens).float()
        if not share:
            return nothing(logits)
        loss = masked_asymmetric if self.loss.asymmetric else masked_bce
        return share * loss(logits, batch.labels)

    def _outline(
        self, localizer: Localizer, tokens: VisionTokens, batch: Batch, generator: torch.Generator, shares: Shares
    ) -> Losses:
        noisy, damaged = corrupt(localizer.stored, generator=generator)
        seen = localizer.outline(batch.voxels, tokens, noisy)
        logits, restored = seen.logits, seen.restored.float()
        outline, restoration = nothing(logits), nothing(restored)
        if shares["masks"]:
            terms = outline_terms(logits, batch.lesions > 0, batch.lesions_known)
            outline = shares["masks"] * terms.entropy
            if terms.overlap is not None:
                outline = outline + shares["drawn"] * terms.overlap
            if terms.spurious is not None:
                outline = outline + self.loss.spurious * shares["empty"] * terms.spurious
        if shares["cases"]:
            restoration = shares["cases"] * restoration_loss(restored[real(batch)], localizer.stored, damaged)
        return {"localization": outline, "restoration": restoration}


def nothing(output: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """0, with gradients of 0 for all that gave the output."""
    return output.sum(dtype=torch.float32) * 0.0


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
