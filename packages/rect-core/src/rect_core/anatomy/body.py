"""The body without table and clothes, and its bones."""

from typing import Final

import numpy as np
from jaxtyping import Bool

from rect_core.anatomy.coarse import Coarse
from rect_core.anatomy.lung_air import inner_air
from rect_core.anatomy.morphology import dilate, opened, pieces

SOLID_HU: Final = -300.0
BONE_HU: Final = 140.0
_MIN_PIECE_ML: Final = 100.0


def find_body(coarse: Coarse) -> Bool[np.ndarray, "z y x"]:
    """Tissue of the body with everything its slices enclose. A slice of it is thicker than 10 mm, and every piece has a
    part thicker than 24 mm: table tops, mattresses, cables and clothes are thinner; arms stay. Filled before it is
    measured, for a chest wall may be as thin as a table."""
    spacing = coarse.spacing_mm
    solid = coarse.hu > SOLID_HU
    solid |= opened(inner_air(~solid, coarse.hu), 5.0, spacing, flat=True)  # but no gap between skin and clothes
    thick = opened(solid, 5.0, spacing, flat=True)
    cores, sizes = pieces(opened(thick, 12.0, spacing, flat=True))
    wanted = int((sizes * float(np.prod(spacing)) / 1000.0 >= _MIN_PIECE_ML).sum())
    tissue = dilate((cores > 0) & (cores <= wanted), 15.0, spacing, flat=True) & thick
    return np.asarray(tissue | inner_air(~tissue, coarse.hu))


def find_bone(coarse: Coarse, body: Bool[np.ndarray, "z y x"]) -> Bool[np.ndarray, "z y x"]:
    """Dense voxels of the body: bone, and in a contrast scan the vessels, which the callers tell apart by place."""
    return np.asarray((coarse.hu > BONE_HU) & body)
