"""Small rotations, scalings and shifts: one resampling, voxels linear and labels nearest."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from rect_data.dataset.collate import Batch


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Float32[Tensor, " n"]:
    """Random numbers between two bounds, on the generator's device."""
    return torch.rand(count, generator=generator, device=generator.device) * (high - low) + low


def random_affines(
    count: int,
    rotate_deg: tuple[float, float, float],
    scale: float,
    shift_mm: tuple[float, float, float],
    generator: torch.Generator,
) -> Float32[Tensor, "n 3 4"]:
    """Maps in mm about the middle, from a place in the new picture to one in the old, as (d, h, w).

    rotate_deg: largest angle about each axis; scale: largest relative change of size; shift_mm: largest shift.
    """
    angles = [uniform(count, -deg, deg, generator) * (math.pi / 180) for deg in rotate_deg]
    size = torch.exp(uniform(count, -math.log1p(scale), math.log1p(scale), generator))
    shift = torch.stack([uniform(count, -mm, mm, generator) for mm in shift_mm], dim=-1)
    turn = _about(0, angles[0]) @ _about(1, angles[1]) @ _about(2, angles[2])
    return torch.cat([turn / size[:, None, None], shift[:, :, None]], dim=-1)


def warp(batch: Batch, cases: list[int], affines: Float32[Tensor, "n 3 4"]) -> Batch:
    """Some cases of a batch moved, one affine each. `valid` stays: what is moved beyond it is cut off, and what comes
    from beyond is padding (-1, region 0, no lesion)."""
    if not cases:
        return batch
    voxels, regions, lesions = batch.voxels.clone(), batch.regions.clone(), batch.lesions.clone()
    thetas = _normalised(affines, batch.regions.shape[1:], batch.spacing_mm)
    for case, theta in zip(cases, thetas, strict=True):
        box = d, h, w = tuple(slice(*ends) for ends in batch.valid[case].tolist())
        grid = places(theta, tuple(batch.regions.shape[1:]), box)
        voxels[case], regions[case], lesions[case] = -1.0, 0, 0
        voxels[case, :, d, h, w] = _linear(batch.voxels[case], grid)
        nearest = Nearest(grid, regions.shape[1:])
        regions[case, d, h, w] = nearest(batch.regions[case])
        for finding in batch.lesions[case].amax(dim=(1, 2, 3)).nonzero()[:, 0].tolist():  # most have no lesion to move
            lesions[case, finding, d, h, w] = nearest(batch.lesions[case, finding])
    return replace(batch, voxels=voxels, regions=regions, lesions=lesions)


def places(theta: Float32[Tensor, "3 4"], shape: tuple[int, ...], box: tuple[slice, ...]) -> Float32[Tensor, "d h w 3"]:
    """The part of an `affine_grid` (without align_corners) that lies in a box of it, as a sum of what each axis adds: a
    quarter of the time on a CPU."""
    d, h, w = (
        (torch.arange(at.start, at.stop, device=theta.device) * 2 + 1) / n - 1 for n, at in zip(shape, box, strict=True)
    )
    along_w = w[:, None] * theta[:, 0] + theta[:, 3]
    along_h, along_d = h[:, None] * theta[:, 1], d[:, None] * theta[:, 2]
    return along_d[:, None, None] + (along_h[:, None] + along_w)


def _linear(voxels: Float32[Tensor, "1 d h w"], grid: Float32[Tensor, "dd hh ww 3"]) -> Float32[Tensor, "1 dd hh ww"]:
    return F.grid_sample(voxels[None] + 1, grid[None], "bilinear", "zeros", align_corners=False)[0] - 1


class Nearest:
    """Labels at the nearest cell, as `grid_sample` finds it, but once for any number of them; 0 outside."""

    def __init__(self, grid: Float32[Tensor, "dd hh ww 3"], shape: tuple[int, ...]) -> None:
        self._at = torch.zeros(grid.shape[:3], dtype=torch.int64, device=grid.device)
        for place, size in zip(reversed(grid.unbind(-1)), shape, strict=True):
            cell = (((place + 1) * size - 1) / 2).round_().clamp_(-1, size) + 1
            self._at = self._at * (size + 2) + cell.to(torch.int64)

    def __call__(self, labels: UInt8[Tensor, "d h w"]) -> UInt8[Tensor, "dd hh ww"]:
        """Of each place of the grid."""
        return F.pad(labels, (1,) * 6).take(self._at)


def _about(axis: int, angle: Float32[Tensor, " n"]) -> Float32[Tensor, "n 3 3"]:
    """Rotations about one of the (d, h, w) axes."""
    a, b = (i for i in range(3) if i != axis)
    turn = torch.eye(3, device=angle.device).repeat(len(angle), 1, 1)
    turn[:, a, a] = turn[:, b, b] = angle.cos()
    turn[:, a, b], turn[:, b, a] = -angle.sin(), angle.sin()
    return turn


def _normalised(
    affines: Float32[Tensor, "n 3 4"], shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> Float32[Tensor, "n 3 4"]:
    """The same maps in `affine_grid`'s terms: from -1 to 1 over the edges of the grid, as (w, h, d)."""
    half = torch.tensor([n * s / 2 for n, s in zip(shape, spacing_mm, strict=True)], device=affines.device)
    columns = torch.cat([half, half.new_ones(1)])
    theta = affines * columns / half[:, None]
    return torch.cat([theta[:, :, :3].flip(1, 2), theta[:, :, 3:].flip(1)], dim=-1)
