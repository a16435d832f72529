"""The reference's lesions, measured from its masks."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from rect_core.anatomy import RegionMap, regions
from rect_core.errors import DataError, ScanError
from rect_core.findings import REGIONS
from rect_core.masks import read_mask
from rect_core.measure import measure_masks
from rect_core.read import read_volume
from rect_core.types import Lesions
from rect_core.volume import Volume
from rect_eval.cases import Truth
from rect_eval.localization.masks import read_ids, scan_grid


def measurable(truth: Truth) -> bool:
    """Whether a reference outlines lesions, all of them, on a scan whose regions are known. A case of a prepared
    store (.b2nd) has lost its scan's grid."""
    whole = set(truth.lesions) - truth.partial
    scan = truth.volume is not None and truth.volume.suffix != ".b2nd"
    return bool(whole) and scan and truth.regions is not None


def measured(truths: Sequence[Truth]) -> tuple[Lesions | None, ...]:
    """The lesions of each reference; None where they cannot be measured. Raises DataError with the case's name."""
    return tuple(_measure(truth) if measurable(truth) else None for truth in truths)


def _measure(truth: Truth) -> Lesions:
    assert truth.volume is not None, "measurable() was asked"
    try:
        grid = scan_grid(truth.volume, truth.case_id)
        masks = {
            finding: read_ids(path, grid) for finding, path in truth.lesions.items() if finding not in truth.partial
        }
        found = measure_masks(masks, grid, _regions(truth, grid))
    except ScanError as error:
        raise DataError(f"case {truth.case_id!r}: {error}") from error
    return Lesions(asked=found.asked, items=found.items)  # without the masks: hundreds of cases are held


def _regions(truth: Truth, grid: Volume) -> RegionMap:
    """The regions of a case: a map of ours as it is, any other with the scan, which is read for it."""
    assert truth.volume is not None, "measurable() was asked"
    assert truth.regions is not None, "measurable() was asked"
    if not truth.regions.is_dir():
        labels = read_mask(truth.regions, grid)
        if int(labels.max(initial=0)) <= len(REGIONS) and _upright(labels.astype(np.uint8)):
            return RegionMap(labels=np.ascontiguousarray(labels, np.uint8), origin="given")
    return regions(read_volume(truth.volume), truth.regions)


def _upright(labels: UInt8[np.ndarray, "d h w"]) -> bool:
    """Whether right lies right of left and upper above lower: indices grow toward Superior, Posterior, Left."""
    upper, lower = (_middle(labels, values, 0) for values in ((1, 4), (3, 6)))
    right, left = (_middle(labels, values, 2) for values in ((1, 2, 3), (4, 5, 6)))
    return right < left and lower < upper


def _middle(labels: UInt8[np.ndarray, "d h w"], values: tuple[int, ...], axis: int) -> float:
    """Mean index of some values along an axis; NaN where there is none."""
    other = tuple(a for a in range(3) if a != axis)
    held = np.isin(labels, values).sum(axis=other)
    return float(held @ np.arange(len(held)) / held.sum()) if held.any() else float("nan")
