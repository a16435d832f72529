"""Crops of a batch to one shape, as often as wanted about a lesion."""

from dataclasses import replace

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from rect_data.dataset.collate import Batch


def crop(batch: Batch, shape: tuple[int, int, int], lesion_bias: float, generator: torch.Generator) -> Batch:
    """A box of every case. A share `lesion_bias` of those with a lesion have one in the middle half of the box (each
    finding alike, then each of its instances, then each voxel); the others lie anywhere inside the scan.
    Labels, reports and reasoning stay those of the whole scan: train with a crop only what a crop can show.

    Raises ValueError for a shape larger than the grid.
    """
    sizes = batch.voxels.shape[2:]
    if any(not 0 < s <= n for s, n in zip(shape, sizes, strict=True)):
        raise ValueError(f"crop of {shape} cells from a grid of {tuple(sizes)}: give at most the grid's own shape")
    starts = [_start(i, batch, shape, lesion_bias, generator) for i in range(len(batch))]
    boxes = [tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True)) for start in starts]
    first = torch.tensor(starts, device=batch.valid.device)[:, :, None]
    size = torch.tensor(shape, device=batch.valid.device)[:, None]
    return replace(
        batch,
        voxels=torch.stack([batch.voxels[i][:, d, h, w] for i, (d, h, w) in enumerate(boxes)]),
        regions=torch.stack([batch.regions[i][d, h, w] for i, (d, h, w) in enumerate(boxes)]),
        lesions=torch.stack([batch.lesions[i][:, d, h, w] for i, (d, h, w) in enumerate(boxes)]),
        valid=torch.minimum((batch.valid - first).clamp_min(0), size),
    )


def _start(
    case: int, batch: Batch, shape: tuple[int, int, int], lesion_bias: float, generator: torch.Generator
) -> tuple[int, int, int]:
    """First cell of a box within the grid."""
    chance, *where = torch.rand(4, generator=generator, device=generator.device).tolist()
    found = _lesion_voxel(batch.lesions[case], generator) if chance < lesion_bias else None
    starts = []
    for axis, (n, size, u) in enumerate(zip(shape, batch.voxels.shape[2:], where, strict=True)):
        if found is not None:
            start = found[axis] - int(n * (0.25 + 0.5 * u))
        else:
            low, high = batch.valid[case, axis].tolist()
            start = low + int(u * (max(high - low - n, 0) + 1))
        starts.append(min(max(start, 0), size - n))
    d, h, w = starts
    return d, h, w


def _lesion_voxel(lesions: UInt8[Tensor, "5 d h w"], generator: torch.Generator) -> list[int] | None:
    """A voxel of a lesion, None where there is none."""
    findings = lesions.amax(dim=(1, 2, 3)).nonzero()[:, 0]
    if not len(findings):
        return None
    mask = lesions[_pick(findings, generator)]
    numbers = torch.bincount(mask.flatten().int())
    instance = _pick(numbers[1:].nonzero()[:, 0] + 1, generator)
    voxel: list[int] = _pick((mask == instance).nonzero(), generator).tolist()
    return voxel


def _pick(rows: Int64[Tensor, "n ..."], generator: torch.Generator) -> Tensor:
    return rows[int(torch.randint(len(rows), (1,), generator=generator, device=generator.device))]
