"""What dense things do to the rest of their slices: dark bands between bones, and the streaks of metal.

X-rays harden as they pass: a ray through much bone or metal meets less attenuation than a single energy would, and the
reconstruction spreads the missing part along the ray (Barrett and Keat 2004, doi:10.1148/rg.246045065).
"""

from typing import Final

import numpy as np
from einops import reduce
from jaxtyping import Float, Float32

from rect_data.phantom.grid import Grid

METAL_HU: Final = 2500.0
"""Voxels above are metal: nothing in a body is."""

_BONE_HU: Final = 150.0
_STEP_MM: Final = 4.5
_DARKEST_HU: Final = 45.0
_DARK_PER_MM2: Final = 0.6
_ANGLES: Final = 90
_CELL_MM: Final = 3.0


def harden(hu: Float32[np.ndarray, "d h w"], grid: Grid) -> None:
    """Darkens, in place, what lies between dense things on its left and right: between shoulders, and between arms that
    lie beside the body."""
    from scipy import ndimage

    ny, nx = (max(1, round(_STEP_MM / s)) for s in grid.spacing_mm[1:])
    bone_mm = np.clip(hu[:, ::ny, ::nx] - _BONE_HU, 0, 1500) / 1000 * (nx * grid.spacing_mm[2])
    before = np.cumsum(bone_mm, axis=2)
    both = before * (before[:, :, -1:] - before)
    dark = _DARKEST_HU * np.tanh(_DARK_PER_MM2 / _DARKEST_HU * ndimage.gaussian_filter(both, (0.7, 0.8, 2.0)))
    for plane, band in zip(hu, dark, strict=True):
        if band.max() > 2:
            plane -= finer(band, (ny, nx), (plane.shape[0], plane.shape[1]))


def metal_streaks(hu: Float32[np.ndarray, "d h w"], grid: Grid, rng: np.random.Generator) -> None:
    """Adds, in place, the streaks of every slice that holds metal: the error of each ray through it, reconstructed as
    the scanner would (filtered back projection)."""
    slices = np.flatnonzero((hu > METAL_HU).any(axis=(1, 2)))
    if not len(slices):
        return
    fh, fw = (max(1, round(_CELL_MM / s)) for s in grid.spacing_mm[1:])
    h, w = hu.shape[1] // fh * fh, hu.shape[2] // fw * fw
    dense = np.where(hu[slices, :h, :w] > METAL_HU, hu[slices, :h, :w] / 1000, 0)
    metal = reduce(dense, "d (y fh) (x fw) -> d y x", "mean", fh=fh, fw=fw)
    field = _back_projected(metal.astype(np.float32), (fh * grid.spacing_mm[1], fw * grid.spacing_mm[2]), rng)
    for at, plane in zip(slices, field, strict=True):
        hu[at] += finer(plane, (fh, fw), (hu.shape[1], hu.shape[2]))


def finer(
    coarse: Float[np.ndarray, "a b"], steps: tuple[int, int], shape: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """A field known at every n-th voxel, from the first on, at all voxels (linear, constant beyond the last)."""
    down, across = (ramps(n, k, size) for n, k, size in zip(steps, coarse.shape, shape, strict=True))
    return np.asarray(down @ coarse.astype(np.float32) @ across.T)


def ramps(step: int, count: int, size: int) -> Float32[np.ndarray, "size count"]:
    """Weights of `count` known values, one every `step` voxels, in each of `size` voxels."""
    at = np.minimum(np.arange(size) / step, count - 1)
    return np.asarray(np.maximum(1 - np.abs(at[:, None] - np.arange(count)[None]), 0), np.float32)


def _back_projected(
    metal: Float32[np.ndarray, "d y x"], cell_mm: tuple[float, float], rng: np.random.Generator
) -> Float32[np.ndarray, "d y x"]:
    d, ny, nx = metal.shape
    y = (np.arange(ny) - (ny - 1) / 2)[:, None] * cell_mm[0]
    x = (np.arange(nx) - (nx - 1) / 2)[None, :] * cell_mm[1]
    bins = 2 * int(np.hypot(ny * cell_mm[0], nx * cell_mm[1]) / 2 / cell_mm[1]) + 5
    ramp = np.abs(np.fft.rfftfreq(bins)).astype(np.float32)
    where = np.nonzero(metal)
    out = np.zeros(metal.shape, np.float32)
    for angle in (np.arange(_ANGLES) + rng.random()) * (np.pi / _ANGLES):
        place = (y * np.sin(angle) + x * np.cos(angle)) / cell_mm[1] + bins // 2
        first = place.astype(np.int64)
        rest = (place - first).astype(np.float32)
        row, part = where[0] * bins + first[where[1:]], rest[where[1:]]
        mass = metal[where] * cell_mm[0]
        rays = np.bincount(row, mass * (1 - part), d * bins) + np.bincount(row + 1, mass * part, d * bins)
        rays = rays.reshape(d, bins)
        error = _error(rays, rng)
        filtered = np.fft.irfft(np.fft.rfft(error, axis=1) * ramp, bins, axis=1).astype(np.float32)
        out += filtered[:, first] * (1 - rest) + filtered[:, first + 1] * rest
    return out


def _error(rays: Float[np.ndarray, "d s"], rng: np.random.Generator) -> Float[np.ndarray, "d s"]:
    """What is missing of rays through so many mm of metal, and how much their few photons scatter."""
    seen = rays / (1 + rays / 60)
    return -1.6 * seen**1.5 + 5.0 * seen * rng.standard_normal(rays.shape)
