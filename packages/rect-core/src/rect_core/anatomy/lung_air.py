"""Is this a chest at all? Lung-like air inside the body, in millilitres, in a fraction of a second."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Shaped

from rect_core.anatomy.coarse import AIR_HU, coarsen

LUNG_AIR_MIN_ML: Final = 500.0
"""A scan with less lung-like air is refused as no chest: heads and legs hold next to none, chests 1500 to 7000 ml."""

_SLICE_MM: Final = 6.0
_MIN_PIECE_ML: Final = 20.0
_LARGE_ML: Final = 300.0
_MATTRESS_HU: Final = -900.0


def lung_air_ml(hu: Shaped[np.ndarray, "d h w"], spacing_mm: tuple[float, float, float]) -> float:
    """Volume of the lung-like air of a scan in ml, counted on slices about 6 mm apart and blocks of 3 mm in them.

    hu: Hounsfield units, [d h w]; spacing_mm: of its axes. Counted are pieces of at least 20 ml of air that their
    slices enclose and that are denser than gas (`lung_like`), so that sinuses, airways and bowel gas stay out.
    """
    from scipy import ndimage

    step = max(1, int(_SLICE_MM / spacing_mm[0]))
    coarse = coarsen(hu[step // 2 if len(hu) > step else 0 :: step], (spacing_mm[0] * step, *spacing_mm[1:]))
    voxel_ml = float(np.prod(coarse.spacing_mm)) / 1000.0
    pieces, _ = ndimage.label(inner_air(coarse.hu < AIR_HU, coarse.hu))
    total = 0.0
    for index, box in enumerate(ndimage.find_objects(pieces), start=1):
        piece = pieces[box] == index
        ml = float(piece.sum()) * voxel_ml
        if ml >= _MIN_PIECE_ML and lung_like(coarse.hu[box], piece, ml):
            total += ml
    return total


def inner_air(air: Bool[np.ndarray, "d h w"], hu: Shaped[np.ndarray, "d h w"]) -> Bool[np.ndarray, "d h w"]:
    """The air that its own axial slice encloses with tissue. The slice, not the volume: the ends of a scan cut through
    lungs and trachea, and a scan that shows the mouth would join them to the room. Air that reaches the sides
    of the picture but not its front or back and is denser than a mattress is a lung that the field of view cuts, and
    counts as enclosed."""
    from scipy import ndimage

    flat = np.zeros((3, 3, 3), bool)
    flat[1] = ndimage.generate_binary_structure(2, 1)
    pieces, count = ndimage.label(air, structure=flat)
    front, back, right, left = (
        np.bincount(edge.ravel(), minlength=count + 1) > 0
        for edge in (pieces[:, 0], pieces[:, -1], pieces[:, :, 0], pieces[:, :, -1])
    )
    outside = front | back | right | left
    outside[0] = False
    cut = (right | left) & ~front & ~back & outside
    for index in np.flatnonzero(cut):
        plane = int(np.flatnonzero((pieces[:, :, 0 if right[index] else -1] == index).any(axis=1))[0])
        outside[index] = float(hu[plane][pieces[plane] == index].mean()) < _MATTRESS_HU
    return np.asarray(air & ~outside[pieces])


def lung_like(hu: Float[np.ndarray, "z y x"], piece: Bool[np.ndarray, "z y x"], ml: float) -> bool:
    """Whether a piece of inner air is lung and not gas, by its core, where no wall is averaged in. Gas has a median
    near -970 HU and, but for stool at its edge, a 90th percentile below -900; a lung's vessels and septa take that
    above -880. A piece above 300 ml may be an emphysematous lung: -930 is asked of it and nothing of its median."""
    from scipy import ndimage

    core = ndimage.binary_erosion(piece, np.ones((1, 3, 3), bool), border_value=1)
    median, high = np.percentile(hu[core if core.any() else piece], (50, 90))
    return bool(high > -930 if ml > _LARGE_ML else high > -880 and median > -930)
