"""Ball-shaped morphology in millimetres, convex outlines and pieces: the tools of the classical route.

A ball is a union of lines, and a line grows one voxel a step, so a dilation is a few hundred `or`s of byte arrays:
exact, and ten times quicker than a distance transform at these sizes.
"""

import numpy as np
from jaxtyping import Bool, Int

Spacing = tuple[float, float, float]


def dilate(mask: Bool[np.ndarray, "z y x"], radius_mm: float, spacing_mm: Spacing, *, flat: bool = False) -> np.ndarray:
    """Every voxel whose centre lies within radius_mm of a voxel of the mask; flat: within its own slice only."""
    sz, sy, sx = spacing_mm
    reach = [0 if flat else int(radius_mm / sz), int(radius_mm / sy)]
    offsets: dict[int, list[tuple[int, int]]] = {}
    for dz in range(-reach[0], reach[0] + 1):
        for dy in range(-reach[1], reach[1] + 1):
            rest = radius_mm**2 - (dz * sz) ** 2 - (dy * sy) ** 2
            if rest >= 0:
                offsets.setdefault(int(np.sqrt(rest) / sx), []).append((dz, dy))
    out = np.zeros_like(mask)
    line = mask.copy()
    for half in range(max(offsets) + 1):
        if half:
            line[:, :, half:] |= mask[:, :, :-half]
            line[:, :, :-half] |= mask[:, :, half:]
        for dz, dy in offsets.get(half, ()):
            out[_to(dz), _to(dy)] |= line[_to(-dz), _to(-dy)]
    return out


def erode(mask: Bool[np.ndarray, "z y x"], radius_mm: float, spacing_mm: Spacing, *, flat: bool = False) -> np.ndarray:
    """The inverse: voxels of the mask farther than radius_mm from its outside; the end of the array is no outside."""
    return ~dilate(~mask, radius_mm, spacing_mm, flat=flat)


def opened(mask: Bool[np.ndarray, "z y x"], radius_mm: float, spacing_mm: Spacing, *, flat: bool = False) -> np.ndarray:
    """What a ball of this radius can sweep inside the mask."""
    return dilate(erode(mask, radius_mm, spacing_mm, flat=flat), radius_mm, spacing_mm, flat=flat)


def closed(mask: Bool[np.ndarray, "z y x"], radius_mm: float, spacing_mm: Spacing, *, flat: bool = False) -> np.ndarray:
    """What a ball of this radius cannot sweep outside the mask."""
    reach = [int(radius_mm / s) + 1 for s in spacing_mm]
    reach[0] = 0 if flat else reach[0]
    grown = dilate(np.pad(mask, [(r, r) for r in reach]), radius_mm, spacing_mm, flat=flat)
    shrunk = erode(grown, radius_mm, spacing_mm, flat=flat)
    return shrunk[tuple(slice(r, r + n) for r, n in zip(reach, mask.shape, strict=True))]


def spread(mask: Bool[np.ndarray, "z y x"]) -> Bool[np.ndarray, "z y x"]:
    """The mask and its face neighbours."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    out[:, :, 1:] |= mask[:, :, :-1]
    out[:, :, :-1] |= mask[:, :, 1:]
    return out


def hull(mask: Bool[np.ndarray, "z y x"], spacing_mm: Spacing, *, offset_mm: float = 0.0) -> np.ndarray:
    """The 32-sided convex outline of a mask in each of its slices, moved outward by offset_mm; empty slices stay so."""
    z_row, y_row = np.nonzero(mask.any(axis=2))
    rows = mask[z_row, y_row]
    first, last = rows.argmax(axis=1), mask.shape[2] - 1 - rows[:, ::-1].argmax(axis=1)
    y, x = np.arange(mask.shape[1])[:, None] * spacing_mm[1], np.arange(mask.shape[2])[None, :] * spacing_mm[2]
    out = np.asarray(np.ones_like(mask) & np.any(mask, axis=(1, 2), keepdims=True))
    for angle in np.arange(32) * (2 * np.pi / 32):
        cos, sin = np.cos(angle), np.sin(angle)
        support = np.full(mask.shape[0], -np.inf)
        for x_end in (first, last):
            np.maximum.at(support, z_row, y_row * spacing_mm[1] * sin + x_end * spacing_mm[2] * cos)
        out &= (y * sin + x * cos)[None] <= support[:, None, None] + offset_mm + 1e-6
    return out


def pieces(mask: Bool[np.ndarray, "z y x"]) -> tuple[Int[np.ndarray, "z y x"], Int[np.ndarray, " n"]]:
    """Connected pieces (faces touch), numbered by falling size from 1, and their voxel counts."""
    from scipy import ndimage

    found, count = ndimage.label(mask)
    sizes = np.bincount(found.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    rank = np.zeros(count + 1, np.int64)
    rank[order + 1] = np.arange(1, count + 1)
    return rank[found], sizes[order]


def _to(shift: int) -> slice:
    return slice(max(shift, 0), None if shift >= 0 else shift)
