"""What each voxel of a phantom belongs to, finer than the 20 regions: everything true is looked up from these."""

from enum import IntEnum

import numpy as np
from jaxtyping import Bool

from rect_core.findings import region_value


class Part(IntEnum):
    """The owner of a voxel. Vessels and bronchi inside the lungs, nodules and consolidation belong to the lung."""

    OUTSIDE = 0
    FAT = 1
    MUSCLE = 2
    BREAST = 3
    RIB = 4
    STERNUM = 5
    SPINE = 6
    SHOULDER = 7
    """Scapulae, clavicles and arms."""
    RIGHT_LUNG = 8
    LEFT_LUNG = 9
    AIRWAY = 10
    """Trachea, main and lobar bronchi."""
    HEART = 11
    PERICARDIUM = 12
    """The pericardial sac: its wall and its fluid."""
    AORTA = 13
    PULMONARY_ARTERY = 14
    OESOPHAGUS = 15
    MEDIASTINUM = 16
    """Its fat, veins, nodes, thymus and arch vessels."""
    RIGHT_PLEURA = 17
    LEFT_PLEURA = 18
    """Pleural fluid."""
    LIVER = 19
    STOMACH = 20
    SPLEEN = 21
    ABDOMEN = 22
    TABLE = 23
    """Table, clothes and cables: outside the body."""


_REGION = {
    Part.FAT: "chest wall",
    Part.MUSCLE: "chest wall",
    Part.BREAST: "chest wall",
    Part.RIB: "ribs and sternum",
    Part.STERNUM: "ribs and sternum",
    Part.SPINE: "spine",
    Part.SHOULDER: "chest wall",
    Part.AIRWAY: "airway",
    Part.HEART: "heart",
    Part.PERICARDIUM: "heart",
    Part.AORTA: "aorta",
    Part.PULMONARY_ARTERY: "pulmonary artery",
    Part.OESOPHAGUS: "oesophagus",
    Part.MEDIASTINUM: "other mediastinum",
    Part.RIGHT_PLEURA: "right pleural shell",
    Part.LEFT_PLEURA: "left pleural shell",
    Part.LIVER: "liver",
    Part.STOMACH: "stomach and spleen",
    Part.SPLEEN: "stomach and spleen",
    Part.ABDOMEN: "rest of the body",
}

REGION_OF_PART = np.array([region_value(_REGION[p]) if p in _REGION else 0 for p in Part], np.uint8)
"""Region value of each part; the lungs (0 here) are cut into zones afterwards."""

LUNGS = (Part.RIGHT_LUNG, Part.LEFT_LUNG)
LOBES = ("right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe")
"""Lobe i has the value i + 1 in a lobe map."""


def table_of(*parts: Part) -> Bool[np.ndarray, "256"]:
    """Whether each value of a map of parts is one of these: `table_of(Part.HEART)[parts]` is a mask."""
    return np.isin(np.arange(256), parts)
