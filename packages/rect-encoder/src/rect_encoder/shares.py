"""What the region map says about each patch, and about each region."""

import math

import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from rect_core.findings import REGIONS

PLACE_FEATURES = 7
"""Log of a region's volume, its centre and its extent along three axes."""

DENSITIES = 16
"""Equal steps of the HU range in which a region's voxels are counted."""

REGION_FEATURES = PLACE_FEATURES + DENSITIES
"""Numbers that describe a region."""

_COUNTED = 1000.0
"""A share of one voxel in so many is told from none."""


def region_shares(regions: UInt8[Tensor, "b d h w"], patch: tuple[int, int, int]) -> Float[Tensor, "b n r"]:
    """Share of each patch's voxels that belongs to each of the 20 regions, exact; label 0 belongs to none.

    Counted by one histogram a slice of patches: nothing larger than a slice is written. Raises ValueError for a label
    above 20, which the histogram would otherwise hand to the next patch.
    """
    if int(regions.max()) > len(REGIONS):
        raise ValueError(f"region map holds label {int(regions.max())}: labels end at {len(REGIONS)}")
    labels = len(REGIONS) + 1
    (_, _, h, w), (pd, ph, pw) = regions.shape, patch
    # In int32 throughout: mixed with the map's uint8, or in int64, it takes four times as long.
    rows, columns = (torch.arange(n, device=regions.device, dtype=torch.int32) // p for n, p in ((h, ph), (w, pw)))
    cell = (rows[:, None] * (w // pw) + columns) * labels
    size = (h // ph) * (w // pw) * labels
    counts = [
        torch.bincount((cell + layer).flatten(), minlength=size) for scan in regions.int() for layer in scan.split(pd)
    ]
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


@torch.no_grad()
def region_densities(
    voxels: Float[Tensor, "b 1 d h w"], regions: UInt8[Tensor, "b d h w"]
) -> Float[Tensor, "b r densities"]:
    """How dense each region is: the share of its voxels in each of 16 equal steps from -1 to 1, on a logarithmic scale
    from 0 (none) to 1 (all), since a rim of fluid or a speck of calcium is a small share; zeros for an absent region.

    Patches blur such shares, and a small training set does not teach a transformer to count; densitometry does it
    directly, as for emphysema and calcium (Mueller et al. 1988; Agatston et al. 1990).
    """
    step = ((voxels[:, 0].float() + 1) * (DENSITIES / 2)).int().clamp(0, DENSITIES - 1)
    size = (len(REGIONS) + 1) * DENSITIES
    counts = [torch.bincount(each.flatten(), minlength=size) for each in regions.int() * DENSITIES + step]
    tally = rearrange(torch.stack(counts), "b (r s) -> b r s", s=DENSITIES)[:, 1:].float()
    shares = tally / tally.sum(dim=-1, keepdim=True).clamp(min=1)
    return torch.log1p(_COUNTED * shares) / math.log1p(_COUNTED)
