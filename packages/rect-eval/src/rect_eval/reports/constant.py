"""Reports that look at no scan: what every score gives to them belongs beside it."""

from collections.abc import Collection
from typing import Final

import numpy as np
from jaxtyping import Float

from rect_core.findings import LABELS

PRESENT: Final = {
    "Medical material": "A central venous catheter is present.",
    "Arterial wall calcification": "There are calcified plaques in the wall of the thoracic aorta.",
    "Cardiomegaly": "The heart is enlarged.",
    "Pericardial effusion": "There is a pericardial effusion.",
    "Coronary artery wall calcification": "There are calcifications in the walls of the coronary arteries.",
    "Hiatal hernia": "A hiatal hernia is seen.",
    "Lymphadenopathy": "There are enlarged mediastinal lymph nodes.",
    "Emphysema": "Emphysema is seen in both lungs.",
    "Atelectasis": "Areas of atelectasis are seen in the lungs.",
    "Lung nodule": "There are pulmonary nodules in both lungs.",
    "Lung opacity": "Ground-glass opacities are seen in both lungs.",
    "Pulmonary fibrotic sequela": "Fibrotic sequelae are seen in both lungs.",
    "Pleural effusion": "There is a pleural effusion.",
    "Mosaic attenuation pattern": "A mosaic attenuation pattern is seen in the lungs.",
    "Peribronchial thickening": "There is peribronchial thickening.",
    "Consolidation": "Areas of consolidation are seen in the lungs.",
    "Bronchiectasis": "Bronchiectasis is seen.",
    "Interlobular septal thickening": "There is thickening of the interlobular septa.",
}
"""One sentence a label, for a label that is present."""

ABSENT: Final = {
    "Medical material": "No catheter or implant is seen.",
    "Arterial wall calcification": "There is no calcification of the aortic wall.",
    "Cardiomegaly": "The heart is of normal size.",
    "Pericardial effusion": "There is no pericardial effusion.",
    "Coronary artery wall calcification": "There is no coronary artery calcification.",
    "Hiatal hernia": "There is no hiatal hernia.",
    "Lymphadenopathy": "There are no enlarged lymph nodes.",
    "Emphysema": "There is no emphysema.",
    "Atelectasis": "There is no atelectasis.",
    "Lung nodule": "There is no pulmonary nodule.",
    "Lung opacity": "There is no ground-glass opacity.",
    "Pulmonary fibrotic sequela": "There are no fibrotic changes.",
    "Pleural effusion": "There is no pleural effusion.",
    "Mosaic attenuation pattern": "There is no mosaic attenuation.",
    "Peribronchial thickening": "There is no peribronchial thickening.",
    "Consolidation": "There is no consolidation.",
    "Bronchiectasis": "There is no bronchiectasis.",
    "Interlobular septal thickening": "The interlobular septa are not thickened.",
}
"""One sentence a label, for a label that is absent."""


def report_of(present: Collection[str]) -> str:
    """A report that states the given labels and denies all others, in the order of LABELS."""
    return " ".join(PRESENT[label] if label in present else ABSENT[label] for label in LABELS)


def all_normal() -> str:
    """A report that denies all 18 labels."""
    return report_of(())


def common_labels(labels: Float[np.ndarray, "n k"]) -> tuple[str, ...]:
    """The labels that are at least as common as all labels pooled: what a constant report has to name for the best
    CRG. labels: 0, 1 or NaN (unknown)."""
    known = ~np.isnan(labels)
    if not known.any():
        return ()
    pooled = labels[known].mean()
    columns = zip(LABELS, labels.T, known.T, strict=True)
    return tuple(label for label, values, there in columns if there.any() and values[there].mean() >= pooled > 0)
