"""Where things are in a chest: the 20 regions of a scan, from its own voxels, a given map or TotalSegmentator."""

from rect_core.anatomy.lung_air import LUNG_AIR_MIN_ML, lung_air_ml
from rect_core.anatomy.region_map import RegionMap
from rect_core.anatomy.regions import lobes_from_totalsegmentator, regions

__all__ = ["LUNG_AIR_MIN_ML", "RegionMap", "lobes_from_totalsegmentator", "lung_air_ml", "regions"]
