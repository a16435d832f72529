"""Changes of brightness: blur, gamma, HU shift and noise, each with a strength of its own for every case.

All take and give voxels in [-1, 1]; a strength of 0 changes nothing.
"""

import math

import torch
from jaxtyping import Float32
from torch import Tensor
from torch.nn import functional as F


def blur(
    voxels: Float32[Tensor, "b 1 d h w"],
    sigma_mm: Float32[Tensor, " b"],
    spacing_mm: tuple[float, float, float],
    most_mm: float,
) -> Float32[Tensor, "b 1 d h w"]:
    """A Gaussian of the same width in mm along each axis, the edge repeated. most_mm: no sigma is larger."""
    for axis, spacing in enumerate(spacing_mm):
        reach = math.ceil(3 * most_mm / spacing)
        x = torch.arange(-reach, reach + 1, device=voxels.device)
        kernel = torch.exp(-0.5 * (x / (sigma_mm / spacing).clamp_min(1e-3)[:, None]) ** 2)
        kernel = kernel / kernel.sum(dim=1, keepdim=True)
        pad = [0] * 6
        pad[4 - 2 * axis] = pad[5 - 2 * axis] = reach
        edged, size = F.pad(voxels, pad, "replicate"), voxels.shape[2 + axis]
        voxels = edged.narrow(2 + axis, 0, size) * _wide(kernel[:, 0])
        for step in range(1, 2 * reach + 1):
            voxels.addcmul_(edged.narrow(2 + axis, step, size), _wide(kernel[:, step]))
    return voxels


def gamma(voxels: Float32[Tensor, "b 1 d h w"], exponent: Float32[Tensor, " b"]) -> Float32[Tensor, "b 1 d h w"]:
    """[-1, 1] as [0, 1] to a power."""
    return ((voxels + 1) / 2).clamp(0, 1) ** _wide(exponent) * 2 - 1


def hu_shift(
    voxels: Float32[Tensor, "b 1 d h w"], hu: Float32[Tensor, " b"], hu_range: tuple[float, float]
) -> Float32[Tensor, "b 1 d h w"]:
    """So many HU brighter, clipped to the range."""
    return (voxels + _wide(hu) * (2 / (hu_range[1] - hu_range[0]))).clamp(-1, 1)


def noise(
    voxels: Float32[Tensor, "b 1 d h w"],
    sigma_hu: Float32[Tensor, " b"],
    hu_range: tuple[float, float],
    generator: torch.Generator,
) -> Float32[Tensor, "b 1 d h w"]:
    """White noise of so many HU, clipped to the range."""
    grain = torch.randn(voxels.shape, generator=generator, device=generator.device)
    return (voxels + grain * _wide(sigma_hu) * (2 / (hu_range[1] - hu_range[0]))).clamp(-1, 1)


def _wide(strength: Float32[Tensor, " b"]) -> Float32[Tensor, "b 1 1 1 1"]:
    return strength[:, None, None, None, None]
