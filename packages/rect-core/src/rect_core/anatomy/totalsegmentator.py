"""TotalSegmentator's classes as our regions and lobes.

Names and values are those of the `total` task of TotalSegmentator v2 (117 classes; Wasserthal et al., Radiology: AI
2023, https://doi.org/10.1148/ryai.230024, `totalsegmentator/map_to_binary.py`) and of v1 (104 classes). v2 has the
pulmonary veins and no pulmonary artery, v1 has the artery: with v2 our region "pulmonary artery" is absent.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
from jaxtyping import Integer, UInt8

from rect_core.findings import region_value


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _pairs(text: str, *, left_first: bool = True) -> tuple[str, ...]:
    sides = ("left", "right") if left_first else ("right", "left")
    return tuple(f"{name}_{side}" for name in text.split() for side in sides)


_SPINE: Final = tuple(f"vertebrae_{part}{i}" for part, n in (("L", 5), ("T", 12), ("C", 7)) for i in range(n, 0, -1))
_RIBS: Final = tuple(f"rib_{side}_{i}" for side in ("left", "right") for i in range(1, 13))
_LOBES: Final = (
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
)


_LIMBS: Final = _pairs("humerus scapula clavicula femur hip")
_GLUTEUS: Final = _pairs("gluteus_maximus gluteus_medius gluteus_minimus autochthon iliopsoas")
_ILIAC: Final = _pairs("iliac_artery iliac_vena")

V2: Final = (
    *_words("spleen kidney_right kidney_left gallbladder liver stomach pancreas"),
    *_pairs("adrenal_gland", left_first=False),
    *_LOBES,
    *_words("esophagus trachea thyroid_gland small_bowel duodenum colon urinary_bladder prostate"),
    *_pairs("kidney_cyst"),
    *("sacrum", "vertebrae_S1", *_SPINE),
    *_words("heart aorta pulmonary_vein brachiocephalic_trunk"),
    *_pairs("subclavian_artery common_carotid_artery", left_first=False),
    *_pairs("brachiocephalic_vein"),
    *_words("atrial_appendage_left superior_vena_cava inferior_vena_cava portal_vein_and_splenic_vein"),
    *(*_ILIAC, *_LIMBS, "spinal_cord", *_GLUTEUS, "brain", "skull", *_RIBS, "sternum", "costal_cartilages"),
)
"""Class names of v2's `total` task; the first has the value 1."""

V1: Final = (
    *_words("spleen kidney_right kidney_left gallbladder liver stomach aorta inferior_vena_cava"),
    *("portal_vein_and_splenic_vein", "pancreas", *_pairs("adrenal_gland", left_first=False)),
    *(*_LOBES, *_SPINE, "esophagus", "trachea"),
    *_words("heart_myocardium heart_atrium_left heart_ventricle_left heart_atrium_right heart_ventricle_right"),
    *("pulmonary_artery", "brain", *_ILIAC, "small_bowel", "duodenum", "colon", *_RIBS, *_LIMBS, "sacrum", "face"),
    *(*_GLUTEUS, "urinary_bladder"),
)
"""Class names of v1's `total` task; the first has the value 1."""

LOBES: Final = (
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
)
"""Values 1..5 of a lobe map: RUL, RML, RLL, LUL, LLL."""

_MEDIASTINAL: Final = _words(
    "pulmonary_vein brachiocephalic_trunk superior_vena_cava "
    "subclavian_artery_right subclavian_artery_left common_carotid_artery_right common_carotid_artery_left "
    "brachiocephalic_vein_left brachiocephalic_vein_right"
)

RIGHT_LUNG, LEFT_LUNG = 201, 202
"""Marks of a lung's voxels before the lung is cut into zones."""

_REGIONS: Final = {
    **dict.fromkeys((*LOBES[:3], "lung_right"), RIGHT_LUNG),
    **dict.fromkeys((*LOBES[3:], "lung_left"), LEFT_LUNG),
    "trachea": region_value("airway"),
    **dict.fromkeys((*V1[43:48], "heart", "atrial_appendage_left"), region_value("heart")),
    "aorta": region_value("aorta"),
    "pulmonary_artery": region_value("pulmonary artery"),
    "esophagus": region_value("oesophagus"),
    **dict.fromkeys(_MEDIASTINAL, region_value("other mediastinum")),
    **dict.fromkeys((*_SPINE, "vertebrae_S1", "sacrum", "spinal_cord"), region_value("spine")),
    **dict.fromkeys((*_RIBS, "sternum", "costal_cartilages"), region_value("ribs and sternum")),
    **dict.fromkeys(_pairs("scapula clavicula"), region_value("chest wall")),
    "liver": region_value("liver"),
    **dict.fromkeys(("stomach", "spleen"), region_value("stomach and spleen")),
}

KNOWN: Final = frozenset((*V1, *V2, "lung_left", "lung_right"))
"""Every class name that is understood; other names of a folder (nodules, effusions, ...) are passed over."""


def class_region(name: str) -> int:
    """Value of the region that a class belongs to: 1..20, RIGHT_LUNG or LEFT_LUNG (before zones); a class without a
    region of its own is 20, rest of the body; an unknown one is 0."""
    return _REGIONS.get(name, region_value("rest of the body") if name in KNOWN else 0)


def has_region(name: str) -> bool:
    """Whether a class has a region of its own and so must be read."""
    return name in _REGIONS


def by_value(names: Iterable[str]) -> dict[int, str]:
    """Value of each class name of a task, counted from 1."""
    return dict(enumerate(names, start=1))


def map_classes(labels: Integer[np.ndarray, "d h w"], names: Mapping[int, str]) -> UInt8[np.ndarray, "d h w"]:
    """`class_region` of every voxel; names: class name of each value."""
    return _lookup(labels, {value: class_region(name) for value, name in names.items()})


def map_lobes(labels: Integer[np.ndarray, "d h w"], names: Mapping[int, str]) -> UInt8[np.ndarray, "d h w"]:
    """The lobe map (LOBES) of a label file."""
    return _lookup(labels, {value: LOBES.index(name) + 1 for value, name in names.items() if name in LOBES})


def _lookup(labels: Integer[np.ndarray, "d h w"], values: Mapping[int, int]) -> UInt8[np.ndarray, "d h w"]:
    table = np.zeros(max(int(labels.max()), max(values, default=0)) + 1, np.uint8)
    for value, target in values.items():
        table[value] = target
    return np.asarray(table[labels])
