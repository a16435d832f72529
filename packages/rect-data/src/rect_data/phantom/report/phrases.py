"""The sentence forms of all 18 labels, of doubt and of normal variants."""

from typing import Final

from rect_data.phantom.report.forms import Forms
from rect_data.phantom.report.phrases_airspace import ATELECTASIS, CONSOLIDATION, OPACITY
from rect_data.phantom.report.phrases_airway import BRONCHIECTASIS, PERIBRONCHIAL
from rect_data.phantom.report.phrases_fluid import PERICARDIAL, PLEURAL
from rect_data.phantom.report.phrases_heart import ARTERIAL, CARDIOMEGALY, CORONARY
from rect_data.phantom.report.phrases_lung import EMPHYSEMA, MOSAIC, SEPTAL, SEQUELA
from rect_data.phantom.report.phrases_mediastinum import DEVICES, HERNIA, NODES
from rect_data.phantom.report.phrases_nodule import NODULE

FORMS: Final[dict[str, Forms]] = {
    "Medical material": DEVICES,
    "Arterial wall calcification": ARTERIAL,
    "Cardiomegaly": CARDIOMEGALY,
    "Pericardial effusion": PERICARDIAL,
    "Coronary artery wall calcification": CORONARY,
    "Hiatal hernia": HERNIA,
    "Lymphadenopathy": NODES,
    "Emphysema": EMPHYSEMA,
    "Atelectasis": ATELECTASIS,
    "Lung nodule": NODULE,
    "Lung opacity": OPACITY,
    "Pulmonary fibrotic sequela": SEQUELA,
    "Pleural effusion": PLEURAL,
    "Mosaic attenuation pattern": MOSAIC,
    "Peribronchial thickening": PERIBRONCHIAL,
    "Consolidation": CONSOLIDATION,
    "Bronchiectasis": BRONCHIECTASIS,
    "Interlobular septal thickening": SEPTAL,
}

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "mediastinum": (
        "Medical material",
        "Arterial wall calcification",
        "Coronary artery wall calcification",
        "Cardiomegaly",
        "Pericardial effusion",
        "Lymphadenopathy",
        "Hiatal hernia",
    ),
    "lungs": (
        "Lung nodule",
        "Lung opacity",
        "Consolidation",
        "Atelectasis",
        "Emphysema",
        "Mosaic attenuation pattern",
        "Bronchiectasis",
        "Peribronchial thickening",
        "Interlobular septal thickening",
        "Pulmonary fibrotic sequela",
        "Pleural effusion",
    ),
}
"""Which part of the findings tells of a label."""

DOUBTED: Final = (
    "[An appearance|Appearances] suspicious for {a} {seen} {where}, [|the largest ]measuring {size}.",
    "{where}, findings compatible with {a}, [|the largest ]measuring {size}, are noted.",
    "The presence of {a} is suspected {where}, [|the largest ]measuring {size}.",
    "[An appearance|Appearances] suspicious for {a} {seen} {where}.",
    "{where}, findings compatible with {a} are noted.",
    "The presence of {a} is suspected {where}.",
    "[An appearance|Appearances] suspicious for {a} of {size} {seen}.",
    "Findings compatible with {a}, measuring {size}, are noted.",
    "[An appearance|Appearances] suspicious for {a} {seen}.",
    "Findings compatible with {a} are noted.",
)
"""A finding that is there, told with doubt."""

DOUBTED_SHORT: Final = (
    "Findings suspicious for {a} {where}.",
    "[Appearance|Appearances] that may be compatible with {a} {where}.",
    "Findings suspicious for {a}.",
    "[Appearance|Appearances] that may be compatible with {a}.",
)

VARIANTS: Final[dict[str, tuple[str, ...]]] = {
    "calcified granuloma": (
        "A calcified granuloma with a diameter of {size} {seen} {where}.",
        "{where}, there is a calcified granuloma of {size}.",
        "A calcified granuloma, a remnant of an old infection, {seen} {where}.",
        "{where}, a millimetric granuloma that is completely calcified is noted.",
    ),
    "azygos lobe": (
        "An azygos lobe is present as a normal variation.",
        "An azygos fissure {seen} (variation).",
        "Azygos lobe variation {seen}.",
    ),
    "dependent density": (
        "Gravity-dependent density differences are observed in the posterior parts of the lungs.",
        "Density differences due to the supine position are noted in the dependent parts of the lungs.",
        "The dependent parts of the lungs are slightly denser, as expected in the supine position.",
    ),
    "thymic tissue": (
        "Residual thymic tissue {seen} in the anterior mediastinum.",
        "The thymus has not completed its involution.",
        "Thymic tissue can be followed in the anterior mediastinum.",
    ),
    "prominent epicardial fat": (
        "Epicardial fat tissue is prominent.",
        "Fat tissue around the heart is more than usual.",
        "There is prominent fat tissue adjacent to the heart.",
    ),
    "motion artefact": (
        "There are motion artifacts in the sections.",
        "The evaluation is partly limited by motion artifacts.",
        "Artifacts due to movement and respiration are noted.",
    ),
}
"""Normal variants, in words that assert none of the 18 labels."""

VARIANT_SECTION: Final = {
    "calcified granuloma": "lungs",
    "azygos lobe": "lungs",
    "dependent density": "lungs",
    "thymic tissue": "mediastinum",
    "prominent epicardial fat": "mediastinum",
    "motion artefact": "lungs",
}
