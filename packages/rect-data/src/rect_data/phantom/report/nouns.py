"""What findings are called."""

from typing import Final

from rect_data.phantom.report.words import Noun

NOUNS: Final[dict[str, tuple[Noun, ...]]] = {
    "solid nodule": (Noun(one="solid nodule", many="solid nodules"), Noun(one="nodule", many="nodules")),
    "part-solid nodule": (
        Noun(one="part-solid nodule", many="part-solid nodules"),
        Noun(one="semisolid nodule", many="semisolid nodules"),
    ),
    "ground-glass nodule": (Noun(one="ground-glass nodule", many="ground-glass nodules"),),
    "ground-glass opacity": (
        Noun(one="ground-glass opacity", many="ground-glass opacities"),
        Noun(one="ground-glass density area", many="ground-glass density areas"),
        Noun(one="area of ground-glass opacity", many="areas of ground-glass opacity"),
        Noun(one="ground-glass density increase", many="ground-glass density increases"),
    ),
    "consolidation": (
        Noun(one="consolidation area", many="consolidation areas"),
        Noun(one="area of consolidation", many="areas of consolidation"),
        Noun(one="focus of consolidation", many="foci of consolidation"),
    ),
    "free effusion": (
        Noun(one="pleural effusion", many="collections of pleural effusion", bare=True),
        Noun(one="free pleural effusion", many="collections of free pleural effusion", bare=True),
        Noun(one="free pleural fluid", many="collections of free pleural fluid", bare=True),
    ),
    "loculated effusion": (
        Noun(one="loculated pleural effusion", many="collections of loculated pleural effusion", bare=True),
        Noun(one="encapsulated pleural effusion", many="collections of encapsulated pleural effusion", bare=True),
    ),
    "pericardial effusion": (
        Noun(one="pericardial effusion", many="collections of pericardial effusion", bare=True),
        Noun(one="pericardial fluid", many="collections of pericardial fluid", bare=True),
    ),
    "linear atelectasis": (
        Noun(one="linear atelectasis", bare=True),
        Noun(many="linear atelectatic changes"),
        Noun(one="plate-like (linear) atelectasis", bare=True),
    ),
    "subsegmental atelectasis": (
        Noun(one="subsegmental atelectasis", bare=True),
        Noun(many="subsegmental atelectatic changes"),
    ),
    "lobar atelectasis": (Noun(one="lobar atelectasis", bare=True), Noun(one="atelectasis at lobar level", bare=True)),
    "compressive atelectasis": (
        Noun(one="compressive atelectasis", bare=True),
        Noun(many="compressive atelectatic changes"),
    ),
    "fibrotic bands": (Noun(many="fibrotic bands"), Noun(many="fibrotic sequela bands")),
    "apical scarring": (
        Noun(one="apical scarring", bare=True),
        Noun(many="apical pleuroparenchymal sequela changes"),
        Noun(many="apical fibrotic sequela changes"),
    ),
    "sequela changes": (
        Noun(many="sequela changes"),
        Noun(many="fibrotic sequela changes"),
        Noun(many="pleuroparenchymal sequela fibrotic changes"),
    ),
    "septal thickening": (
        Noun(one="interlobular septal thickening", bare=True),
        Noun(many="interlobular septal thickenings"),
        Noun(one="thickening of the interlobular septa", bare=True),
    ),
    "cylindrical bronchiectasis": (
        Noun(one="cylindrical bronchiectasis", bare=True),
        Noun(many="cylindrical bronchiectatic changes"),
    ),
    "varicose bronchiectasis": (
        Noun(one="varicose bronchiectasis", bare=True),
        Noun(many="bronchiectatic changes of the varicose type"),
    ),
    "cystic bronchiectasis": (
        Noun(one="cystic bronchiectasis", bare=True),
        Noun(many="cystic bronchiectatic changes"),
    ),
    "peribronchial thickening": (
        Noun(one="peribronchial thickening", bare=True),
        Noun(many="peribronchial thickenings"),
        Noun(one="peribronchial wall thickening", bare=True),
    ),
    "mosaic attenuation": (Noun(one="mosaic attenuation pattern"), Noun(one="mosaic attenuation", bare=True)),
    "centrilobular emphysema": (
        Noun(one="centrilobular emphysema", bare=True),
        Noun(many="centrilobular emphysematous changes"),
        Noun(many="emphysematous changes of the centrilobular type"),
    ),
    "paraseptal emphysema": (
        Noun(one="paraseptal emphysema", bare=True),
        Noun(many="paraseptal emphysematous changes"),
    ),
    "panlobular emphysema": (
        Noun(one="panlobular emphysema", bare=True),
        Noun(many="panlobular emphysematous changes"),
    ),
    "cardiomegaly": (Noun(one="cardiomegaly", bare=True), Noun(one="enlargement of the heart", bare=True)),
    "arterial calcification": (
        Noun(many="calcific atheroma plaques"),
        Noun(many="atherosclerotic wall calcifications"),
        Noun(many="atherosclerotic calcific plaques"),
    ),
    "coronary calcification": (
        Noun(many="calcific plaques"),
        Noun(many="calcific atheroma plaques"),
        Noun(many="wall calcifications"),
    ),
    "enlarged lymph node": (
        Noun(one="enlarged lymph node", many="enlarged lymph nodes"),
        Noun(one="pathologically enlarged lymph node", many="pathologically enlarged lymph nodes"),
        Noun(one="lymph node of pathological size", many="lymph nodes of pathological size"),
    ),
    "hiatal hernia": (Noun(one="hiatal hernia"),),
    "pacemaker": (Noun(one="cardiac pacemaker"), Noun(one="pacemaker"), Noun(one="pacemaker battery with its leads")),
    "port catheter": (Noun(one="port catheter"), Noun(one="port reservoir with its catheter")),
    "central venous catheter": (Noun(one="central venous catheter"), Noun(one="venous catheter")),
    "sternal wires": (
        Noun(many="sternal wires"),
        Noun(many="sternotomy wires"),
        Noun(many="metallic suture materials secondary to sternotomy"),
    ),
    "valve prosthesis": (Noun(one="prosthetic heart valve"), Noun(one="heart valve prosthesis")),
    "coronary stent": (Noun(one="coronary stent", many="coronary stents"), Noun(one="stent", many="stents")),
    "tracheostomy tube": (Noun(one="tracheostomy tube"), Noun(one="tracheostomy cannula")),
    "nasogastric tube": (Noun(one="nasogastric tube"), Noun(one="nasogastric catheter")),
    "chest tube": (Noun(one="chest tube", many="chest tubes"), Noun(one="thoracic drainage catheter")),
    "surgical clips": (Noun(many="surgical clips"), Noun(many="metallic surgical clips")),
}
"""Names of each kind of finding; one is chosen each time. An unknown kind is called by itself."""

GRADES: Final = {
    "mild": ("mild", "slight", "minimal"),
    "moderate": ("moderate",),
    "severe": ("marked", "pronounced"),
}
"""Adjectives of a severity."""

EXTENDED: Final = ("Lung opacity", "Consolidation")
"""Labels whose severity is that of the whole, not of each area: it takes a sentence of its own."""

EXTENTS: Final = ("The involvement is {}.", "Parenchymal involvement is {} in degree.")
ADVERBS: Final = {"mild": ("mildly", "slightly"), "moderate": ("moderately",), "severe": ("markedly", "significantly")}
UNGRADED: Final = ("Lung nodule", "Lymphadenopathy", "Hiatal hernia", "Medical material", "")
"""Labels of things that have a size, not a severity."""
