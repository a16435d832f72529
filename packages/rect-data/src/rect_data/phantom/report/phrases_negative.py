"""What is not there: sentences that deny one label or several."""

from typing import Final

DENIED: Final[dict[str, tuple[str, ...]]] = {
    "Medical material": ("foreign material", "medical device"),
    "Arterial wall calcification": ("calcification of the aortic wall", "calcified plaque in the great vessels"),
    "Cardiomegaly": ("cardiomegaly", "increase in heart size"),
    "Pericardial effusion": ("pericardial effusion", "pericardial fluid"),
    "Coronary artery wall calcification": ("coronary artery calcification", "calcific plaque in the coronary arteries"),
    "Hiatal hernia": ("hiatal hernia", "hernia at the esophageal hiatus"),
    "Lymphadenopathy": ("lymph node in pathological size and appearance", "enlarged lymph node", "lymphadenopathy"),
    "Emphysema": ("emphysema", "emphysematous change", "bulla"),
    "Atelectasis": ("atelectasis", "atelectatic change"),
    "Lung nodule": ("nodule", "nodular lesion", "pulmonary nodule"),
    "Lung opacity": ("ground-glass opacity", "ground-glass density"),
    "Pulmonary fibrotic sequela": ("fibrotic change", "sequela change"),
    "Pleural effusion": ("pleural effusion", "pleural fluid"),
    "Mosaic attenuation pattern": ("mosaic attenuation", "mosaic attenuation pattern"),
    "Peribronchial thickening": ("peribronchial thickening", "bronchial wall thickening"),
    "Consolidation": ("consolidation", "consolidation area"),
    "Bronchiectasis": ("bronchiectasis", "bronchial dilatation"),
    "Interlobular septal thickening": ("interlobular septal thickening", "thickening of the interlobular septa"),
}
"""Names for what is denied."""

PLACED: Final[dict[str, tuple[str, ...]]] = {
    "Lymphadenopathy": (" in the mediastinum", " in the mediastinum and hilar regions", ""),
    "Lung nodule": (" in either lung", " in the lung parenchyma", ""),
    "Lung opacity": (" in both lungs", " in the lung parenchyma", ""),
    "Consolidation": (" in both lungs", " in the lung parenchyma", ""),
    "Pleural effusion": (" on either side", ""),
}
"""Where it was looked for."""

DENIALS: Final = (
    "No {x} was <detected|observed|seen>.",
    "{x} was not <detected|observed>.",
    "There is no {x}.",
    "No {x} could be demonstrated.",
    "No finding in favor of {x} was detected.",
    "{x} is not <observed|seen|present>.",
)
DENIALS_OF_TWO: Final = (
    "No {x} or {y} was <detected|observed>.",
    "{x} or {y} was not detected.",
    "Neither {x} nor {y} was observed.",
    "There is no {x} or {y}.",
)

TOGETHER: Final = (
    ("Pericardial effusion", "Pleural effusion"),
    ("Lung nodule", "Consolidation"),
    ("Lung opacity", "Consolidation"),
    ("Bronchiectasis", "Peribronchial thickening"),
    ("Arterial wall calcification", "Coronary artery wall calcification"),
    ("Emphysema", "Mosaic attenuation pattern"),
)
"""Pairs that are denied in one breath."""

SPECIAL: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("Cardiomegaly",), "Heart contour and size are normal."),
    (("Cardiomegaly",), "The heart is of normal size."),
    (("Cardiomegaly",), "Cardiac dimensions are within normal limits."),
    (
        ("Cardiomegaly", "Pericardial effusion"),
        "The size of the heart is natural and there is no pericardial effusion.",
    ),
    (("Pericardial effusion", "Pleural effusion"), "Pericardial, pleural effusion was not detected."),
    (("Pericardial effusion",), "Pericardial effusion-thickening was not observed."),
    (("Pleural effusion",), "Pleural effusion-thickening was not detected."),
    (("Pleural effusion",), "The pleural spaces are free."),
    (("Lung nodule", "Lung opacity", "Consolidation"), "No nodular or infiltrative lesion was detected in both lungs."),
    (
        ("Lung nodule", "Lung opacity", "Consolidation"),
        "No mass, nodule or infiltration is seen in the lung parenchyma.",
    ),
    (("Lung opacity", "Consolidation"), "No active infiltration was detected in either lung."),
    (
        ("Emphysema", "Mosaic attenuation pattern", "Lung opacity", "Consolidation", "Atelectasis"),
        "Aeration of both lungs is normal.",
    ),
    (("Bronchiectasis",), "Bronchial calibers are normal."),
    (("Bronchiectasis", "Peribronchial thickening"), "The calibers and walls of the bronchi are natural."),
    (("Interlobular septal thickening",), "The interlobular septa are of normal thickness."),
    (
        ("Lymphadenopathy",),
        "No enlarged lymph nodes in prevascular, paratracheal, subcarinal or hilar-axillary pathological dimensions "
        "were detected.",
    ),
    (("Lymphadenopathy",), "Lymph nodes in the mediastinum do not reach pathological size."),
    (
        ("Coronary artery wall calcification", "Arterial wall calcification"),
        "The vascular walls are free of calcification.",
    ),
    (("Hiatal hernia",), "The esophagogastric junction is in its normal position."),
    (("Emphysema",), "There is no sign of parenchymal destruction or air cyst in the lungs."),
)
"""Denials in words of their own, each with all that it denies."""

OFTEN: Final[dict[str, float]] = {
    "Pericardial effusion": 0.8,
    "Pleural effusion": 0.8,
    "Lymphadenopathy": 0.75,
    "Lung nodule": 0.6,
    "Cardiomegaly": 0.6,
    "Consolidation": 0.5,
    "Lung opacity": 0.45,
    "Hiatal hernia": 0.2,
    "Emphysema": 0.25,
    "Bronchiectasis": 0.2,
    "Atelectasis": 0.15,
    "Coronary artery wall calcification": 0.15,
    "Arterial wall calcification": 0.15,
    "Peribronchial thickening": 0.12,
    "Interlobular septal thickening": 0.12,
    "Pulmonary fibrotic sequela": 0.1,
    "Mosaic attenuation pattern": 0.1,
    "Medical material": 0.03,
}
"""How often a report denies what is absent."""

SILENCED: Final = {"calcified granuloma": "Lung nodule", "dependent density": "Lung opacity"}
"""Next to these variants a reader would not flatly deny that label."""
