"""Where the lungs of a scored scan lie: by the prediction's own map, the truth's, or the scan."""

from pathlib import Path

import numpy as np
from jaxtyping import Integer

from rect_core.anatomy import RegionMap, regions
from rect_core.findings import REGIONS
from rect_core.masks import read_mask
from rect_core.read import read_volume
from rect_core.volume import Volume
from rect_eval.cases import Predicted, Truth


def regions_of(truth: Truth, predicted: Predicted | None, grid: Volume, scan: Path | None) -> RegionMap | None:
    """The map in the prediction's folder, else the truth's, else what the classical route finds in the scan; None where
    none of them is there. grid: of the scan; scan: its file, where there is one. Raises ScanError."""
    own = None if predicted is None or predicted.folder is None else predicted.folder / "regions.nii.gz"
    if own is not None and own.is_file() and (found := _given(own, grid)) is not None:
        return found
    if truth.regions is not None and truth.regions.is_file():
        found = _given(truth.regions, grid)
        if found is not None and upright(found.labels):
            return found
    return None if scan is None else regions(read_volume(scan), truth.regions)


def upright(labels: Integer[np.ndarray, "d h w"]) -> bool:
    """Whether right lies right of left and, where zones are told apart, upper above lower: indices grow toward
    Superior, Posterior, Left. Another numbering, as TotalSegmentator's (1 is the spleen), fails."""
    upper, lower = (_middle(labels, values, 0) for values in ((1, 4), (3, 6)))
    right, left = (_middle(labels, values, 2) for values in ((1, 2, 3), (4, 5, 6)))
    return right < left and not lower >= upper


def _given(path: Path, grid: Volume) -> RegionMap | None:
    labels = read_mask(path, grid)
    if int(labels.max(initial=0)) > len(REGIONS):
        return None
    return RegionMap(labels=np.ascontiguousarray(labels, np.uint8), origin="given")


def _middle(labels: Integer[np.ndarray, "d h w"], values: tuple[int, ...], axis: int) -> float:
    """Mean index of some values along an axis; NaN where there is none."""
    other = tuple(a for a in range(3) if a != axis)
    held = np.isin(labels, values).sum(axis=other)
    return float(held @ np.arange(len(held)) / held.sum()) if held.any() else float("nan")
