"""The diaphragm as a surface under the lungs, and the organs of the upper abdomen below it."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_core.anatomy.coarse import Coarse
from rect_core.anatomy.morphology import closed, hull

_SMOOTH_MM: Final = 20.0
_OUTER_SHARE: Final = 0.4
_BACK_SHARE: Final = 0.7
_DEPTH_MM: Final = 130.0
_LEFT_LOBE_MM: Final = 15.0
_BESIDE_SPINE_MM: Final = 35.0
_TISSUE_HU: Final = (-20.0, 350.0)


def diaphragm(
    right: Bool[np.ndarray, "z y x"], left: Bool[np.ndarray, "z y x"], coarse: Coarse
) -> Float[np.ndarray, "y x"]:
    """z index of the diaphragm under each point: the lower surface of the lungs where they rest on it, elsewhere
    (heart, spine, outside) the mean of the points around, weighted by distance (Gaussian, 20 mm). Lung over the heart
    is known by ending above what the outer and back parts of the same lung show (`_off_heart`)."""
    from scipy import ndimage

    lowest = np.zeros(right.shape[1:])
    known = np.zeros(right.shape[1:], bool)
    for lung, from_right in ((right, True), (left, False)):
        under = np.asarray(lung.any(axis=0))
        if under.any():
            bottom = lung.argmax(axis=0)
            rests = under & (bottom <= np.percentile(bottom[under & _off_heart(under, from_right)], 98))
            lowest[rests], known[rests] = bottom[rests], True
    sigma = (_SMOOTH_MM / coarse.spacing_mm[1], _SMOOTH_MM / coarse.spacing_mm[2])
    weight = ndimage.gaussian_filter(known.astype(np.float64), sigma, mode="constant", truncate=8.0)
    mean = ndimage.gaussian_filter(lowest, sigma, mode="constant", truncate=8.0) / np.maximum(weight, 1e-12)
    return np.where(known, lowest, mean)


def _off_heart(under: Bool[np.ndarray, "y x"], from_right: bool) -> Bool[np.ndarray, "y x"]:
    """The outer part of a lung seen from above, at the back a wider one: no heart or hilum under it."""
    columns, rows = np.flatnonzero(under.any(axis=0)), np.flatnonzero(under.any(axis=1))
    outer = columns if from_right else columns[::-1]
    out = np.zeros_like(under)
    out[:, outer[: int(len(outer) * _OUTER_SHARE) + 1]] = True
    out[rows[len(rows) // 2] :, outer[: int(len(outer) * _BACK_SHARE) + 1]] = True
    return out


def below_diaphragm(
    right: Bool[np.ndarray, "z y x"], left: Bool[np.ndarray, "z y x"], coarse: Coarse
) -> Bool[np.ndarray, "z y x"]:
    """Under the diaphragm and within the convex outline of the lungs seen from above, not in a lung, to 130 mm below
    the higher dome."""
    surface = diaphragm(right, left, coarse)
    under = np.asarray((right | left).any(axis=0))
    z = np.arange(right.shape[0])[:, None, None]
    dome = np.percentile(surface[under], 98)
    footprint = hull(under[None], coarse.spacing_mm)
    deep = z <= dome - _DEPTH_MM / coarse.spacing_mm[0]
    return np.asarray((z < surface[None]) & ~deep & footprint & ~right & ~left)


def upper_abdomen(
    coarse: Coarse, inside: Bool[np.ndarray, "z y x"], middle: Float[np.ndarray, " z"], front: Float[np.ndarray, " z"]
) -> tuple[Bool[np.ndarray, "z y x"], Bool[np.ndarray, "z y x"]]:
    """Soft tissue and gas under the right dome (mostly liver) and under the left one (mostly stomach and spleen),
    divided 15 mm left of the spine. Fat is neither, nor are the muscles beside the spine.

    inside: body below the diaphragm, without bone; middle, front: x and y index of the spine and of its front.
    """
    from scipy import ndimage

    sx = coarse.spacing_mm[2]
    smooth = ndimage.uniform_filter(coarse.hu, (1, 3, 3))
    organ = closed(
        (smooth > _TISSUE_HU[0]) & (smooth < _TISSUE_HU[1]) | (coarse.hu < -400), 6.0, coarse.spacing_mm, flat=True
    )
    y, x = np.arange(inside.shape[1]), np.arange(inside.shape[2])
    beside = np.abs(x[None] - middle[:, None]) <= _BESIDE_SPINE_MM / sx
    muscle = beside[:, None] & (y[None] >= front[:, None])[:, :, None]
    found = inside & organ & ~muscle
    left = (x[None] > middle[:, None] + _LEFT_LOBE_MM / sx)[:, None]
    return found & ~left, found & left
