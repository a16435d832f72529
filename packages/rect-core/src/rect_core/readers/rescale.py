"""Slope and intercept of a header, applied once."""

import numpy as np
from jaxtyping import Shaped


def rescale(array: Shaped[np.ndarray, "i j k"], slope: float, intercept: float) -> Shaped[np.ndarray, "i j k"]:
    """slope * array + intercept: int16 (else int32) where all three hold whole numbers, else float32.

    May write into `array`.
    """
    if slope == 1.0 and intercept == 0.0:
        return array
    whole = array.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer()
    ends = [int(array.min()), int(array.max())] if whole else []
    reached = [e * int(slope) + offset for e in ends for offset in (0, int(intercept))] + ends
    if not whole or max(map(abs, reached)) > np.iinfo(np.int32).max:
        return _as_float(array, slope, intercept)
    small = max(reached) <= 32767 and min(reached) >= -32768
    if small and array.dtype == np.int16:
        array *= int(slope)
        array += int(intercept)
        return array
    out = np.empty_like(array, np.int16 if small else np.int32)
    np.multiply(array, int(slope), out=out, dtype=np.int64, casting="unsafe")
    np.add(out, int(intercept), out=out)
    return out


def _as_float(array: Shaped[np.ndarray, "i j k"], slope: float, intercept: float) -> Shaped[np.ndarray, "i j k"]:
    # a damaged header may overflow; the door then finds infinite voxels
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = array.astype(np.float32)
        scaled *= np.float32(slope)
        scaled += np.float32(intercept)
    return scaled
