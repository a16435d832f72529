"""The one door to the 20 regions: from the scan alone, a given map, or TotalSegmentator."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Integer, UInt8

from rect_core.anatomy.classical import classical_regions, complete
from rect_core.anatomy.label_source import read_labels
from rect_core.anatomy.laterality import misfit
from rect_core.anatomy.region_map import RegionMap
from rect_core.anatomy.totalsegmentator import LEFT_LUNG, RIGHT_LUNG, V1, V2, by_value, map_classes, map_lobes
from rect_core.anatomy.zones import zones
from rect_core.errors import ScanError
from rect_core.findings import REGIONS
from rect_core.volume import Volume

_PAIRED = "the sides of the map and of the scan must agree: give the map that was made from this very file"
_NO_ARTERY = "TotalSegmentator v2 has no pulmonary artery: that region is absent"


def regions(volume: Volume, source: Any = None) -> RegionMap:
    """The 20 regions of a scan.

    source: None finds them in the scan itself (`classical_regions`). Otherwise a path, nibabel image or array in the
    scan's stored axes with the values 0..20; a TotalSegmentator label file of its `total` task (v2 or v1, told by the
    class names in its header, else by its values); or a TotalSegmentator folder of <class>.nii.gz. A given map that
    does not fit the scan (`misfit`), or fits no numbering, raises ScanError("regions"); another grid ScanError("mask").
    """
    if source is None:
        return classical_regions(volume)
    labels, names = read_labels(source, volume)
    if names:
        return _from_classes(labels, names, volume)
    if int(labels.max(initial=0)) <= len(REGIONS):
        own = labels.astype(np.uint8)
        problem = misfit(own, volume)
        if problem is None:
            return RegionMap(labels=np.ascontiguousarray(own), origin="given")
    else:
        problem = f"its highest value is {int(labels.max())}, above the {len(REGIONS)} regions"
    return _from_classes(labels, _numbering(labels, volume, problem), volume)


def lobes_from_totalsegmentator(volume: Volume, source: Any) -> UInt8[np.ndarray, "d h w"]:
    """The lobe map of a TotalSegmentator file or folder: 1 right upper, 2 right middle, 3 right lower, 4 left upper,
    5 left lower. Raises ScanError as `regions` does."""
    labels, names = read_labels(source, volume)
    lobes = map_lobes(labels, names or _numbering(labels, volume, "it is no lobe map"))
    if not lobes.any():
        raise ScanError("regions", "the label map holds no lung lobe: run TotalSegmentator's `total` task")
    return lobes


def _numbering(labels: Integer[np.ndarray, "d h w"], volume: Volume, problem: str) -> Mapping[int, str]:
    """v2's or v1's class names, whichever makes lungs of this scan."""
    fits = [task for task in (V2, V1) if _fit(map_classes(labels, by_value(task)), volume) is None]
    if len(fits) != 1:
        raise ScanError(
            "regions",
            f"the region map does not fit the scan: {problem}, nor is it TotalSegmentator's numbering; {_PAIRED}, or "
            "values 0 to 20",
        )
    return by_value(fits[0])


def _fit(mapped: UInt8[np.ndarray, "d h w"], volume: Volume) -> str | None:
    return misfit(zones(mapped == RIGHT_LUNG, mapped == LEFT_LUNG), volume)


def _from_classes(labels: Integer[np.ndarray, "d h w"], names: Mapping[int, str], volume: Volume) -> RegionMap:
    mapped = map_classes(labels, names)
    problem = _fit(mapped, volume)
    if problem is not None:
        raise ScanError("regions", f"the TotalSegmentator labels do not fit the scan: {problem}; {_PAIRED}")
    right, left = mapped == RIGHT_LUNG, mapped == LEFT_LUNG
    mapped[right | left] = 0
    mapped += zones(right, left)
    filled = complete(mapped, volume)
    warnings = () if "pulmonary_artery" in names.values() else (_NO_ARTERY,)
    return RegionMap(labels=filled, origin="totalsegmentator", warnings=warnings)
