"""Where something diffuse was drawn: the sides and lobes that a report may name, and how bad it is."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Int

from rect_data.phantom.grid import Box, Grid
from rect_data.phantom.parts import LOBES, LUNGS, Part
from rect_data.phantom.scene import Scene

_AIRY: Final = (*LUNGS, Part.AIRWAY, Part.OESOPHAGUS, Part.STOMACH)
_FATTEST_HU: Final = -135.0
"""What is darker than this, neither lung nor gas, was partly lung."""

Flat = Int[np.ndarray, " n"]
"""Numbers of voxels in a raveled scene."""


def lobes_of(scene: Scene, voxels: Flat, amount: Float32[np.ndarray, " n"], least: float = 0.05) -> tuple[str, ...]:
    """Names of the lobes that hold at least a share `least` of what was drawn (`amount` of it in each voxel)."""
    held = np.bincount(scene.lobes.ravel()[voxels], amount, minlength=len(LOBES) + 1)[1:]
    return tuple(name for name, value in zip(LOBES, held, strict=True) if value > 0 and value >= least * held.sum())


def side_of(lobes: tuple[str, ...]) -> str:
    """right, left or bilateral; "" without lobes."""
    sides = [side for side in ("right", "left") if any(name.startswith(side) for name in lobes)]
    return "bilateral" if len(sides) == 2 else "".join(sides)


def voxels_of(scene: Scene, box: Box, alpha: Float32[np.ndarray, "a b c"]) -> tuple[Flat, Float32[np.ndarray, " n"]]:
    """The voxels of a box with any alpha, as numbers in the raveled scene, and their alphas."""
    where = np.nonzero(alpha)
    index = tuple(part + s.start for part, s in zip(where, box, strict=True))
    return np.ravel_multi_index(index, scene.grid.shape), alpha[where]


def lung_voxels(scene: Scene) -> Flat:
    """Numbers of all lung voxels."""
    return np.flatnonzero(scene.lung())


def points_of(scene: Scene, voxels: Flat) -> Float32[np.ndarray, "n 3"]:
    """Physical (z, y, x) mm of voxels."""
    out = np.stack(np.unravel_index(voxels, scene.grid.shape), axis=1).astype(np.float32)
    out *= np.asarray(scene.grid.spacing_mm, np.float32)
    out += np.asarray(scene.grid.origin_mm, np.float32)
    return out


def extent_mm(mask: Bool[np.ndarray, "a b c"], grid: Grid) -> float:
    """Longest diameter of a mask in its largest axial slice, in mm; 0 of an empty one."""
    at = np.argwhere(mask[mask.sum((1, 2)).argmax()]) * grid.spacing_mm[1:]
    if not len(at):
        return 0.0
    turns = np.linspace(0, np.pi, 36, endpoint=False)
    along = at @ np.stack([np.cos(turns), np.sin(turns)])
    return float(np.ptp(along, axis=0).max() + grid.spacing_mm[2])


def box_of(mask: Bool[np.ndarray, "d h w"], margin: int = 0) -> Box | None:
    """The smallest box around a mask, with some voxels more on every side; None around nothing."""
    sides = [np.flatnonzero(mask.any(axes)) for axes in ((1, 2), (0, 2), (0, 1))]
    if not len(sides[0]):
        return None
    z, y, x = (
        slice(max(0, int(side[0]) - margin), min(n, int(side[-1]) + 1 + margin))
        for side, n in zip(sides, mask.shape, strict=True)
    )
    return z, y, x


def close_seam(scene: Scene, box: Box, filled: Bool[np.ndarray, "a b c"], hu: float) -> None:
    """Gives the voxels that the wall around a lung had shared with it the density of what took the lung's place there
    (`filled`, voxels of the box): without it a dark line of air would stay between the two."""
    inner = box_of(filled)
    if inner is None:
        return
    low = [b.start + i.start for b, i in zip(box, inner, strict=True)]
    z, y, x = (slice(max(0, at - 1), at + i.stop - i.start + 1) for at, i in zip(low, inner, strict=True))
    near = np.zeros(scene.parts[z, y, x].shape, bool)
    own = tuple(
        slice(at - o.start, at - o.start + i.stop - i.start) for at, o, i in zip(low, (z, y, x), inner, strict=True)
    )
    near[own] = filled[inner]
    for axis in range(3):
        near = _widened(near, axis)
    shared = near & (scene.hu[z, y, x] < _FATTEST_HU) & ~np.isin(scene.parts[z, y, x], _AIRY)
    scene.hu[z, y, x][shared] = hu


def _widened(mask: Bool[np.ndarray, "a b c"], axis: int) -> Bool[np.ndarray, "a b c"]:
    """A mask and its neighbours along one axis."""
    out = mask.copy()
    lines, wide = np.moveaxis(mask, axis, 0), np.moveaxis(out, axis, 0)
    wide[1:] |= lines[:-1]
    wide[:-1] |= lines[1:]
    return out
