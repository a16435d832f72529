"""A case of a store as a scan: the model grid taken for the scan's own voxels."""

import numpy as np
from jaxtyping import Float, Integer, UInt8

from rect_core.anatomy.region_map import bounding_box
from rect_core.findings import LOCALIZED
from rect_core.frame import Frame, GridConfig
from rect_core.types import MaskCrop
from rect_core.volume import StoredGrid, Volume
from rect_data.store import StoreReader


def grid_volume(reader: StoreReader, case_id: str) -> Volume:
    """The Hounsfield units of a case."""
    grid = reader.config.grid
    stored = StoredGrid(shape=grid.shape, affine=_affine(grid))
    return Volume(hu=reader.read(case_id).hu, affine=stored.house_affine, stored=stored, case_id=case_id)


def grid_lesions(reader: StoreReader, case_id: str) -> dict[str, UInt8[np.ndarray, "d h w"]]:
    """Instances of each finding of which something is known."""
    case = reader.read(case_id)
    if case.lesions is None:
        return {}
    masks = zip(LOCALIZED, case.lesions, strict=True)
    return {name: mask for name, mask in masks if case.known[name] or case.partial[name]}


def grid_frame(reader: StoreReader, case_id: str) -> Frame:
    """The frame of a scan that is the grid; how much of the lung lies outside is as the store noted it."""
    grid = reader.config.grid
    return Frame(
        scan_shape=grid.shape,
        scan_spacing_mm=grid.spacing_mm,
        grid=grid,
        start=(0.0, 0.0, 0.0),
        step=(1.0, 1.0, 1.0),
        lung_outside=reader.record(case_id).get("frame", {}).get("lung_outside", 0.0),
    )


def crop_of(labels: Integer[np.ndarray, "d h w"]) -> MaskCrop:
    """The box of a mask that holds its instances."""
    shape = labels.shape[0], labels.shape[1], labels.shape[2]
    if not labels.any():
        return MaskCrop(labels=np.zeros((0, 0, 0), np.uint8), start=(0, 0, 0), shape=shape)
    (d0, d1), (h0, h1), (w0, w1) = bounding_box(labels > 0)
    return MaskCrop(labels=labels[d0:d1, h0:h1, w0:w1], start=(d0, h0, w0), shape=shape)


def _affine(grid: GridConfig) -> Float[np.ndarray, "4 4"]:
    """(d, h, w) indices to RAS+ mm: they grow toward superior, posterior, left."""
    d, h, w = grid.spacing_mm
    return np.array([[0, 0, -w, 0], [0, -h, 0, 0], [d, 0, 0, 0], [0, 0, 0, 1]], np.float64)
