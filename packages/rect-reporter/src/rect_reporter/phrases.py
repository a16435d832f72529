"""Every word list of the evidence writer: nouns, places, certainty bands, fixed sentences.

The sentence style is that of CT-RATE's English reports (the finding is the subject, "is observed", "was not detected"),
without their statements about structures that no component of this project assesses.
"""

from dataclasses import dataclass
from typing import Final, Literal

from rect_core.types import SYNTHETIC

Certainty = Literal["observed", "probable", "possible", "scored"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Noun:
    """How a label is named. `name` stands in negatives and lists; `positive` where it is the subject of a positive
    sentence; `plural` says which verb follows either."""

    name: str
    positive: str = ""
    plural: bool = False

    @property
    def subject(self) -> str:
        """The name of a present finding."""
        return self.positive or self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionNoun:
    """How outlined lesions are named: `one` with its article, `many` after a number, `name` alone. `kind`: "fluid" is
    measured in ml, "area" in mm and ml, "nodule" in mm."""

    name: str
    one: str
    many: str
    kind: Literal["fluid", "area", "nodule"]


NOUNS: Final = {
    "Medical material": Noun(name="medical material"),
    "Arterial wall calcification": Noun(name="arterial wall calcification"),
    "Cardiomegaly": Noun(name="cardiomegaly"),
    "Pericardial effusion": Noun(name="pericardial effusion"),
    "Coronary artery wall calcification": Noun(name="coronary artery wall calcification"),
    "Hiatal hernia": Noun(name="hiatal hernia"),
    "Lymphadenopathy": Noun(name="lymphadenopathy"),
    "Emphysema": Noun(name="emphysema"),
    "Atelectasis": Noun(name="atelectasis"),
    "Lung nodule": Noun(name="lung nodules", positive="one or more lung nodules", plural=True),
    "Lung opacity": Noun(name="lung opacity"),
    "Pulmonary fibrotic sequela": Noun(name="pulmonary fibrotic sequelae", plural=True),
    "Pleural effusion": Noun(name="pleural effusion"),
    "Mosaic attenuation pattern": Noun(name="mosaic attenuation pattern", positive="a mosaic attenuation pattern"),
    "Peribronchial thickening": Noun(name="peribronchial thickening"),
    "Consolidation": Noun(name="consolidation"),
    "Bronchiectasis": Noun(name="bronchiectasis"),
    "Interlobular septal thickening": Noun(name="interlobular septal thickening"),
}

LESION_NOUNS: Final = {
    "pericardial_effusion": LesionNoun(
        name="pericardial effusion", one="a pericardial effusion", many="pericardial effusions", kind="fluid"
    ),
    "pleural_effusion": LesionNoun(
        name="pleural effusion", one="a pleural effusion", many="pleural effusions", kind="fluid"
    ),
    "consolidation": LesionNoun(
        name="consolidation", one="an area of consolidation", many="areas of consolidation", kind="area"
    ),
    "ground_glass_opacity": LesionNoun(
        name="ground-glass opacity",
        one="an area of ground-glass opacity",
        many="areas of ground-glass opacity",
        kind="area",
    ),
    "lung_nodule": LesionNoun(name="lung nodule", one="a lung nodule", many="lung nodules", kind="nodule"),
}

COMPARTMENTS: Final = {
    "In the heart and the great vessels": (
        "Cardiomegaly",
        "Pericardial effusion",
        "Coronary artery wall calcification",
        "Arterial wall calcification",
    ),
    "In the mediastinum": ("Lymphadenopathy", "Hiatal hernia"),
    "In the airways": ("Bronchiectasis", "Peribronchial thickening"),
    "In the lungs": (
        "Consolidation",
        "Lung opacity",
        "Lung nodule",
        "Atelectasis",
        "Emphysema",
        "Interlobular septal thickening",
        "Mosaic attenuation pattern",
        "Pulmonary fibrotic sequela",
    ),
    "In the pleural spaces": ("Pleural effusion",),
    "": ("Medical material",),
}
"""The order of the findings section: where one looks -> its labels. Labels of none of them come last."""

IMPRESSION_ORDER: Final = (
    "Pericardial effusion",
    "Pleural effusion",
    "Consolidation",
    "Lung opacity",
    "Lung nodule",
    "Lymphadenopathy",
    "Interlobular septal thickening",
    "Cardiomegaly",
    "Atelectasis",
    "Mosaic attenuation pattern",
    "Bronchiectasis",
    "Peribronchial thickening",
    "Emphysema",
    "Pulmonary fibrotic sequela",
    "Coronary artery wall calcification",
    "Arterial wall calcification",
    "Hiatal hernia",
    "Medical material",
)
"""The order of the impression after a lung mass: what may need action soon before what is chronic or incidental."""

BANDS: Final[tuple[tuple[float, Certainty], ...]] = ((0.9, "observed"), (0.5, "probable"), (0.0, "possible"))
"""Lower bounds of calibrated probabilities and the word for them, after the usual scale of diagnostic certainty
("consistent with" above 90 %, "probable" about 75 %, "possible" about 50 % and below; Panicek & Hricak, AJR 2016).
An uncalibrated score is only ever "scored as present"."""

CERTAINTY_WORDS: Final[dict[Certainty, str]] = {
    "observed": "observed",
    "probable": "probable",
    "possible": "possible",
    "scored": "scored as present",
}

ZONE_PLACES: Final = {
    f"{side} {level} zone": f"in the {side} {level} zone"
    for side in ("right", "left")
    for level in ("upper", "middle", "lower")
}

PLACES: Final = {
    **ZONE_PLACES,
    "airway": "in the region of the airways",
    "heart": "in the region of the heart",
    "aorta": "in the region of the aorta",
    "pulmonary artery": "in the region of the pulmonary artery",
    "oesophagus": "in the region of the oesophagus",
    "other mediastinum": "in the mediastinum",
    "right pleural shell": "along the right pleura",
    "left pleural shell": "along the left pleura",
    "spine": "in the region of the spine",
    "ribs and sternum": "in the region of the ribs and sternum",
    "chest wall": "in the chest wall",
    "liver": "in the region of the liver",
    "stomach and spleen": "in the region of the stomach and spleen",
    "rest of the body": "outside the mapped chest regions",
    "outside the body": "outside the mapped body",
}
"""Region -> where a lesion is said to lie, in the order in which lesions are counted."""

SIDE_PLACES: Final = {
    "right": "on the right",
    "left": "on the left",
    "bilateral": "on both sides",
    "midline": "in the midline",
}

COUNTS: Final = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)

MOST_PLACES: Final = 3
"""Places that a count of many lesions names; the others are "elsewhere"."""

MASS_MM: Final = 30.0
"""A rounded lung lesion above this is a mass (Fleischner Society, Glossary of Terms for Thoracic Imaging)."""

LUNG_OUTSIDE: Final = 0.02
"""Share of the lung outside the model grid above which the report says so."""

WEIGHTS_SENTENCES: Final = {
    "untrained": "The model weights are untrained, so everything in this section is meaningless and must not be used.",
    "synthetic": f"The model weights were {SYNTHETIC}: this section must not be used for any patient.",
}
"""First sentence of findings and of impression, by weights_status; weights trained on clinical data have none."""

MEASURES: Final = (
    "Sizes are the longest diameter in an axial slice by the diameter at right angles to it, and slices are numbered "
    "from 0 along the stored slice axis."
)

BANNED: Final = ("abnormality", "normal", "unremarkable", "natural", "clear", "healthy", "nan", "no acute")
"""Words that no report of ours holds: nobody looked at enough to say them. Tests hold the writer to it."""
