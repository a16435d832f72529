"""The words of the project: 18 labels, five findings that can be outlined, 20 regions, and what is never assessed.

Orders are those of CT-RATE (labels) and of our mask values (findings 1..5, regions 1..20). Nothing else in the project
keeps a copy of these lists.
"""

from typing import Final

LABELS: Final = (
    "Medical material",
    "Arterial wall calcification",
    "Cardiomegaly",
    "Pericardial effusion",
    "Coronary artery wall calcification",
    "Hiatal hernia",
    "Lymphadenopathy",
    "Emphysema",
    "Atelectasis",
    "Lung nodule",
    "Lung opacity",
    "Pulmonary fibrotic sequela",
    "Pleural effusion",
    "Mosaic attenuation pattern",
    "Peribronchial thickening",
    "Consolidation",
    "Bronchiectasis",
    "Interlobular septal thickening",
)
"""The 18 labels of CT-RATE's `*_predicted_labels.csv`, in the order of its columns."""

LOCALIZED: Final = (
    "pericardial_effusion",
    "pleural_effusion",
    "consolidation",
    "ground_glass_opacity",
    "lung_nodule",
)
"""The findings with a mask; finding k has the value k + 1 in `lesions.nii.gz`."""

LABEL_OF_LOCALIZED: Final = {
    "pericardial_effusion": "Pericardial effusion",
    "pleural_effusion": "Pleural effusion",
    "consolidation": "Consolidation",
    "ground_glass_opacity": "Lung opacity",
    "lung_nodule": "Lung nodule",
}
"""Which of the 18 labels a mask belongs to. CT-RATE has no ground-glass label: it is part of lung opacity."""

REGIONS: Final = (
    "right upper zone",
    "right middle zone",
    "right lower zone",
    "left upper zone",
    "left middle zone",
    "left lower zone",
    "airway",
    "heart",
    "aorta",
    "pulmonary artery",
    "oesophagus",
    "other mediastinum",
    "right pleural shell",
    "left pleural shell",
    "spine",
    "ribs and sternum",
    "chest wall",
    "liver",
    "stomach and spleen",
    "rest of the body",
)
"""Region r has the value r + 1 in a region map; 0 lies outside the body."""

NOT_ASSESSED: Final = (
    "pneumothorax",
    "pulmonary embolism",
    "aortic dissection and aneurysm",
    "fracture",
    "lesions of the bones, breast, thyroid and upper abdomen",
)
"""What no component of this project looks for; every report ends with it."""

PROMPTS: Final = tuple(f"{label} is present in this chest CT." for label in LABELS)
"""One text prompt a label, in the order of LABELS; the classifier stores their vectors in its weights."""

LOCALIZED_PROMPTS: Final = {
    "pericardial_effusion": "Fluid in the pericardial sac around the heart: pericardial effusion.",
    "pleural_effusion": "Fluid in the pleural space between lung and chest wall: pleural effusion.",
    "consolidation": "Airspace filled with fluid or cells, vessels hidden: consolidation.",
    "ground_glass_opacity": "Hazy density in the lung with vessels still visible: ground-glass opacity.",
    "lung_nodule": "A rounded opacity in the lung up to 30 mm: lung nodule.",
}
"""One text prompt a localized finding."""


def label_index(label: str) -> int:
    """Position of a label in LABELS; an unknown name raises KeyError with the nearest one."""
    return _index(label, LABELS)


def region_value(region: str) -> int:
    """Value of a region in a region map (1..20); an unknown name raises KeyError with the nearest one."""
    return _index(region, REGIONS) + 1


def slug(name: str) -> str:
    """A name as it stands in file names and keys: "Lung nodule" -> "lung_nodule"."""
    return name.lower().replace(" ", "_").replace("-", "_")


def _index(name: str, names: tuple[str, ...]) -> int:
    if name not in names:
        from difflib import get_close_matches

        near = get_close_matches(name, names, n=1, cutoff=0.0)
        raise KeyError(f"{name!r} is not one of the {len(names)} known names; the nearest is {near[0]!r}")
    return names.index(name)
