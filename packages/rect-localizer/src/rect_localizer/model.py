"""The localizer: prompts are restored in sight of the scan, then guide a U-Net over its voxels."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from rect_core.hub import Published
from rect_core.types import VisionTokens
from rect_localizer.config import LocalizerConfig
from rect_localizer.denoiser import Denoiser
from rect_localizer.prompts import PromptTokens
from rect_localizer.unet import UNet


class Outline(NamedTuple):
    """logits: one a voxel of the model grid and finding; restored: the prompts' tokens after the denoiser."""

    logits: Float[Tensor, "b k d h w"]
    restored: Float[Tensor, "b k l t"]


class Localizer(Published):
    """Logits of findings on every voxel of the model grid. The prompts of config.findings are stored in the weights."""

    config_class = LocalizerConfig

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__(config)
        self.config: LocalizerConfig = config
        shape = (len(config.findings), config.text_length)
        self.register_buffer("prompt_vectors", torch.randn(*shape, config.text_width))
        self.register_buffer("prompt_mask", torch.ones(shape, dtype=torch.bool))
        self.denoiser = Denoiser(config)
        self.unet = UNet(config)

    prompt_vectors: Tensor
    prompt_mask: Tensor

    def forward(
        self, voxels: Float[Tensor, "b 1 d h w"], tokens: VisionTokens, prompts: PromptTokens | None = None
    ) -> Float[Tensor, "b k d h w"]:
        """Logits of the stored prompts, or of the given ones (see rect_core.text.PromptEncoder.sequences).

        The order of prompts is that of the logits and changes nothing else; a finding is read in the context of all
        asked ones. Raises ValueError for tokens of an encoder this head was not trained on, or of another size.
        """
        return self.outline(voxels, tokens, prompts).logits

    def outline(
        self, voxels: Float[Tensor, "b 1 d h w"], tokens: VisionTokens, prompts: PromptTokens | None = None
    ) -> Outline:
        """As `forward`, with the restored prompts: training gives corrupted prompts and asks for them back."""
        self._check(voxels, tokens)
        asked = self.stored if prompts is None else prompts
        if asked.vectors.shape[-1] != self.config.text_width:
            raise ValueError(
                f"prompts are {asked.vectors.shape[-1]} wide but the localizer reads {self.config.text_width}: "
                "use the text encoder it was trained with"
            )
        restored = self.denoiser(asked, tokens)
        logits = self.unet(voxels.to(restored), _on_grid(tokens).to(restored), restored, asked.mask)
        return Outline(logits, restored)

    @property
    def stored(self) -> PromptTokens:
        """The prompts in the weights."""
        return PromptTokens(self.prompt_vectors, self.prompt_mask)

    @torch.no_grad()
    def store_prompts(self, prompts: PromptTokens) -> None:
        """Replaces the stored prompts, one a finding of the config; a longer one than text_length raises ValueError."""
        fitted = prompts.of_length(self.config.text_length)
        given, room = tuple(fitted.vectors.shape), tuple(self.prompt_vectors.shape)
        if given != room:
            raise ValueError(f"prompts have shape {given} but the head stores {room}")
        self.prompt_vectors.copy_(fitted.vectors)
        self.prompt_mask.copy_(fitted.mask)

    def _check(self, voxels: Float[Tensor, "b 1 d h w"], tokens: VisionTokens) -> None:
        if self.config.encoder_fingerprint:
            tokens.check_encoder(self.config.encoder_fingerprint)
        if tokens.pooled.shape[-1] != self.config.width:
            raise ValueError(f"tokens are {tokens.pooled.shape[-1]} wide but the localizer reads {self.config.width}")
        covered = tuple(n * p for n, p in zip(tokens.grid, self.config.patch, strict=True))
        if covered != voxels.shape[2:]:
            raise ValueError(
                f"tokens on a {tokens.grid} grid of {self.config.patch} patches cover {covered} voxels "
                f"but the scan has {tuple(voxels.shape[2:])}: encode these voxels"
            )


def _on_grid(tokens: VisionTokens) -> Float[Tensor, "b c gd gh gw"]:
    gd, gh, _ = tokens.grid
    seen = tokens.patches.masked_fill(~tokens.patch_present[..., None], 0.0)
    return rearrange(seen, "b (gd gh gw) c -> b c gd gh gw", gd=gd, gh=gh)
