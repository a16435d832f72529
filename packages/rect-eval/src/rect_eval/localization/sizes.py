"""Diameters of lesions, as `rect_core.measure` takes them, and the bands that scores are given by."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.measure.components import find_runs
from rect_core.measure.diameter import diameters
from rect_eval.localization.masks import Lesion

Band = tuple[float, float]

VOLUME_BANDS_ML: Final[tuple[Band, ...]] = ((0, 0.1), (0.1, 1), (1, 10), (10, 100), (100, float("inf")))
"""Millilitres of a finding's truth in one scan, half-open: 0.1 ml is a 6 mm ball, 1 ml a 12 mm one."""

DIAMETER_BANDS_MM: Final[tuple[Band, ...]] = ((0, 6), (6, 10), (10, 20), (20, 30), (30, float("inf")))
"""Longest axial diameter of one true lesion, half-open: follow-up starts at 6 mm (Fleischner 2017), a nodule is a mass
from 30 mm."""


def lesion_diameters(lesions: Sequence[Lesion], spacing_mm: tuple[float, float, float]) -> Float[np.ndarray, " k"]:
    """Longest axial diameter of each lesion in mm, from edge to edge."""
    return np.array([diameters(find_runs(mask), spacing_mm[1:])[0] for mask, _ in lesions], np.float64)


def longest_diameter(lesions: Sequence[Lesion], spacing_mm: tuple[float, float, float]) -> float:
    """The largest of their diameters; a lesion whose box is too small to hold it is not measured."""
    reach = [float(np.hypot(*np.multiply(mask.shape[1:], spacing_mm[1:]))) for mask, _ in lesions]
    longest = 0.0
    for place in np.argsort(reach)[::-1]:
        if reach[place] < longest:
            break
        longest = max(longest, float(lesion_diameters([lesions[place]], spacing_mm)[0]))
    return longest


def band_name(band: Band, unit: str) -> str:
    """Such as "1-10 ml" or ">=100 ml"."""
    low, high = band
    if high == float("inf"):
        return f">={low:g} {unit}"
    return f"<{high:g} {unit}" if low == 0 else f"{low:g}-{high:g} {unit}"
