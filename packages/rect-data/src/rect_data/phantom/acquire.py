"""From tissue to a scan: what scanner and reconstruction do to a picture."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Int16

from rect_core.hounsfield import PADDING_HU
from rect_data.phantom.grain import grain, opacity, shoulder_streaks, steps, strength
from rect_data.phantom.grid import Grid
from rect_data.phantom.scene import Scene
from rect_data.phantom.settings import TYPICAL, Settings
from rect_data.phantom.streaks import harden, metal_streaks, ramps

HIGHEST_HU: Final = 3071
"""12 bits from -1024."""

_DRAWN_SLICE_MM: Final = 1.8
"""Surfaces are drawn about as sharp as a slice of this thickness shows them."""

_DETAIL_MM: Final = 1.2


def acquire(scene: Scene, rng: np.random.Generator, settings: Settings = TYPICAL) -> Int16[np.ndarray, "d h w"]:
    """HU of a scene as this scanner would show them, -1024 to 3071, on the drawing grid."""
    from scipy import ndimage

    grid = scene.grid
    opaque = opacity(scene.hu, grid)
    hu = scene.hu.copy()
    harden(hu, grid)
    metal_streaks(hu, grid, rng)
    for axis in (1, 2):
        ndimage.correlate1d(hu, _kernel(settings, grid.spacing_mm[axis]), axis, output=hu, mode="nearest")
    profile = _profile(settings, grid.spacing_mm[0])
    lost = float(np.sqrt((profile**2).sum()))  # what the profile averages away
    _add_grain(hu, strength(opaque), settings.noise_hu / lost, settings, grid, rng)
    shoulder_streaks(hu, opaque, settings.noise_hu / lost, grid, rng)
    if len(profile) > 1:
        ndimage.correlate1d(hu, profile, 0, output=hu, mode="nearest")
    np.clip(np.rint(hu, out=hu), PADDING_HU, HIGHEST_HU, out=hu)
    out = hu.astype(np.int16)
    if settings.circle:
        out[:, outside_circle(grid)] = PADDING_HU
    return out


def outside_circle(grid: Grid) -> Bool[np.ndarray, "h w"]:
    """Voxels of a slice outside the circle that a scanner reconstructs, as wide as the picture."""
    _, h, w = grid.shape
    _, sh, sw = grid.spacing_mm
    y, x = (np.arange(h) - (h - 1) / 2) * sh, (np.arange(w) - (w - 1) / 2) * sw
    return np.asarray(y[:, None] ** 2 + x[None, :] ** 2 > (max(h * sh, w * sw) / 2) ** 2)


def _add_grain(
    hu: Float32[np.ndarray, "d h w"],
    level: Float32[np.ndarray, "d a b"],
    noise_hu: float,
    settings: Settings,
    grid: Grid,
    rng: np.random.Generator,
) -> None:
    noise = grain(grid, settings, rng)
    down, across = (
        ramps(n, k, size) * np.float32(scale)
        for n, k, size, scale in zip(steps(grid), level.shape[1:], grid.shape[1:], (noise_hu, 1.0), strict=True)
    )
    for plane, one, relative in zip(hu, noise, level, strict=True):
        one *= down @ relative @ across.T
        plane += one


def _kernel(settings: Settings, spacing_mm: float) -> Float[np.ndarray, " n"]:
    """In-plane point spread along one axis: a Gaussian, with detail added back as sharp kernels do."""
    reach = int(np.ceil(3 * max(settings.psf_mm, _DETAIL_MM) / spacing_mm))
    at = np.arange(-reach, reach + 1) * spacing_mm
    spread = _gauss(at, settings.psf_mm, spacing_mm)
    soft = np.convolve(spread, _gauss(at, _DETAIL_MM, spacing_mm), mode="same")
    kernel = spread + settings.edge * (spread - soft)
    return np.asarray(kernel / kernel.sum())


def _profile(settings: Settings, spacing_mm: float) -> Float[np.ndarray, " n"]:
    """Slice profile beyond what is drawn: three slices or more where thick slices are written close together."""
    variance = max(settings.slice_mm**2 - _DRAWN_SLICE_MM**2, 0) / 12
    reach = int(np.ceil(3 * np.sqrt(variance) / spacing_mm))
    profile = _gauss(np.arange(-reach, reach + 1) * spacing_mm, float(np.sqrt(variance)), spacing_mm)
    return np.asarray(profile / profile.sum())


def _gauss(at: Float[np.ndarray, " n"], sigma_mm: float, spacing_mm: float) -> Float[np.ndarray, " n"]:
    """A normal density averaged over each voxel."""
    from scipy.special import ndtr

    sigma = max(sigma_mm, 1e-3)
    return np.asarray(ndtr((at + spacing_mm / 2) / sigma) - ndtr((at - spacing_mm / 2) / sigma))
