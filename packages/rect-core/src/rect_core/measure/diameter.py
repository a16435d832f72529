"""Longest in-plane diameter and its short axis, as radiologists measure lesions (RECIST 1.1; Eisenhauer et al. 2009).

Distances go from edge to edge: a voxel reaches half a voxel each way from its centre, along the axes (the mesh vertices
that PyRadiomics measures between), so one voxel alone is one voxel wide and not zero.
"""

from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.measure.components import Runs

_TIE_MM: Final = 1e-3
"""Lengths closer than this are the same length: affines are stored as float32."""


def diameters(runs: Runs, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """(longest, short axis) in mm over the (h, w) slices of one lesion.

    The longest is the largest distance in any slice; the short axis is the longest chord at right angles to it, within
    the convex hull of the same slice. spacing_mm: of h and w.
    """
    first = np.flatnonzero(np.diff(runs.d, prepend=-1))
    # No distance exceeds the diagonal of the slice's box: slices that cannot win are never looked at.
    high = np.maximum.reduceat(runs.h, first) - np.minimum.reduceat(runs.h, first) + 1
    wide = np.maximum.reduceat(runs.stop, first) - np.minimum.reduceat(runs.start, first)
    bound = np.hypot(high * spacing_mm[0], wide * spacing_mm[1])
    last = np.append(first[1:], len(runs.d))
    best = (0.0, 0.0)
    for i in np.argsort(-bound, kind="stable"):
        if bound[i] <= best[0] - _TIE_MM:
            break
        best = _longer(best, _of_slice(runs.pick(np.arange(first[i], last[i])), spacing_mm))
    return best


def _longer(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The pair with the longer first; of equally long ones, whatever their last digits say, the one with the longer
    second, so that the order in which a file stores its voxels does not matter."""
    if abs(one[0] - other[0]) > _TIE_MM:
        return max(one, other)
    return max(one[0], other[0]), max(one[1], other[1])


def _of_slice(runs: Runs, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    from scipy.spatial import ConvexHull

    edge = _edge_points(runs) * np.asarray(spacing_mm)
    hull = edge[ConvexHull(edge).vertices]
    apart = np.linalg.norm(hull[:, None] - hull[None], axis=-1)
    longest = float(apart.max())
    ties = np.argwhere(np.triu(apart) >= longest - _TIE_MM)
    short = max(_short_axis(hull, hull[one], hull[other]) for one, other in ties)
    return longest, min(short, longest)  # equal ones differ in the last digit


def _edge_points(runs: Runs) -> Float[np.ndarray, "m 2"]:
    """(h, w) half a voxel beyond the first and last voxel of each run, in four directions."""
    low, high, h = runs.start.astype(np.float64), runs.stop - 1.0, runs.h.astype(np.float64)
    pairs = [(h, low - 0.5), (h, high + 0.5), *((h + dh, w) for dh in (-0.5, 0.5) for w in (low, high))]
    return np.concatenate([np.stack(pair, -1) for pair in pairs])


def _short_axis(hull: Float[np.ndarray, "m 2"], start: Float[np.ndarray, " 2"], end: Float[np.ndarray, " 2"]) -> float:
    """The longest chord of a convex polygon at right angles to its diameter start-end."""
    along = (end - start) / np.linalg.norm(end - start)
    offset = hull - start
    t, s = offset @ along, offset @ np.array([-along[1], along[0]])
    # The chord's length is concave and piecewise linear in t, so its maximum lies at a vertex.
    order = np.argsort(t, kind="stable")
    t, s = t[order], s[order]
    inner = (t > t[0]) & (t < t[-1])
    above, below = (inner & (s >= 0)), (inner & (s <= 0))
    sides = [np.interp(t, [t[0], *t[side], t[-1]], [0.0, *s[side], 0.0]) for side in (above, below)]
    return float((sides[0] - sides[1]).max())
