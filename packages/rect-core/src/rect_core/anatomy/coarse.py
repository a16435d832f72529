"""The coarse grid that anatomy is found on (about 3 mm), and the way back to the scan's own voxels.

Topology needs no 0.7 mm voxels: 200x512x512 become 100x128x128. Coming back, voxels at the surface of air are decided
by their own HU, so that the border of lung, airway and skin is that of the scan and not of the coarse grid.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from einops import reduce, repeat
from jaxtyping import Bool, Float, Shaped, UInt8

TARGET_MM: Final = (3.5, 3.3, 3.3)
"""Largest size of a block of several voxels along (d, h, w)."""

AIR_HU: Final = -400.0
"""Halfway between aerated lung and soft tissue."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Coarse:
    """A scan averaged over blocks of voxels. hu: [z y x]; spacing_mm of it; factors: voxels a block along (d, h, w)."""

    hu: Float[np.ndarray, "z y x"]
    spacing_mm: tuple[float, float, float]
    factors: tuple[int, int, int]


def coarsen(hu: Shaped[np.ndarray, "d h w"], spacing_mm: tuple[float, float, float]) -> Coarse:
    """Block means of a scan, in blocks of at most 3.5 mm, or one voxel where voxels are larger. The last block of a row
    or column repeats the scan's last voxels."""
    # Micrometres: the digits that a float32 affine loses must not decide which side of a threshold a scan falls on.
    sd, sh, sw = (round(s, 3) for s in spacing_mm)
    fd, fh, fw = factors = tuple(max(1, int(most / s)) for most, s in zip(TARGET_MM, (sd, sh, sw), strict=True))
    shape = tuple(-(-n // f) for n, f in zip(hu.shape, factors, strict=True))
    short = ((0, 0), (0, -hu.shape[1] % fh), (0, -hu.shape[2] % fw))
    exact = np.int32 if hu.dtype == np.int16 else np.float32
    out = np.empty(shape, np.float32)
    for z in range(shape[0]):
        slab = hu[z * fd : (z + 1) * fd]
        slab = np.pad(slab, short, mode="edge") if short[1][1] or short[2][1] else slab
        rows = np.zeros((shape[1], slab.shape[2]), exact)  # whole rows first: adding them is what memory does best
        for plane in slab:
            for offset in range(fh):
                rows += plane[offset::fh]
        out[z] = reduce(rows, "y (x fw) -> y x", "sum", fw=fw) / np.float32(len(slab) * fh * fw)
    return Coarse(hu=out, spacing_mm=(sd * fd, sh * fh, sw * fw), factors=(fd, fh, fw))


def refine(
    labels: UInt8[np.ndarray, "z y x"], coarse: Coarse, hu: Shaped[np.ndarray, "d h w"]
) -> UInt8[np.ndarray, "d h w"]:
    """Coarse labels on the scan's own voxels. In blocks at a surface of air (lung, airway, outside) each voxel is air
    or tissue by its own HU and takes the label of its block's side of that kind."""
    fine = expand(labels, coarse.factors, hu.shape)
    if coarse.factors == (1, 1, 1):
        return fine
    of_air, of_tissue = _two_sides(labels, coarse.hu < AIR_HU)
    mixed = np.argwhere(of_air != of_tissue)
    inside = np.stack(np.meshgrid(*[np.arange(f) for f in coarse.factors], indexing="ij"), -1).reshape(-1, 3)
    for part in np.array_split(mixed, 1 + len(mixed) // 20_000):
        last = np.array(hu.shape) - 1
        at = np.minimum(part[:, None] * np.array(coarse.factors) + inside[None], last)
        d, h, w = (np.ascontiguousarray(at[..., axis]) for axis in range(3))
        block = tuple(part[:, axis, None] for axis in range(3))
        fine[d, h, w] = np.where(hu[d, h, w] < AIR_HU, of_air[block], of_tissue[block])
    return fine


def _two_sides(
    labels: UInt8[np.ndarray, "z y x"], air: Bool[np.ndarray, "z y x"]
) -> tuple[UInt8[np.ndarray, "z y x"], UInt8[np.ndarray, "z y x"]]:
    """The label that a block's air voxels take and the one its tissue voxels take: its own, or for the other kind that
    of a face neighbour of the other kind, or its own where there is none."""
    of_air, of_tissue = labels.copy(), labels.copy()
    open_air, open_tissue = ~air, air.copy()
    for axis in range(3):
        for here, there in ((slice(1, None), slice(None, -1)), (slice(None, -1), slice(1, None))):
            a = tuple(here if i == axis else slice(None) for i in range(3))
            b = tuple(there if i == axis else slice(None) for i in range(3))
            to_air, to_tissue = open_air[a] & air[b], open_tissue[a] & ~air[b]
            of_air[a][to_air] = labels[b][to_air]
            of_tissue[a][to_tissue] = labels[b][to_tissue]
            open_air[a] &= ~to_air
            open_tissue[a] &= ~to_tissue
    return of_air, of_tissue


def thin(labels: UInt8[np.ndarray, "d h w"], coarse: Coarse) -> UInt8[np.ndarray, "z y x"]:
    """The label in the middle of each block."""
    picks = tuple(
        np.minimum(np.arange(n) * f + f // 2, size - 1)
        for n, f, size in zip(coarse.hu.shape, coarse.factors, labels.shape, strict=True)
    )
    return labels[np.ix_(*picks)]


def expand(
    blocks: Shaped[np.ndarray, "z y x"], factors: tuple[int, int, int], shape: tuple[int, ...]
) -> Shaped[np.ndarray, "d h w"]:
    """Each block's value on all its voxels."""
    fd, fh, fw = factors
    planes = repeat(blocks, "z y x -> z (y fh) (x fw)", fh=fh, fw=fw)[:, : shape[1], : shape[2]]
    return np.ascontiguousarray(repeat(planes, "z h w -> (z fd) h w", fd=fd)[: shape[0]])
