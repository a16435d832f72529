"""How a scan became a model grid, and the exact way back.

Both are boxes along the same (d, h, w) axes: grid index g lies at scan index start + step * g. `rect_core.axis` says
how values go down and come back.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, UInt8
from torch import Tensor

from rect_core.axis import TIE, Axis, Range
from rect_core.resample import Weights, gather, reach, resampled, shrink


@dataclass(frozen=True, kw_only=True, slots=True)
class GridConfig:
    """The physical grid a model sees: (d, h, w) cells, their size in mm, and the HU range that becomes [-1, 1]."""

    shape: tuple[int, int, int] = (64, 512, 512)
    spacing_mm: tuple[float, float, float] = (5.0, 0.75, 0.75)
    hu_range: tuple[float, float] = (-1000.0, 1000.0)

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"grid shape {self.shape} must be three counts of at least 1, as (d, h, w)")
        if len(self.spacing_mm) != 3 or not all(0 < s < math.inf for s in self.spacing_mm):
            raise ValueError(f"grid spacing_mm {self.spacing_mm} must be three positive millimetres, as (d, h, w)")
        if len(self.hu_range) != 2 or not -math.inf < self.hu_range[0] < self.hu_range[1] < math.inf:
            raise ValueError(f"grid hu_range {self.hu_range} must be (low, high) with low < high")

    @property
    def extent_mm(self) -> tuple[float, float, float]:
        """Edge lengths of the whole grid."""
        d, h, w = (n * s for n, s in zip(self.shape, self.spacing_mm, strict=True))
        return d, h, w


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """Where a model grid lies in a scan.

    start: scan index of grid index (0, 0, 0); step: scan voxels a grid step; lung_outside: share (0..1) of the scan's
    lung voxels that the grid does not cover.
    """

    scan_shape: tuple[int, int, int]
    scan_spacing_mm: tuple[float, float, float]
    grid: GridConfig
    start: tuple[float, float, float]
    step: tuple[float, float, float]
    lung_outside: float = 0.0

    @classmethod
    def around(
        cls,
        centre: tuple[float, float, float],
        scan_shape: tuple[int, int, int],
        scan_spacing_mm: tuple[float, float, float],
        grid: GridConfig,
    ) -> "Frame":
        """The frame whose middle lies at a scan index, to within half a scan voxel: its cells begin where voxels
        begin, so that a scan with the grid's own slice spacing keeps its slices instead of mixing each with the
        next."""
        d, h, w = (g / s for g, s in zip(grid.spacing_mm, scan_spacing_mm, strict=True))
        edges = (math.ceil(c - n * s / 2 - TIE) - 0.5 for c, n, s in zip(centre, grid.shape, (d, h, w), strict=True))
        x, y, z = (edge + step / 2 for edge, step in zip(edges, (d, h, w), strict=True))
        return cls(scan_shape=scan_shape, scan_spacing_mm=scan_spacing_mm, grid=grid, start=(x, y, z), step=(d, h, w))

    @property
    def axes(self) -> tuple[Axis, Axis, Axis]:
        """The (d, h, w) axes, each with its voxels, its cells and the weights between them."""
        d, h, w = map(Axis, self.scan_shape, self.grid.shape, self.start, self.step)
        return d, h, w

    @property
    def valid(self) -> tuple[Range, Range, Range]:
        """Grid indices, half-open, of the cells whose centre lies inside the scan; the others are padding."""
        d, h, w = self.axes
        return d.valid, h.valid, w.valid

    @property
    def covered(self) -> tuple[Range, Range, Range]:
        """Scan indices, half-open, of the voxels whose centre lies inside the grid."""
        d, h, w = self.axes
        return d.covered, h.covered, w.covered

    def to_scan(self, points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Scan indices of grid indices."""
        return np.asarray(points * np.array(self.step) + np.array(self.start), np.float64)

    def to_grid(self, points: Float[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Grid indices of scan indices; the inverse of `to_scan`."""
        return np.asarray((points - np.array(self.start)) / np.array(self.step), np.float64)

    def soften(self, mask: Bool[np.ndarray, "d h w"] | UInt8[np.ndarray, "d h w"]) -> Float32[Tensor, "gd gh gw"]:
        """A mask of the scan as the share of each grid cell that it fills; every value but 0 counts as inside."""
        _same_shape("mask", mask.shape, "scan", self.scan_shape)
        d, h, w = self.axes
        soft = torch.zeros(self.grid.shape)
        inside = soft[_box(self.valid)]
        for target, plane in zip(inside, resampled(mask, (d.down(), h.down(), w.down()), (0.0, 1.0)), strict=True):
            target.copy_(plane)
        return soft

    def restore(
        self, soft: Float[Tensor, "gd gh gw"], threshold: float
    ) -> tuple[Bool[np.ndarray, "bd bh bw"], tuple[int, int, int]]:
        """The scan voxels where a soft map reaches a threshold in (0, 1], as the smallest box that holds them and the
        box's first (d, h, w) voxel; if nothing reaches it, a box of shape (0, 0, 0). Outside the grid nothing
        does."""
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold {threshold} must lie in (0, 1]")
        cells, (d, h, w) = self._cells(soft), self._back()
        ranges = reach(cells, (d, h, w), threshold)
        if ranges is None:
            return np.zeros((0, 0, 0), bool), (0, 0, 0)
        box = np.empty([r.stop - r.start for r in ranges], bool)
        planes = resampled(cells, (d[ranges[0]], h[ranges[1]], w[ranges[2]]))
        for target, plane in zip(box, planes, strict=True):
            np.greater_equal(plane.numpy(), np.float32(threshold), out=target)
        x, y, z = (r.start + covered[0] for r, covered in zip(ranges, self.covered, strict=True))
        return shrink(box, (x, y, z))

    def restore_soft(self, soft: Float[Tensor, "gd gh gw"]) -> Float32[np.ndarray, "d h w"]:
        """A soft map in [0, 1] on the scan's voxels, 0 outside the grid; `restore` is where it reaches the
        threshold."""
        out = np.zeros(self.scan_shape, np.float32)
        for target, plane in zip(out[_box(self.covered)], resampled(self._cells(soft), self._back()), strict=True):
            np.clip(plane.numpy(), 0.0, 1.0, out=target)
        return out

    def restore_labels(self, labels: UInt8[Tensor, "gd gh gw"]) -> UInt8[np.ndarray, "d h w"]:
        """Labels on the scan's voxels, each from the nearest grid cell; 0 outside the grid."""
        _same_shape("label map", labels.shape, "grid", self.grid.shape)
        d, h, w = (axis.nearest_cells() for axis in self.axes)
        out = np.zeros(self.scan_shape, np.uint8)
        gather(labels.cpu().numpy(), (d, h, w), out[_box(self.covered)])
        return out

    def _back(self) -> Weights:
        d, h, w = (axis.back()[slice(*axis.covered)] for axis in self.axes)
        return d, h, w

    def _cells(self, soft: Float[Tensor, "gd gh gw"]) -> Float32[np.ndarray, "vd vh vw"]:
        _same_shape("soft map", soft.shape, "grid", self.grid.shape)
        return np.asarray(soft.detach()[_box(self.valid)].to("cpu", torch.float32).numpy(), np.float32)


def _box(ranges: tuple[Range, Range, Range]) -> tuple[slice, slice, slice]:
    d, h, w = (slice(*r) for r in ranges)
    return d, h, w


def _same_shape(what: str, found: tuple[int, ...], owner: str, wanted: tuple[int, int, int]) -> None:
    if tuple(found) != wanted:
        raise ValueError(
            f"{what} has {tuple(found)} voxels but the {owner} has {wanted}: give it on the {owner}'s voxels"
        )
