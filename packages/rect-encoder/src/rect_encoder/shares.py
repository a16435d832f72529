"""What the region map says about each patch, and about each region."""

import math

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from rect_core.findings import REGIONS

REGION_FEATURES = 7
"""Numbers that describe a region: log of its volume, its centre and its extent along three axes."""


def region_shares(regions: UInt8[Tensor, "b d h w"], patch: tuple[int, int, int]) -> Float[Tensor, "b n r"]:
    """Share of each patch's voxels that belongs to each of the 20 regions, exact; label 0 belongs to none.

    Counted by one histogram a slice of patches: nothing larger than a slice is written. Raises ValueError for a label
    above 20, which the histogram would otherwise hand to the next patch.
    """
    if int(regions.max()) > len(REGIONS):
        raise ValueError(f"region map holds label {int(regions.max())}: labels end at {len(REGIONS)}")
    labels = len(REGIONS) + 1
    (_, _, h, w), (pd, ph, pw) = regions.shape, patch
    rows, columns = (torch.arange(n, device=regions.device) // p for n, p in ((h, ph), (w, pw)))
    cell = (rows[:, None] * (w // pw) + columns) * labels
    size = (h // ph) * (w // pw) * labels
    counts = [torch.bincount((cell + layer).flatten(), minlength=size) for scan in regions for layer in scan.split(pd)]
    tally = rearrange(torch.stack(counts), "(b gd) (s r) -> b (gd s) r", b=regions.shape[0], r=labels)
    return tally[..., 1:].float() / math.prod(patch)


def patch_presence(
    valid: Int64[Tensor, "b 3 2"], patch_grid: tuple[int, int, int], patch: tuple[int, int, int]
) -> Bool[Tensor, "b n"]:
    """Whether a patch holds any voxel of the scan. valid: half-open voxel ranges of the model grid inside the scan."""
    along = []
    for axis, (patches, voxels) in enumerate(zip(patch_grid, patch, strict=True)):
        first = torch.arange(patches, device=valid.device) * voxels
        start, stop = valid[:, axis, :1], valid[:, axis, 1:]
        along.append(torch.minimum(stop, first + voxels) > torch.maximum(start, first))
    d, h, w = along
    box = d[:, :, None, None] & h[:, None, :, None] & w[:, None, None, :]
    return rearrange(box, "b gd gh gw -> b (gd gh gw)")


def region_features(
    shares: Float[Tensor, "b n r"], centres_mm: Float[Tensor, "n 3"], patch_ml: float
) -> Float[Tensor, "b r 7"]:
    """What softmax attention cannot see of a region: how large it is, where its centre lies and how far it reaches.

    log of 1 + ml over 8, centre and standard deviation along (d, h, w) in units of 100 mm; zeros for an absent region.
    """
    place = centres_mm / 100.0
    total = shares.sum(dim=1)
    weight = shares / total.clamp(min=torch.finfo(shares.dtype).tiny)[:, None]
    centre = einsum(weight, place, "b n r, n x -> b r x")
    spread = (einsum(weight, place.square(), "b n r, n x -> b r x") - centre.square()).clamp(min=0.0).sqrt()
    log_ml = torch.log1p(total * patch_ml) / 8.0
    return torch.cat([log_ml[..., None], centre, spread], dim=-1)
