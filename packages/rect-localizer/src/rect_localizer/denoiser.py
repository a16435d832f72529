"""The denoising transformer: restores the words of all asked findings together, in sight of the scan.

It runs once a scan. Every word reads the words of all asked findings and the scan's region tokens, so a finding's words
come out in the context of the others and of this chest.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rect_core.types import VisionTokens
from rect_localizer.config import LocalizerConfig
from rect_localizer.prompts import PromptTokens


class Denoiser(nn.Module):
    """Prompt tokens in, restored prompt tokens out, in the scale of `PromptTokens.normed`."""

    def __init__(self, config: LocalizerConfig) -> None:
        super().__init__()
        width = config.denoiser_width
        self.enter = nn.Linear(config.text_width, width)
        self.mark = nn.LayerNorm(width)
        self.sight = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, width))
        self.blocks = nn.ModuleList(Block(width, config.denoiser_heads) for _ in range(config.denoiser_layers))
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.text_width))

    def forward(self, prompts: PromptTokens, tokens: VisionTokens) -> Float[Tensor, "b k l t"]:
        """Restored tokens of each scan of the batch; padding comes out zero."""
        k, length = prompts.mask.shape
        noisy = prompts.normed.to(self.enter.weight)
        words = self.enter(noisy)
        # Words of one sequence are marked by their own mean, not by a place in the list: findings have no order.
        own = (words * prompts.mask[..., None]).sum(1, keepdim=True) / prompts.mask.sum(1)[:, None, None]
        words = words + self.mark(own) + positions(length, words.shape[-1]).to(words)
        x = repeat(words, "k l c -> b (k l) c", b=len(tokens.pooled))
        seen, present = self._sight(tokens)
        x = torch.cat([x, seen], 1)
        mask = torch.cat([repeat(prompts.mask, "k l -> b (k l)", b=len(present)), present], 1)
        for block in self.blocks:
            x = block(x, mask)
        restored: Tensor = noisy + rearrange(self.leave(x[:, : k * length]), "b (k l) t -> b k l t", k=k)
        return restored.masked_fill(~prompts.mask[..., None], 0.0)

    def _sight(self, tokens: VisionTokens) -> tuple[Float[Tensor, "b m c"], Bool[Tensor, "b m"]]:
        seen = torch.cat([rearrange(tokens.pooled, "b c -> b 1 c"), tokens.regions], 1)
        return self.sight(seen.to(self.enter.weight)), F.pad(tokens.region_present, (1, 0), value=True)


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.qkv, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Float[Tensor, "b n c"], mask: Bool[Tensor, "b n"]) -> Float[Tensor, "b n c"]:
        """mask: which tokens may be read."""
        q, k, v = rearrange(
            self.qkv(self.norm(x)), "b n (three heads c) -> three b heads n c", three=3, heads=self.heads
        )
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=rearrange(mask, "b n -> b 1 1 n"))
        x = x + self.out(rearrange(read, "b heads n c -> b n (heads c)"))
        y: Tensor = x + self.mlp(x)
        return y


def positions(length: int, width: int) -> Float[Tensor, "l c"]:
    """Sines and cosines of the place in the sequence (Vaswani et al. 2017): a blanked word must know where it stood."""
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    angle = torch.arange(length)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], 1)


def restoration_loss(
    restored: Float[Tensor, "b k l t"], clean: PromptTokens, damaged: Bool[Tensor, "k l"]
) -> Float[Tensor, ""]:
    """Mean squared error against the clean words; a blanked or swapped word counts four times.

    clean, damaged: the prompts before `corrupt` and what it says it damaged.
    """
    error = reduce((restored - clean.normed.to(restored)) ** 2, "b k l t -> k l", "mean")
    weight = clean.mask * (1.0 + 3.0 * damaged)
    return (error * weight).sum() / weight.sum()
