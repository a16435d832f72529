"""The classical route: 20 regions from Hounsfield units and geometry alone, without weights."""

from typing import Final

import numpy as np
from jaxtyping import Bool, UInt8

from rect_core.anatomy.airway import find_airway
from rect_core.anatomy.body import find_body, find_bone
from rect_core.anatomy.coarse import AIR_HU, Coarse, coarsen, expand, refine, thin
from rect_core.anatomy.diaphragm import below_diaphragm, upper_abdomen
from rect_core.anatomy.lung_air import inner_air
from rect_core.anatomy.lungs import Lungs, find_lungs
from rect_core.anatomy.mediastinum import between_lungs, find_heart
from rect_core.anatomy.morphology import dilate, hull
from rect_core.anatomy.region_map import LEFT_ZONES, RIGHT_ZONES, RegionMap
from rect_core.anatomy.skeleton import find_skeleton
from rect_core.anatomy.zones import zones
from rect_core.findings import region_value
from rect_core.volume import Volume

_SHELL_MM: Final = 7.0
_WALL_MM: Final = 60.0
_AROUND: Final = np.array([0, 13, 13, 13, 14, 14, 14, 12, 12, 12, 12, 12, 12, 13, 14, 17, 17, 17, 20, 20, 20], np.uint8)
"""What a voxel without a given label becomes where the classical route draws region r: only the regions that surround
organs; at a given lung's border its pleural shell, at a given bone's border chest wall."""


def classical_regions(volume: Volume) -> RegionMap:
    """The regions of a chest CT; a scan without lungs raises ScanError.

    Found on a grid of about 3 mm; the borders of air are refined on the scan's own voxels. Aorta, pulmonary artery and
    oesophagus cannot be told apart without weights: they stay absent, as part of other mediastinum or of the heart. So
    does a lung that is removed or wholly opaque, and of that the warnings tell.
    """
    coarse = coarsen(volume.hu, volume.spacing_mm)
    body = find_body(coarse)
    bone = find_bone(coarse, body)
    midline = float(np.nonzero(bone if bone.any() else body)[2].mean())
    air = inner_air(coarse.hu < AIR_HU, coarse.hu) & body
    airway = find_airway(coarse, air, midline)
    lungs = find_lungs(coarse, air, airway, midline)
    labels = _compose(coarse, body, bone, airway, lungs)
    warnings = (*lungs.warnings, *(() if airway.any() else ("no trachea found: the airway region is absent",)))
    return RegionMap(labels=refine(labels, coarse, volume.hu), origin="classical", warnings=warnings)


def complete(labels: UInt8[np.ndarray, "d h w"], volume: Volume) -> UInt8[np.ndarray, "d h w"]:
    """A map of some organs and both lungs with the rest of the body around them: pleural shells, chest wall and other
    mediastinum as the classical route draws them; no given voxel changes."""
    coarse = coarsen(volume.hu, volume.spacing_mm)
    blocks = thin(labels, coarse)
    body = find_body(coarse)
    lungs = Lungs(right=np.isin(blocks, RIGHT_ZONES), left=np.isin(blocks, LEFT_ZONES), warnings=())
    drawn = _compose(coarse, body, find_bone(coarse, body), blocks == region_value("airway"), lungs)
    around = expand(_AROUND[drawn], coarse.factors, labels.shape)
    return np.where(labels > 0, labels, around)


def _compose(
    coarse: Coarse,
    body: Bool[np.ndarray, "z y x"],
    bone: Bool[np.ndarray, "z y x"],
    airway: Bool[np.ndarray, "z y x"],
    lungs: Lungs,
) -> UInt8[np.ndarray, "z y x"]:
    """One label a coarse voxel, painted from the least to the most certain."""
    both = lungs.right | lungs.left
    skeleton = find_skeleton(coarse, body, bone, both)
    bones = skeleton.spine | skeleton.ribs
    below = below_diaphragm(lungs.right, lungs.left, coarse) & body
    between = between_lungs(coarse, lungs.right, lungs.left, skeleton.front) & body & ~below
    liver, stomach = upper_abdomen(coarse, below & ~bones, skeleton.middle, skeleton.front)
    labels = np.where(body, np.uint8(region_value("rest of the body")), np.uint8(0))
    labels[body & ~below & hull(both, coarse.spacing_mm, offset_mm=_WALL_MM)] = region_value("chest wall")
    labels[between] = region_value("other mediastinum")
    labels[liver], labels[stomach] = region_value("liver"), region_value("stomach and spleen")
    _paint_shell(labels, coarse, lungs, body & ~between)
    labels[find_heart(coarse, between & ~airway & ~bones, airway, skeleton.front)] = region_value("heart")
    labels[skeleton.ribs], labels[skeleton.spine] = region_value("ribs and sternum"), region_value("spine")
    labels[both] = zones(lungs.right, lungs.left)[both]
    labels[airway] = region_value("airway")
    return labels


def _paint_shell(
    labels: UInt8[np.ndarray, "z y x"], coarse: Coarse, lungs: Lungs, room: Bool[np.ndarray, "z y x"]
) -> None:
    """Pleural shells: 7 mm around each lung, but not toward the mediastinum."""
    for lung, side in ((lungs.right, "right"), (lungs.left, "left")):
        labels[dilate(lung, _SHELL_MM, coarse.spacing_mm) & room] = region_value(f"{side} pleural shell")
