"""The 20 regions of a phantom, from its parts: what `rect_core.anatomy` finds in a real scan, here known."""

from typing import Final

import numpy as np
from jaxtyping import UInt8

from rect_core.anatomy import RegionMap
from rect_core.anatomy.morphology import dilate
from rect_core.anatomy.region_map import bounding_box
from rect_core.anatomy.zones import zones
from rect_core.findings import region_value
from rect_data.phantom.parts import REGION_OF_PART, Part, table_of

_SHELL_MM: Final = 7.0
_COARSE_MM: Final = 3.0
_WALL: Final = table_of(Part.FAT, Part.MUSCLE)


def region_map(parts: UInt8[np.ndarray, "d h w"], spacing_mm: tuple[float, float, float]) -> RegionMap:
    """Regions of a map of parts: zones are thirds of each lung's height, pleural shells the 7 mm of chest wall around
    each lung and its fluid (not toward mediastinum, liver or bone)."""
    labels = REGION_OF_PART[parts]
    for cavity, side in (((Part.RIGHT_LUNG, Part.RIGHT_PLEURA), "right"), ((Part.LEFT_LUNG, Part.LEFT_PLEURA), "left")):
        _paint_shell(labels, parts, cavity, region_value(f"{side} pleural shell"), spacing_mm)
    labels += zones(parts == Part.RIGHT_LUNG, parts == Part.LEFT_LUNG)
    return RegionMap(labels=labels, origin="given")


def _paint_shell(
    labels: UInt8[np.ndarray, "d h w"],
    parts: UInt8[np.ndarray, "d h w"],
    cavity: tuple[Part, Part],
    value: int,
    spacing_mm: tuple[float, float, float],
) -> None:
    steps = [max(1, round(_COARSE_MM / s)) for s in spacing_mm]
    coarse = parts[:: steps[0], :: steps[1], :: steps[2]]
    sd, sh, sw = (s * n for s, n in zip(spacing_mm, steps, strict=True))
    near = dilate(table_of(*cavity)[coarse], _SHELL_MM, (sd, sh, sw))
    if not near.any():
        return
    box = tuple(slice(start, stop) for start, stop in bounding_box(near))
    fine = tuple(slice(b.start * n, b.stop * n) for b, n in zip(box, steps, strict=True))
    here = parts[fine]
    index = (np.arange(size) // n for size, n in zip(here.shape, steps, strict=True))
    shell = near[box][np.ix_(*index)] & _WALL[here]
    labels[fine][shell] = value
