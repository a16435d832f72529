"""Phase 0: patches are hidden, and the encoder learns to say what was there (SimMIM; Xie et al. 2022, in 3D)."""

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rect_core.types import VisionTokens
from rect_encoder.config import EncoderConfig


class MaskedVolume(nn.Module):
    """A learned patch of voxels stands in for hidden ones; a linear head predicts them from the tokens."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.patch = config.patch
        d, h, w = config.patch
        self.cover = nn.Parameter(torch.zeros(d, h, w))
        self.head = nn.Linear(config.dim, d * h * w)

    def hide(
        self, voxels: Float[Tensor, "b 1 d h w"], hidden: Bool[Tensor, "b gd gh gw"]
    ) -> Float[Tensor, "b 1 d h w"]:
        """The scan with its hidden patches covered."""
        pd, ph, pw = self.patch
        gd, gh, gw = hidden.shape[1:]
        where = repeat(hidden, "b gd gh gw -> b 1 (gd pd) (gh ph) (gw pw)", pd=pd, ph=ph, pw=pw)
        cover = repeat(self.cover, "pd ph pw -> (gd pd) (gh ph) (gw pw)", gd=gd, gh=gh, gw=gw)
        return torch.where(where, cover.to(voxels), voxels)

    def loss(
        self, tokens: VisionTokens, voxels: Float[Tensor, "b 1 d h w"], hidden: Bool[Tensor, "b gd gh gw"]
    ) -> Float[Tensor, ""]:
        """Mean absolute error of the hidden voxels that lie inside the scan, in units of the voxels (1 is 1,000 HU)."""
        pd, ph, pw = self.patch
        truth = rearrange(voxels, "b 1 (gd pd) (gh ph) (gw pw) -> b (gd gh gw) (pd ph pw)", pd=pd, ph=ph, pw=pw)
        counted = rearrange(hidden, "b gd gh gw -> b (gd gh gw)") & tokens.patch_present
        if not counted.any():
            raise ValueError("no hidden patch lies inside a scan: give a larger mask_ratio")
        error: Tensor = (self.head(tokens.patches[counted]).float() - truth[counted]).abs().mean()
        return error

    def errors(
        self, tokens: VisionTokens, voxels: Float[Tensor, "b 1 d h w"], hidden: Bool[Tensor, "b gd gh gw"]
    ) -> Float[Tensor, " b"]:
        """As `loss`, of each scan by itself; NaN where none of its hidden patches lies inside it."""
        pd, ph, pw = self.patch
        truth = rearrange(voxels, "b 1 (gd pd) (gh ph) (gw pw) -> b (gd gh gw) (pd ph pw)", pd=pd, ph=ph, pw=pw)
        counted = rearrange(hidden, "b gd gh gw -> b (gd gh gw)") & tokens.patch_present
        error = (self.head(tokens.patches).float() - truth).abs().mean(-1)
        each: Tensor = (error * counted).sum(1) / counted.sum(1)
        return each


def draw_hidden(
    batch: int, grid: tuple[int, int, int], ratio: float, generator: torch.Generator
) -> Bool[Tensor, "b gd gh gw"]:
    """Which patches are hidden: exactly this share of each scan's, rounded, at random."""
    gd, gh, gw = grid
    count = gd * gh * gw
    rank = torch.rand(batch, count, generator=generator, device=generator.device).argsort(1).argsort(1)
    return rearrange(rank < round(ratio * count), "b (gd gh gw) -> b gd gh gw", gd=gd, gh=gh)
