"""How much of a chest a scan shows: the drawing grid of a case."""

from typing import Final

import numpy as np

from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.grid import Grid
from rect_data.phantom.pose import Pose

_TOP: Final = (120.0, 136.0)
_BASE: Final = (-206.0, -182.0)
_PLANE_MM: Final = (310.0, 400.0)
_LUNGS_MM: Final = 274.0
_SPARE_MM: Final = 34.0
_MIDDLE: Final = (0.0, 12.0, 0.0)


def field_of_view(config: PhantomConfig, pose: Pose, rng: np.random.Generator) -> Grid:
    """From above the apices to the upper abdomen, sometimes cut a little short at either end; in the plane a square
    that may cut the arms and the sides of a large body, but holds the lungs."""
    cut_top, cut_base = (float(rng.uniform(10, 35)) if rng.random() < 0.12 else 0.0 for _ in range(2))
    top, base = float(rng.uniform(*_TOP)) - cut_top, float(rng.uniform(*_BASE)) + cut_base
    ends = pose.physical(np.array([[base, *_MIDDLE[1:]], [top, *_MIDDLE[1:]]]))
    aside = rng.normal(0, 4.0, 2).clip(-8, 8)
    least = _LUNGS_MM * float(pose.scale[2]) + _SPARE_MM + 2 * float(abs(aside[1]))
    wish = float(rng.uniform(*_PLANE_MM))
    plane = max(wish if config.size is None else _PLANE_MM[1], least)
    sd, sh, sw = config.drawing_mm
    d, h, w = int(np.ceil((ends[1, 0] - ends[0, 0]) / sd)), int(np.ceil(plane / sh)), int(np.ceil(plane / sw))
    centre = pose.physical(np.array([_MIDDLE]))[0, 1:] + aside
    origin = (float(ends[0, 0]), float(centre[0] - (h - 1) / 2 * sh), float(centre[1] - (w - 1) / 2 * sw))
    return Grid(shape=(d, h, w), spacing_mm=(sd, sh, sw), origin_mm=origin)
