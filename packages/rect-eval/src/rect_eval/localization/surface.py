"""How far apart the surfaces of two masks lie, in millimetres: HD95 and NSD, as MONAI defines them.

The surface of a mask are its voxels with one of six neighbours outside the mask (what lies outside the scan is
outside); distances go between voxel centres. A k-d tree over the surface voxels gives what a Euclidean distance
transform of the box would: of two crescents of 700 ml (140 x 204 x 175 voxels) in 0.3 s instead of 1.0 s; only where
a tenth of all voxels is surface, as in noise, the transform catches up.
"""

from math import nan
from typing import Final

import numpy as np
from jaxtyping import Bool, Float

from rect_core.resample import shrink

Spacing = tuple[float, float, float]
Distances = tuple[Float[np.ndarray, " n"], Float[np.ndarray, " m"]]

TIE_MM: Final = 1e-4
"""Affines are stored as float32: a distance this little above the tolerance is at the tolerance."""


def hd95(a: Bool[np.ndarray, "d h w"], b: Bool[np.ndarray, "_ _ _"], spacing_mm: Spacing) -> float:
    """The larger of two 95th percentiles, of the distances from a's surface to b's and from b's to a's (linear between
    ranks): `monai.metrics.compute_hausdorff_distance(percentile=95)`. Not the percentile of both sets together, which
    is smaller where one surface is much larger. NaN where a mask is empty.
    """
    return hd95_of(_between(a, b, spacing_mm))


def nsd(
    a: Bool[np.ndarray, "d h w"], b: Bool[np.ndarray, "_ _ _"], spacing_mm: Spacing, tolerance_mm: float = 2.0
) -> float:
    """Normalized surface Dice (Nikolov 2018): the share of both surfaces' voxels that lie within a tolerance of the
    other surface: `monai.metrics.compute_surface_dice(use_subvoxels=False)`. 0 where one mask is empty, NaN where both
    are."""
    return nsd_of(_between(a, b, spacing_mm), tolerance_mm)


def hd95_of(distances: Distances) -> float:
    """HD95 of two directed sets of distances."""
    one, other = distances
    if not (len(one) and len(other)):
        return nan
    return float(max(np.percentile(one, 95), np.percentile(other, 95)))


def nsd_of(distances: Distances, tolerance_mm: float) -> float:
    """NSD of two directed sets of distances."""
    both = np.concatenate(distances)
    return float(np.mean(both <= tolerance_mm + TIE_MM)) if len(both) else nan


def surface_points(
    mask: Bool[np.ndarray, "d h w"], start: tuple[int, int, int], spacing_mm: Spacing
) -> Float[np.ndarray, "n 3"]:
    """Millimetres along the scan's axes of the surface voxels of a box that begins at `start`."""
    points = np.argwhere(surface(mask)).astype(np.float64)
    return np.asarray((points + start) * spacing_mm, np.float64)


def surface(mask: Bool[np.ndarray, "d h w"]) -> Bool[np.ndarray, "d h w"]:
    """The voxels of a mask that an erosion by one voxel (6 neighbours) takes away."""
    inner = mask.copy()
    for axis in range(3):
        line, source = np.moveaxis(inner, axis, 0), np.moveaxis(mask, axis, 0)
        line[:-1] &= source[1:]
        line[1:] &= source[:-1]
        line[:1] = False
        line[-1:] = False
    return np.asarray(mask & ~inner)


def distances_between(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "m 3"]) -> Distances:
    """From each point of a to the nearest of b, and from each of b to the nearest of a; infinite where the other is
    empty."""
    from scipy.spatial import KDTree

    if not (len(a) and len(b)):
        return np.full(len(a), np.inf), np.full(len(b), np.inf)
    # Sliding-midpoint trees are built in half the time of balanced ones, and asked once only.
    one, other = (KDTree(points, leafsize=32, balanced_tree=False, compact_nodes=False) for points in (a, b))
    return np.asarray(other.query(a)[0], np.float64), np.asarray(one.query(b)[0], np.float64)


def _between(a: Bool[np.ndarray, "d h w"], b: Bool[np.ndarray, "_ _ _"], spacing_mm: Spacing) -> Distances:
    if a.shape != b.shape:
        raise ValueError(f"masks of {a.shape} and {b.shape} voxels: give both on the scan's grid")
    one, other = (surface_points(*shrink(mask, (0, 0, 0)), spacing_mm) for mask in (a, b))
    return distances_between(one, other)
