"""Noise like that of a real scan: as strong in each slice, and as grainy along each axis."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32

_PATCH: Final = 5
_QUIET: Final = 0.15
"""Share of the body's patches that count as even tissue: the least varied ones."""

_LEAST_VOXELS: Final = 50
_USUAL_HU: Final = 25.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanNoise:
    """Standard deviation in HU of each slice [d], and correlation of neighbours along (d, h, w)."""

    strength_hu: Float[np.ndarray, " d"]
    correlation: tuple[float, float, float]

    @classmethod
    def of(cls, hu: Float32[np.ndarray, "d h w"], body: Bool[np.ndarray, "d h w"]) -> "ScanNoise":
        """Measured in the least varied patches of 5 by 5 voxels inside the body."""
        from scipy import ndimage

        size = (1, _PATCH, _PATCH)
        mean = ndimage.uniform_filter(hu, size)
        spread = np.sqrt(np.maximum(ndimage.uniform_filter(hu * hu, size) - mean * mean, 0))
        inner = ndimage.minimum_filter(body, size)
        strength, quiet = np.full(len(hu), np.nan), np.zeros_like(inner)
        for level, (one, within) in enumerate(zip(spread, inner, strict=True)):
            if within.sum() >= _LEAST_VOXELS:
                strength[level] = np.quantile(one[within], _QUIET)
                quiet[level] = within & (one <= strength[level])
        rest = np.where(quiet, hu - mean, np.float32(0))
        return cls(strength_hu=_filled(strength), correlation=_correlation(rest, quiet))

    def draw(self, shape: tuple[int, int, int], rng: np.random.Generator) -> Float32[np.ndarray, "d h w"]:
        """Noise in HU for as many slices."""
        from scipy import ndimage

        out = rng.standard_normal(shape, dtype=np.float32)
        for axis, r in enumerate(self.correlation):
            if r > 0.05 and shape[axis] > 1:  # a Gaussian of this width makes neighbours correlate so
                out = ndimage.gaussian_filter1d(out, float(np.sqrt(-1 / (4 * np.log(r)))), axis)
        out /= max(float(out.std()), 1e-6)
        return out * self.strength_hu.astype(np.float32)[:, None, None]


def _filled(strength: Float[np.ndarray, " d"]) -> Float[np.ndarray, " d"]:
    """Slices without a body have the noise of the nearest that have one."""
    from scipy import ndimage

    known = np.flatnonzero(np.isfinite(strength))
    if not len(known):
        return np.full(len(strength), _USUAL_HU)
    out = np.interp(np.arange(len(strength)), known, strength[known])
    return np.asarray(ndimage.gaussian_filter1d(out, 1.5, mode="nearest"))


def _correlation(rest: Float32[np.ndarray, "d h w"], quiet: Bool[np.ndarray, "d h w"]) -> tuple[float, float, float]:
    out = []
    for axis in range(3):
        size = rest.shape[axis]
        one, other = (np.arange(a, max(size - 1 + a, a)) for a in (0, 1))
        both = quiet.take(one, axis) & quiet.take(other, axis)
        a, b = rest.take(one, axis)[both], rest.take(other, axis)[both]
        power = float(np.sqrt((a * a).mean() * (b * b).mean())) if len(a) else 0.0
        out.append(float(np.clip((a * b).mean() / power, 0, 0.95)) if power else 0.0)
    return out[0], out[1], out[2]
