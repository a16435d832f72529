"""Voxels to patch tokens, and where in the body a patch lies."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from rect_encoder.config import EncoderConfig

WAVELENGTHS_MM = tuple(32.0 * 2 ** (i / 2) for i in range(12))
"""Half octaves from 32 mm (under two patches of the finest grid) to 1.4 m (longer than any chest)."""


def axis_centres_mm(config: EncoderConfig) -> tuple[Tensor, Tensor, Tensor]:
    """Patch centres along each axis (superior, posterior, left), in mm from the centre of the grid.

    `Preprocess` puts the centre of the lungs' box there.
    """
    d, h, w = (
        (torch.arange(patches) + 0.5 - patches / 2) * patch * spacing_mm
        for patches, patch, spacing_mm in zip(config.patch_grid, config.patch, config.grid.spacing_mm, strict=True)
    )
    return d, h, w


def centres_mm(config: EncoderConfig) -> Float[Tensor, "n 3"]:
    """Centre of every patch in (d, h, w) order: (superior, posterior, left) mm from the centre of the lungs' box."""
    return torch.cartesian_prod(*axis_centres_mm(config))


class PatchEmbedding(nn.Module):
    """One linear map of a patch's voxels: a convolution whose stride is its kernel, written as a matrix product."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.patch = config.patch
        self.project = nn.Linear(math.prod(config.patch), config.dim)

    def forward(self, voxels: Float[Tensor, "b 1 d h w"]) -> Float[Tensor, "b n c"]:
        """Voxels of the model grid in [-1, 1] to one token a patch."""
        d, h, w = self.patch
        cut = rearrange(voxels, "b 1 (gd d) (gh h) (gw w) -> b (gd gh gw) (d h w)", d=d, h=h, w=w)
        tokens: Tensor = self.project(cut.to(self.project.weight.dtype))
        return tokens


class Positions(nn.Module):
    """A vector for each place in mm: a linear map of Fourier features, one axis at a time, summed.

    A function of millimetres rather than a table of patches, so that the same weights serve grids of any spacing and
    size; Fourier features rather than a table interpolated in mm, because they need no range to be fixed beforehand
    and every training step reaches all of them. Mildenhall et al. 2020 (NeRF), section 5.1.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.d, self.h, self.w = (nn.Linear(2 * len(WAVELENGTHS_MM), config.dim, bias=False) for _ in range(3))

    def forward(self, axes_mm: tuple[Tensor, Tensor, Tensor]) -> Float[Tensor, "n c"]:
        """Patch centres along each axis, mm, to one vector a patch in (d, h, w) order."""
        linears = (self.d, self.h, self.w)
        d, h, w = (linear(waves(mm).to(linear.weight)) for linear, mm in zip(linears, axes_mm, strict=True))
        places: Tensor = rearrange(d, "gd c -> gd 1 1 c") + rearrange(h, "gh c -> gh 1 c") + w
        return rearrange(places, "gd gh gw c -> (gd gh gw) c")


def waves(mm: Float[Tensor, " g"]) -> Float[Tensor, "g f"]:
    """Sine and cosine of places along one axis at each wavelength."""
    angle = mm[:, None] * (2 * math.pi / torch.tensor(WAVELENGTHS_MM, device=mm.device))
    return torch.cat([angle.sin(), angle.cos()], dim=-1)
