"""Noise as filtered back projection leaves it: grains and not dots, more of them where rays pass through much."""

from typing import Final

import numpy as np
from jaxtyping import Float32

from rect_data.phantom.grid import Grid
from rect_data.phantom.settings import Settings
from rect_data.phantom.streaks import finer

_WATER_PER_MM: Final = 0.0195
"""Attenuation of water at about 70 keV."""

_SPARED: Final = 0.65
"""Share of a path's logarithm that is left after bow-tie filter and tube current modulation."""

_BLOCK_MM: Final = 12.0
_LEAST, _MOST = 0.55, 2.4
_STREAK: Final = 0.9
_DARK_PATH: Final = 6.2
"""Attenuation from side to side beyond which a scan without stronger current shows streaks."""


def grain(grid: Grid, settings: Settings, rng: np.random.Generator) -> Float32[np.ndarray, "d h w"]:
    """Noise of mean 0 and standard deviation 1, independent from slice to slice.

    Its spectrum rises with frequency (the ramp filter) and rolls off with the kernel (Kijewski and Judy 1987,
    doi:10.1088/0031-9155/32/5/003).
    """
    from scipy import fft

    d, h, w = grid.shape
    rows, columns = fft.next_fast_len(h, real=True), fft.next_fast_len(w, real=True)
    fy, fx = np.fft.fftfreq(rows, grid.spacing_mm[1]), np.fft.rfftfreq(columns, grid.spacing_mm[2])
    f = np.hypot(fy[:, None], fx[None, :])
    amplitude = (np.sqrt(f) * np.exp(-0.5 * (f / settings.grain_mm) ** 2)).astype(np.float32)
    twice = np.where((fx == 0) | (fx == fx[-1]), 1, 2)  # the other half of a real signal's spectrum
    amplitude *= rows * columns / np.sqrt(2 * float((twice * amplitude.astype(np.float64) ** 2).sum()))
    white = rng.standard_normal((d, rows, 2 * len(fx)), dtype=np.float32).view(np.complex64)
    white *= amplitude
    return np.asarray(fft.irfft2(white, (rows, columns), overwrite_x=True)[:, :h, :w])


def opacity(hu: Float32[np.ndarray, "d h w"], grid: Grid) -> Float32[np.ndarray, "d a b"]:
    """Attenuation (a pure number) of one voxel in each block of 12 mm in the plane, were the block full of it."""
    ny, nx = steps(grid)
    mm = (ny * grid.spacing_mm[1] + nx * grid.spacing_mm[2]) / 2
    return np.asarray(np.maximum(hu[:, ny // 2 :: ny, nx // 2 :: nx] / 1000 + 1, 0) * np.float32(_WATER_PER_MM * mm))


def strength(opaque: Float32[np.ndarray, "d a b"]) -> Float32[np.ndarray, "d a b"]:
    """Noise relative to that of average tissue, from `opacity`: it follows how much the rays through a place have
    passed, along four directions."""
    body = opaque > 0.5 * _WATER_PER_MM * _BLOCK_MM
    passed = np.exp(_SPARED * np.stack(_paths(opaque))).mean(axis=0)
    usual = np.median(passed[body]) if body.any() else 1.0
    return np.asarray(np.clip(np.sqrt(passed / usual), _LEAST, _MOST), np.float32)


def shoulder_streaks(
    hu: Float32[np.ndarray, "d h w"],
    opaque: Float32[np.ndarray, "d a b"],
    noise_hu: float,
    grid: Grid,
    rng: np.random.Generator,
) -> None:
    """Adds, in place, the noise of the few photons that cross both shoulders or a wide body: long streaks from side to
    side, in the rows that are darkest for them."""
    ny, nx = steps(grid)
    wide = 4 * nx
    excess = np.clip(np.exp(0.5 * (opaque.sum(axis=2) - _DARK_PATH)) - 1, 0, _MOST)
    for plane, rows in zip(hu, excess, strict=True):
        white = rng.standard_normal((plane.shape[0] + 2, plane.shape[1] // wide + 2), dtype=np.float32)
        if rows.max() > 0:
            fine = (white[1:-1] - 0.5 * (white[:-2] + white[2:])) / np.float32(np.sqrt(1.5))
            amount = finer(rows[:, None], (ny, 1), (plane.shape[0], 1))
            plane += np.float32(_STREAK * noise_hu) * amount * finer(fine, (1, wide), (plane.shape[0], plane.shape[1]))


def steps(grid: Grid) -> tuple[int, int]:
    """Voxels along h and w of a block of `strength`."""
    ny, nx = (max(1, round(_BLOCK_MM / s)) for s in grid.spacing_mm[1:])
    return ny, nx


def _paths(opaque: Float32[np.ndarray, "d a b"]) -> list[np.ndarray]:
    """Attenuation along the row, the column and both diagonals through each block."""
    d, a, b = opaque.shape
    row, column = np.arange(a)[:, None], np.arange(b)[None, :]
    out = [np.broadcast_to(opaque.sum(axis=axis, keepdims=True), opaque.shape) for axis in (2, 1)]
    for line in (row + column, row - column + b - 1):
        count = a + b - 1
        index = (np.arange(d)[:, None, None] * count + line[None]).ravel()
        total = np.bincount(index, opaque.ravel(), d * count).reshape(d, count) * np.sqrt(2)
        out.append(total[:, line])
    return out
