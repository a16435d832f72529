"""From a CT in Hounsfield units to what a model sees, centred on the lungs."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Shaped, UInt8
from torch import Tensor

from rect_core.anatomy import RegionMap
from rect_core.axis import Range
from rect_core.errors import ScanError
from rect_core.frame import Frame, GridConfig
from rect_core.resample import gather, resampled
from rect_core.volume import Volume

__all__ = ["Frame", "GridConfig", "ModelInput", "Preprocess"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInput:
    """One scan on a model grid.

    voxels: HU of the grid's range as [-1, 1], padding -1; regions: values of `rect_core.findings.REGIONS` plus one, 0
    in padding; valid: half-open (d, h, w) index ranges of the cells that lie inside the scan; frame: the way back.
    """

    voxels: Float32[Tensor, "1 d h w"]
    regions: UInt8[Tensor, "d h w"]
    valid: tuple[Range, Range, Range]
    frame: Frame


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Puts scans on a grid along their own (d, h, w) axes (an oblique scan is not rotated), the middle of the grid at
    the middle of the box that holds the lungs.

    HU are clipped before they are averaged, as in CT-RATE's official pipeline: a metal clip of 3000 HU or the padding
    around the field of view must weigh no more in a cell than the brightest or darkest value that a model can see.
    """

    grid: GridConfig

    def __call__(self, volume: Volume, regions: RegionMap) -> ModelInput:
        """Resamples a scan and its regions; a map without lungs or of another shape raises ScanError."""
        frame = self.frame(volume, regions)
        low, high = self.grid.hu_range
        voxels = torch.full((1, *self.grid.shape), -1.0)
        labels = torch.zeros(self.grid.shape, dtype=torch.uint8)
        d, h, w = (slice(*r) for r in frame.valid)
        weights = (frame.axes[0].down(), frame.axes[1].down(), frame.axes[2].down())
        for target, plane in zip(
            voxels[0, d, h, w], resampled(_by_slices(volume.hu), weights, (low, high)), strict=True
        ):
            torch.clamp(plane.sub_((low + high) / 2).div_((high - low) / 2), -1.0, 1.0, out=target)
        nearest = (frame.axes[0].nearest_voxels(), frame.axes[1].nearest_voxels(), frame.axes[2].nearest_voxels())
        gather(regions.labels, nearest, labels.numpy()[d, h, w])
        return ModelInput(voxels=voxels, regions=labels, valid=frame.valid, frame=frame)

    def frame(self, volume: Volume, regions: RegionMap) -> Frame:
        """Where the grid lies in a scan; raises as `__call__` does."""
        if regions.labels.shape != volume.shape:
            raise ScanError(
                "regions",
                f"region map has {regions.labels.shape} voxels but scan {volume.case_id!r} has {volume.shape}",
            )
        if not any(regions.present[:6]):
            raise ScanError("chest", f"scan {volume.case_id!r} has no lung in its region map: give a CT of the chest")
        x, y, z = ((first + last - 1) / 2 for first, last in regions.lungs_box)
        frame = Frame.around((x, y, z), volume.shape, volume.spacing_mm, self.grid)
        return replace(frame, lung_outside=_share_outside(regions, frame.covered))


def _share_outside(regions: RegionMap, covered: tuple[Range, Range, Range]) -> float:
    if all(a <= first and last <= b for (first, last), (a, b) in zip(regions.lungs_box, covered, strict=True)):
        return 0.0
    lungs = regions.lungs
    d, h, w = (slice(*r) for r in covered)
    return 1.0 - float(np.count_nonzero(lungs[d, h, w]) / np.count_nonzero(lungs))


def _by_slices(hu: Shaped[np.ndarray, "d h w"]) -> Shaped[np.ndarray, "d h w"]:
    """The same voxels with whole slices together in memory: reading slices of a scan stored sagittally touches all of
    it."""
    return hu if abs(hu.strides[0]) == max(map(abs, hu.strides)) else np.ascontiguousarray(hu)
