"""Slice-aware and region-aware attention, without a table of all pairs of patches.

A token is a patch or one of the 21 summary tokens: 20 region tokens, then the global token. A sequence holds the
summary tokens first, then the patches in (d, h, w) order.

    patch   reads its own slice of patches and `neighbours` slices on either side (all slices in a full layer), with
            a learned bias for each head and slice distance |dz|; and the summary tokens, a region's with the log of
            the share of the patch's voxels that lie in it
    region  reads all patches with the same log share, and the summary tokens
    global  reads everything

A share of none is a bias of -1e4, whose softmax is exactly 0: a patch outside a region neither reads it nor is read
by it. Patches wholly in padding and the tokens of absent regions are masked as keys in the same way. The global token
is never masked, so no row is empty.

The bias of patch i and key j is a product of two narrow matrices, so it rides on q and k as extra columns: what the
patch asks times what the key answers. No (i, j) mask exists, the fused kernels stay usable, and the gradient of the
learned bias comes out of their ordinary backward pass. The columns are:

    20 regions    log shares of the patch         x  one-hot of a region token
     1 padding    1                               x  -1e4 for a patch wholly in padding
     p slices     B[|dz|] to each slice in reach  x  one-hot of the key's slice, modulo p = 2 neighbours + 1
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rect_core.findings import REGIONS
from rect_encoder.attend import attend
from rect_encoder.config import EncoderConfig

MASKED = -1e4
"""Added to the score of a key that may not be read. Finite, because -inf times 0 is NaN."""

SUMMARY = len(REGIONS) + 1
"""Region tokens and the global token."""

AT_ONCE = 2048
"""Patches whose attention is worked out in one call: many small calls cost more than the copies of their keys."""

FARTHEST = 31
"""The largest slice distance with a bias of its own in a full layer; what lies farther shares it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionBias:
    """What the scan, rather than the weights, adds to the scores; made once and read by all layers.

    asks: region and padding columns of a patch as query; answers: those of every token as key, summary tokens first;
    summary: the scores' bias from each summary token to every token.
    """

    asks: Float[Tensor, "b n e"]
    answers: Float[Tensor, "b keys e"]
    summary: Float[Tensor, "b t keys"]


def attention_bias(
    shares: Float[Tensor, "b n r"], region_present: Bool[Tensor, "b r"], patch_present: Bool[Tensor, "b n"]
) -> AttentionBias:
    """The scan's part of the scores, from its patch-to-region shares and what of it is present."""
    log_share = shares.log().clamp(min=MASKED)
    padding = torch.where(patch_present, 0.0, MASKED).to(shares)
    one_hot = torch.eye(SUMMARY, SUMMARY).to(shares).expand(shares.shape[0], -1, -1)
    # The global token answers with nothing: its place in the one-hot is the padding column's.
    tokens = F.pad(one_hot[..., :-1], (0, 1))
    # An absent region reads nothing but itself: its token is a constant of the weights, whatever the scan.
    present = F.pad(region_present, (0, 1), value=True)
    readable = present[:, :, None] & present[:, None, :] | one_hot.bool()
    by_patch = F.pad(rearrange(log_share, "b n r -> b r n"), (0, 0, 0, 1)) + padding[:, None]
    return AttentionBias(
        asks=F.pad(log_share, (0, 1), value=1.0),
        answers=torch.cat([tokens, F.pad(padding[..., None], (SUMMARY - 1, 0))], dim=1),
        summary=torch.cat([torch.where(readable, 0.0, MASKED).to(shares), by_patch], dim=-1),
    )


class SliceRegionAttention(nn.Module):
    """Multi-head self-attention over summary tokens and patches, as the head of this file says.

    full: patches read all slices. Otherwise work and memory grow linearly with slices.
    """

    def __init__(self, config: EncoderConfig, *, full: bool) -> None:
        super().__init__()
        self.heads, self.slices, self.full = config.heads, config.patch_grid[0], full
        self.reach = FARTHEST if full else config.neighbours
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.out = nn.Linear(config.dim, config.dim)
        self.distance_bias = nn.Parameter(torch.zeros(config.heads, self.reach + 1))

    def forward(self, x: Float[Tensor, "b s c"], bias: AttentionBias) -> Float[Tensor, "b s c"]:
        """Tokens to tokens, summary tokens first."""
        q, k, v = rearrange(self.qkv(x), "b s (three heads c) -> three b heads s c", three=3, heads=self.heads)
        q = q * q.shape[-1] ** -0.5
        summary = attend(q[:, :, :SUMMARY], k, v, bias.summary[:, None].to(q.dtype))
        patches = self._patches(q[:, :, SUMMARY:], k, v, bias)
        read: Tensor = self.out(rearrange(torch.cat([summary, patches], dim=2), "b heads s c -> b s (heads c)"))
        return read

    def _patches(
        self,
        q: Float[Tensor, "b heads n c"],
        k: Float[Tensor, "b heads keys c"],
        v: Float[Tensor, "b heads keys c"],
        bias: AttentionBias,
    ) -> Float[Tensor, "b heads n c"]:
        """What every patch reads: in a full layer at once, else some slices after the others."""
        width, size = q.shape[-1], q.shape[2] // self.slices
        asks, answers = self._slice_columns(size)
        q = _append(q, bias.asks, asks)
        k = _append(k, bias.answers, answers)
        if self.full:
            return attend(q, k, v)
        at_once = max(1, AT_ONCE // size)
        q = rearrange(q, "b heads (z s) c -> (b heads) z s c", s=size)
        # What lies beyond the first and last slice is a key in padding.
        beyond = F.pad(k.new_full((1,), MASKED), (width + SUMMARY - 1, k.shape[-1] - width - SUMMARY))
        keys, values = _Windows(k, size, self.reach, beyond), _Windows(v, size, self.reach, beyond.new_zeros(width))
        read = [
            attend(here, keys.of(z, here.shape[1]), values.of(z, here.shape[1]))
            for z, here in zip(range(0, self.slices, at_once), torch.split(q, at_once, dim=1), strict=True)
        ]
        return rearrange(torch.cat(read, dim=1), "(b heads) z s c -> b heads (z s) c", heads=self.heads)

    def _slice_columns(self, size: int) -> tuple[Float[Tensor, "heads n p"], Float[Tensor, "1 keys p"]]:
        """The slice columns of patches as queries and of all tokens as keys; size: patches of a slice."""
        device = self.distance_bias.device
        period = self.slices if self.full else 2 * self.reach + 1
        z = torch.arange(self.slices, device=device)
        step = torch.arange(period, device=device) - z[:, None]
        # Slices in reach differ modulo the period, so a column stands for the one of them that is nearest.
        apart = step.abs().clamp(max=self.reach) if self.full else ((step + self.reach) % period - self.reach).abs()
        asks = repeat(self.distance_bias[:, apart], "heads z p -> heads (z s) p", s=size)
        answers = repeat(F.one_hot(z % period, period).to(asks), "z p -> 1 (z s) p", s=size)
        return asks, F.pad(answers, (0, 0, SUMMARY, 0))


class _Windows:
    """What slices may read: the summary tokens, their own patches and those of the slices near them."""

    def __init__(self, x: Float[Tensor, "b heads keys c"], size: int, reach: int, beyond: Float[Tensor, " c"]) -> None:
        self.reach = reach
        self.summary = rearrange(x[:, :, :SUMMARY], "b heads t c -> (b heads) 1 t c")
        inside = rearrange(x[:, :, SUMMARY:], "b heads (z s) c -> (b heads) z s c", s=size)
        edge = beyond.expand(inside.shape[0], reach, size, -1)
        self.patches = torch.cat([edge, inside, edge], dim=1)

    def of(self, first: int, count: int) -> Float[Tensor, "bheads z keys c"]:
        """Of `count` slices from the first on."""
        near = [self.patches[:, z : z + count] for z in range(first, first + 2 * self.reach + 1)]
        return torch.cat([self.summary.expand(-1, count, -1, -1), *near], dim=2)


def _append(
    x: Float[Tensor, "b heads i c"], scan: Float[Tensor, "b i e"], weights: Float[Tensor, "#heads i p"]
) -> Float[Tensor, "b heads i wide"]:
    """x with the columns of the scan and of the weights; zeros to a multiple of 8 keep GPU kernels aligned."""
    b, heads, rows, width = x.shape
    used = width + scan.shape[-1] + weights.shape[-1]
    columns = (
        scan[:, None].to(x.dtype).expand(b, heads, -1, -1),
        weights[None].to(x.dtype).expand(b, heads, -1, -1),
        x.new_zeros(1, 1, 1, -used % 8).expand(b, heads, rows, -1),
    )
    return torch.cat([x, *columns], dim=-1)
