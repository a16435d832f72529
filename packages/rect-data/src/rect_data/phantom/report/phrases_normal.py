"""Sentences about what is as it should be, the frame of a report, and reports without findings."""

from typing import Final

NORMAL: Final[dict[str, tuple[tuple[float, tuple[str, ...], tuple[str, ...]], ...]]] = {
    "mediastinum": (
        (
            0.8,
            (),
            (
                "Trachea and both main bronchi are open.",
                "Trachea, both main bronchi are open and no obstructive pathology was observed.",
                "The trachea and main bronchi are patent.",
                "No occlusive pathology was detected in the trachea and both main bronchi.",
            ),
        ),
        (
            0.3,
            ("Hiatal hernia", "Medical material"),
            (
                "Thoracic esophagus calibration is normal.",
                "Esophageal calibration is within normal limits and no tumoral wall thickening was detected.",
                "The course and caliber of the esophagus are natural.",
            ),
        ),
        (
            0.25,
            ("Lymphadenopathy",),
            (
                "No mass was detected in the mediastinum.",
                "No space-occupying lesion is seen in the mediastinum.",
                "There is no mediastinal mass.",
            ),
        ),
        (
            0.2,
            (),
            (
                "The thyroid gland is unremarkable in the sections.",
                "The part of the thyroid gland within the sections is natural.",
            ),
        ),
    ),
    "abdomen": (
        (
            0.7,
            ("Hiatal hernia",),
            (
                "Upper abdominal organs included in the sections are normal.",
                "No significant pathology was detected in the upper abdominal sections.",
                "The upper abdominal organs within the study area are unremarkable.",
            ),
        ),
        (
            0.4,
            (),
            (
                "No space-occupying lesion was detected in the liver within the sections.",
                "Bilateral adrenal glands are of normal configuration.",
                "The spleen within the sections is natural.",
            ),
        ),
    ),
    "bones": (
        (
            0.8,
            (),
            (
                "No lytic-destructive lesion was detected in the bone structures.",
                "No lytic or sclerotic destructive lesion is observed in the bones within the study area.",
                "Bone structures in the study area are free of destructive lesions.",
                "No obvious lytic-destructive lesion was seen in the bony structures.",
            ),
        ),
    ),
}
"""By part of the report: how often, the labels that must be absent for it to be said, and the wordings."""

SUBOPTIMAL: Final = (
    "Mediastinal structures were evaluated as suboptimal since the examination was unenhanced.",
    "Since no contrast material was given, mediastinal vascular structures could not be evaluated optimally.",
    "The evaluation of mediastinal structures is limited in the non-contrast examination.",
)
ENHANCED: Final = (
    "Contrast filling of the mediastinal main vascular structures is natural.",
    "Mediastinal vascular structures were opacified with contrast material.",
)

INTRODUCTIONS: Final = (
    "When examined in the lung parenchyma window; ",
    "In the evaluation of both lung parenchyma; ",
    "In the examination made in the lung parenchyma window; ",
)

PLAIN_TECHNIQUE: Final = (
    "Non-contrast sections were taken in the axial plane.",
    "Axial thorax CT sections were obtained without contrast material.",
    "Unenhanced chest CT examination was performed in the axial plane.",
    "Images were obtained in the axial plane without intravenous contrast.",
)
CONTRAST_TECHNIQUE: Final = (
    "Sections were taken in the axial plane after intravenous contrast material was given.",
    "Axial thorax CT sections were obtained following the administration of IV contrast material.",
    "Contrast-enhanced chest CT examination was performed in the axial plane.",
    "Images were obtained in the axial plane with intravenous contrast.",
)

NOT_GIVEN: Final = "Not given."
CLINICAL: Final = (
    "{Man} patient aged {age}.",
    "{Man} patient, {age} years old.",
    "Evaluation of the thorax was requested.",
    "Infectious process?",
    "Thoracic CT examination was requested for the {man} patient aged {age}.",
)

NOTHING: Final = (
    "Thoracic CT examination within normal limits.",
    "Thorax CT examination is within normal limits.",
    "Findings are within normal limits.",
    "No significant pathology was detected in the chest CT examination.",
    "No pathological finding was detected in the thorax.",
)
"""Impressions of a scan without any label."""

NOTHING_BUT: Final = (
    "No significant pathology was detected in the chest CT examination.",
    "No active pathology was detected in the thorax.",
    "No finding of clinical significance was detected.",
)
"""The same with a normal variant in the findings."""
