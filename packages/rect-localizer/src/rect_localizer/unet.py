"""The text-guided attention U-Net: voxels and tokens in, one logit a voxel and finding out.

The image path is shared by all findings and keeps skips at full size. What is done a finding happens on the coarse
levels (text gates and a narrow decoder) and ends in a light head on the shared full-size features.
"""

import math
from itertools import pairwise
from typing import Final

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rect_localizer.blocks import ConvBlock, TextGate, Up, grown, size_of
from rect_localizer.config import LocalizerConfig, Step

PRIOR = 0.01
"""Probability that an untrained network gives a voxel: lesions are rare, and a start at 0.5 would drown the loss."""

FLAT: Final = (1, 3, 3)
"""A kernel that looks at one slice."""


class UNet(nn.Module):
    """Logits of each finding on every voxel of the model grid."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        self.encoder = ImagePath(config)
        self.decoder = SharedDecoder(config)
        self.findings = FindingPath(config)
        self.head = Head(config)

    def forward(
        self,
        voxels: Float[Tensor, "b 1 d h w"],
        patches: Float[Tensor, "b c gd gh gw"],
        words: Float[Tensor, "b k l t"],
        mask: Bool[Tensor, "k l"],
    ) -> Float[Tensor, "b k d h w"]:
        """patches: the encoder's tokens on their grid, zero where a patch is padding; words, mask: of each finding."""
        levels = self.encoder(voxels, patches)
        shared = self.decoder(levels)
        coarse = self.findings(shared[1:], words, mask)
        logits: Tensor = self.head(shared[0], coarse, words, mask)
        return logits


class ImagePath(nn.Module):
    """Voxels down to the grid of the tokens, where the tokens join."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        channels, groups, shapes = config.channels, config.groups, kernels(config)
        self.stem = ConvBlock(1, channels[0], shapes[0], groups)
        self.down = nn.ModuleList(
            nn.Sequential(
                # What halves the plane alone looks at the plane alone: a third of the work.
                ConvBlock(channels[i], channels[i + 1], shapes[i + 1] if step[0] > 1 else FLAT, groups, step),
                *(ConvBlock(channels[i + 1], channels[i + 1], shapes[i + 1], groups) for _ in range(config.repeats)),
            )
            for i, step in enumerate(config.steps)
        )
        self.tokens = nn.Conv3d(config.width, channels[-1], 1, bias=False)
        self.join = ConvBlock(channels[-1], channels[-1], shapes[-1], groups)

    def forward(
        self, voxels: Float[Tensor, "b 1 d h w"], patches: Float[Tensor, "b c gd gh gw"]
    ) -> list[Float[Tensor, "b _ _ _ _"]]:
        """Features of each level, finest first."""
        levels = [self.stem(voxels)]
        for down in self.down:
            levels.append(down(levels[-1]))
        levels[-1] = self.join(levels[-1] + self.tokens(patches))
        return levels


class SharedDecoder(nn.Module):
    """Back up to full size with image skips, once for all findings."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        channels, shapes = config.channels, kernels(config)
        self.up = nn.ModuleList(Up(coarse, fine) for fine, coarse in pairwise(channels))
        self.mix = nn.ModuleList(
            ConvBlock(c, c, shape, config.groups) for c, shape in zip(channels[:-1], shapes[:-1], strict=True)
        )
        if not config.refine:
            self.mix[0] = nn.Identity()

    def forward(self, levels: list[Float[Tensor, "b _ _ _ _"]]) -> list[Float[Tensor, "b _ _ _ _"]]:
        """Decoded features of each level, finest first; the list of skips is emptied on the way to free memory."""
        decoded = [levels.pop()]
        while levels:
            skip, i = levels.pop(), len(levels)
            decoded.insert(0, self.mix[i](self.up[i](decoded[0], size_of(skip)) + skip))
        return decoded


class FindingPath(nn.Module):
    """A narrow decoder a finding over the coarse levels: gated features of each level join on the way up."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        narrow, shapes = config.finding_channels, kernels(config)
        chosen = range(len(config.channels) - config.gated, len(config.channels))
        self.gates = nn.ModuleList(TextGate(config.channels[i], config.text_width, narrow) for i in chosen)
        self.mix = nn.ModuleList(ConvBlock(narrow, narrow, shapes[i], config.groups) for i in chosen)
        self.out = nn.Conv3d(narrow, 2, 1)

    def forward(
        self, levels: list[Float[Tensor, "b _ _ _ _"]], words: Float[Tensor, "b k l t"], mask: Bool[Tensor, "k l"]
    ) -> Float[Tensor, "b k two d h w"]:
        """A logit and a gate a finding at the finest of the coarse levels."""
        x: Tensor | None = None
        for gate, mix, level in reversed(list(zip(self.gates, self.mix, levels[-len(self.gates) :], strict=True))):
            gated = gate(level, words, mask)
            x = mix(gated if x is None else gated + grown(x, size_of(gated)))
        maps: Tensor = rearrange(self.out(x), "(b k) two d h w -> b k two d h w", k=words.shape[1])
        return maps


class Head(nn.Module):
    """A finding's words choose how the shared features count, everywhere and where the finding's gate is open."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        self.weigh = nn.Linear(config.text_width, 2 * config.channels[0])
        self.prior = nn.Parameter(torch.tensor(math.log(PRIOR / (1 - PRIOR))))
        nn.init.normal_(self.weigh.weight, std=0.1 / math.sqrt(config.text_width))

    def forward(
        self,
        shared: Float[Tensor, "b c d h w"],
        coarse: Float[Tensor, "b k two gd gh gw"],
        words: Float[Tensor, "b k l t"],
        mask: Bool[Tensor, "k l"],
    ) -> Float[Tensor, "b k d h w"]:
        """In training all findings at once, which reads the shared features once; else one after the other, because at
        full size five of anything are many."""
        mean = (words * mask[..., None]).sum(2) / mask.sum(-1)[:, None]
        weights = rearrange(self.weigh(mean), "b k (two c) -> b k two c", two=2)
        at_once = weights.shape[1] if torch.is_grad_enabled() else 1
        pairs = zip(torch.split(coarse, at_once, dim=1), torch.split(weights, at_once, dim=1), strict=True)
        return torch.cat([self._some(shared, *pair) for pair in pairs], 1)

    def _some(
        self,
        shared: Float[Tensor, "b c d h w"],
        coarse: Float[Tensor, "b k two gd gh gw"],
        weights: Float[Tensor, "b k two c"],
    ) -> Float[Tensor, "b k d h w"]:
        size = size_of(shared)
        everywhere, inside = (einsum(shared, part, "b c d h w, b k c -> b k d h w") for part in weights.unbind(2))
        logit, gate = coarse.unbind(2)
        mixed = everywhere + grown(logit + self.prior, size)
        return torch.addcmul(mixed, grown(gate.sigmoid(), size), inside)


def kernels(config: LocalizerConfig) -> list[Step]:
    """A kernel a level: flat while slices are more than twice as far apart as pixels, then a cube."""
    depth, plane = config.grid.spacing_mm[0], config.grid.spacing_mm[1]
    found: list[Step] = [FLAT if depth > 2 * plane else (3, 3, 3)]
    for step in config.steps:
        depth, plane = depth * step[0], plane * step[1]
        found.append(FLAT if depth > 2 * plane else (3, 3, 3))
    return found
