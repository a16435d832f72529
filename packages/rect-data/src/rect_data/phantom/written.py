"""From the voxels a phantom is drawn on to those it is written on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int, Int16, UInt8, UInt16

from rect_core.hounsfield import PADDING_HU
from rect_core.resample import resampled
from rect_data.phantom.config import PhantomConfig
from rect_data.phantom.grid import Grid
from rect_data.phantom.parts import LUNGS, Part, table_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """Two grids and the way between them: `weights` hold the share of each target voxel, along one axis, that lies in
    each source voxel."""

    source: Grid
    target: Grid
    weights: tuple[Float[np.ndarray, "td d"], Float[np.ndarray, "th h"], Float[np.ndarray, "tw w"]]

    @classmethod
    def of(cls, source: Grid, config: PhantomConfig, parts: UInt8[np.ndarray, "d h w"]) -> "Written":
        """The grid that the config asks for: around the middle of the lungs' height and of the picture's plane."""
        lungs = np.flatnonzero(_CHEST[parts].any(axis=(1, 2)))
        middle = (np.array(source.shape) - 1) / 2
        if config.size is not None and len(lungs):
            middle[0] = (lungs[0] + lungs[-1]) / 2
        target = _around(source, source.point(middle[None])[0], config)
        d, h, w = (_overlap(source, target, axis) for axis in range(3))
        return cls(source=source, target=target, weights=(d, h, w))

    @property
    def same(self) -> bool:
        """Whether both grids are one."""
        return self.source == self.target

    def scan(self, hu: Int16[np.ndarray, "d h w"]) -> Int16[np.ndarray, "td th tw"]:
        """Mean HU over each voxel; -1024 outside of what was drawn."""
        if self.same:
            return hu
        above = hu - np.int16(PADDING_HU)  # so that nothing counts as padding
        out = np.full(self.target.shape, PADDING_HU, np.int16)
        d, h, w = (_extent(np.any(weights, axis=1)) for weights in self.weights)
        rows = (self.weights[0][d], self.weights[1][h], self.weights[2][w])
        for plane, mean in zip(out[d], resampled(above, rows), strict=True):
            plane[h, w] += np.rint(mean.numpy()).astype(np.int16)
        return out

    def nearest(self, values: UInt8[np.ndarray, "d h w"]) -> UInt8[np.ndarray, "td th tw"]:
        """The value at the centre of each voxel; 0 outside of what was drawn."""
        if self.same:
            return values
        index = [_centres(self.source, self.target, axis) for axis in range(3)]
        inside = [(i >= 0) & (i < n) for i, n in zip(index, values.shape, strict=True)]
        picked = values[np.ix_(*(np.clip(i, 0, n - 1) for i, n in zip(index, values.shape, strict=True)))]
        d, h, w = inside
        return np.where(d[:, None, None] & h[:, None] & w, picked, np.uint8(0))

    def instances(self, numbers: UInt16[np.ndarray, "d h w"]) -> UInt16[np.ndarray, "td th tw"]:
        """Each instance where it fills at least half of a voxel."""
        from scipy import ndimage

        if self.same:
            return numbers
        out = np.zeros(self.target.shape, np.uint16)
        for number, box in enumerate(ndimage.find_objects(numbers), 1):
            if box is not None:
                self._put(out, number, numbers[box] == number, (box[0], box[1], box[2]))
        return out

    def _put(
        self,
        out: UInt16[np.ndarray, "td th tw"],
        number: int,
        mask: Bool[np.ndarray, "a b c"],
        box: tuple[slice, slice, slice],
    ) -> None:
        columns = [w[:, b] for w, b in zip(self.weights, box, strict=True)]
        d, h, w = (_extent(np.any(c, axis=1)) for c in columns)
        rows = [c[s] for c, s in zip(columns, (d, h, w), strict=True)]
        share = np.einsum("xa,yb,zc,abc->xyz", *rows, mask.astype(np.float64), optimize=True)
        out[d, h, w][share >= 0.5 - 1e-9] = number


def cut(numbers: Mapping[str, UInt16[np.ndarray, "d h w"]], parts: UInt8[np.ndarray, "d h w"]) -> dict[str, np.ndarray]:
    """Instance maps without the voxels that belong to another organ than the finding's own."""
    out = {}
    for finding, mask in numbers.items():
        slab = slices_of(mask)
        out[finding] = np.zeros(mask.shape, np.uint16)
        out[finding][slab] = np.where(ORGANS[finding][parts[slab]], mask[slab], np.uint16(0))
    return out


def slices_of(mask: UInt16[np.ndarray, "d h w"]) -> slice:
    """The axial slices that hold any instance; most maps are empty, and few reach through a whole scan."""
    return _extent(np.array([plane.any() for plane in mask]))


_LUNG: Final = table_of(*LUNGS)
_CHEST: Final = table_of(*LUNGS, Part.RIGHT_PLEURA, Part.LEFT_PLEURA)
"""Fluid belongs to the height of the lungs: it must not move the picture, or the place would tell of it."""

ORGANS: Mapping[str, np.ndarray] = {
    "pericardial_effusion": table_of(Part.PERICARDIUM),
    "pleural_effusion": table_of(Part.RIGHT_PLEURA, Part.LEFT_PLEURA),
    "consolidation": _LUNG,
    "ground_glass_opacity": _LUNG,
    "lung_nodule": _LUNG,
}
"""Which parts may hold a finding, as a table of the parts' values."""


def _around(source: Grid, centre: Float[np.ndarray, " 3"], config: PhantomConfig) -> Grid:
    shape, origin = [], []
    for axis, (n, s, o) in enumerate(zip(source.shape, source.spacing_mm, source.origin_mm, strict=True)):
        spacing = config.spacing_mm[axis]
        count = max(1, round(n * s / spacing)) if config.size is None else config.size[axis]
        first = float(centre[axis]) - (count - 1) / 2 * spacing
        shape.append(count)
        origin.append(o + round((first - o) / s) * s if spacing == s else first)  # equal voxels are kept, not mixed
    d, h, w = shape
    return Grid(shape=(d, h, w), spacing_mm=config.spacing_mm, origin_mm=(origin[0], origin[1], origin[2]))


def _overlap(source: Grid, target: Grid, axis: int) -> Float[np.ndarray, "t s"]:
    (n, s, o), (count, spacing, first) = (
        (g.shape[axis], g.spacing_mm[axis], g.origin_mm[axis]) for g in (source, target)
    )
    low, high = o + (np.arange(n) - 0.5) * s, o + (np.arange(n) + 0.5) * s
    start = first + (np.arange(count)[:, None] - 0.5) * spacing
    share = np.clip(np.minimum(high, start + spacing) - np.maximum(low, start), 0, None) / spacing
    drawn = share.sum(axis=1, keepdims=True)  # a voxel at the edge shows what was drawn of it, or nothing
    return np.asarray(np.where(drawn >= 0.5, share / np.maximum(drawn, 0.5), 0.0))


def _extent(line: Bool[np.ndarray, " n"]) -> slice:
    """From the first True to the last; empty where there is none."""
    held = np.flatnonzero(line)
    return slice(int(held[0]), int(held[-1]) + 1) if len(held) else slice(0, 0)


def _centres(source: Grid, target: Grid, axis: int) -> Int[np.ndarray, " t"]:
    at = target.origin_mm[axis] + np.arange(target.shape[axis]) * target.spacing_mm[axis]
    return np.asarray(np.floor((at - source.origin_mm[axis]) / source.spacing_mm[axis] + 0.5), np.int64)
