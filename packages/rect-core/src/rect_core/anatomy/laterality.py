"""Does a region map fit its scan? Sides, heights and air, before anybody trusts it."""

from typing import Final

import numpy as np
from jaxtyping import UInt8

from rect_core.anatomy.coarse import AIR_HU
from rect_core.anatomy.lung_air import inner_air
from rect_core.anatomy.region_map import LEFT_ZONES, LUNG_VALUES, RIGHT_ZONES
from rect_core.volume import Volume

_GAS_HU: Final = -960.0
_MIN_AIR: Final = 0.3
_MIN_COVERED: Final = 0.5
_SAMPLES: Final = 96


def misfit(labels: UInt8[np.ndarray, "d h w"], volume: Volume) -> str | None:
    """Why a map of regions 0..20 cannot belong to this scan, in a few words; None where nothing speaks against it.

    Its lung zones hold at least half of the lung-like air of the scan, and at least 30 % of them is air (a lung may be
    opaque, not both). The right zones lie right of the left ones, or of the body's middle where one side is absent, and
    the upper zones above the lower ones, in millimetres. Checked on about 100 planes an axis.
    """
    steps = tuple(slice(None, None, max(1, n // _SAMPLES)) for n in labels.shape)
    sample, hu = labels[steps], volume.hu[steps]
    lung = np.isin(sample, LUNG_VALUES)
    if not lung.any():
        return "it holds no lung (values 1 to 6)"
    air = inner_air(hu < AIR_HU, hu)
    if air[lung].mean() < _MIN_AIR:
        return f"only {air[lung].mean():.0%} of its lung zones is air inside the body"
    lung_air = air & (hu > _GAS_HU)
    if lung[lung_air].mean() < _MIN_COVERED:
        return f"its lung zones hold only {lung[lung_air].mean():.0%} of the lung-like air"
    body = float(np.nonzero((hu > AIR_HU) | air)[2].mean())
    return _misplaced(sample, body, (steps[2].step or 1) * volume.spacing_mm[2])


def _misplaced(labels: UInt8[np.ndarray, "d h w"], body: float, step_mm: float) -> str | None:
    right, left = (_middle(labels, values, 2) for values in (RIGHT_ZONES, LEFT_ZONES))
    right, left = body if right is None else right, body if left is None else left
    if right >= left:
        apart_mm = (right - left) * step_mm
        return f"its right lung lies {apart_mm:.0f} mm to the left of where it can be: it is mirrored"
    for side, (upper, _, lower) in (("right", RIGHT_ZONES), ("left", LEFT_ZONES)):
        high, low = _middle(labels, (upper,), 0), _middle(labels, (lower,), 0)
        if high is not None and low is not None and high <= low:
            return f"its {side} upper zone lies below its {side} lower zone: it is upside down"
    return None


def _middle(labels: UInt8[np.ndarray, "d h w"], values: tuple[int, ...], axis: int) -> float | None:
    at = np.nonzero(np.isin(labels, values))[axis]
    return float(at.mean()) if len(at) else None
