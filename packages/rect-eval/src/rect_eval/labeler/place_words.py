"""Words of sides, lobes, zones and segments: data, no mechanism. Patterns on canonical text."""

SIDES = {
    "right": "right",
    "left": "left",
    "both": "bilateral",
    "bilateral": "bilateral",
    "bilaterally": "bilateral",
    "either": "bilateral",
    "each": "bilateral",
}
PLACES = {
    "upper": "upper", "middle": "middle", "lower": "lower", "lingula": "lingula", "lingular": "lingula",
    "apex": "apical", "apices": "apical", "apical": "apical", "apicoposterior": "apical",
    "base": "basal", "bases": "basal", "basal": "basal", "basilar": "basal", "laterobasal": "basal",
    "posterobasal": "basal", "anterobasal": "basal", "mediobasal": "basal",
    "superior": "superior", "anterior": "anterior", "posterior": "posterior", "lateral": "lateral", "medial": "medial",
    "central": "central", "perihilar": "perihilar", "hilar": "perihilar", "hilum": "perihilar",
    "peripheral": "peripheral", "subpleural": "subpleural",
}  # fmt: skip
ABBREVIATED = {
    "rul": ("right", "upper"),
    "rml": ("right", "middle"),
    "rll": ("right", "lower"),
    "lul": ("left", "upper"),
    "lll": ("left", "lower"),
}
IMPLIED_SIDE = {"lingula": "left"}
"""Places that lie in one lung only; a middle lobe (not a middle zone) is the right one's."""

NOT_A_PLACE = (
    r"(?:-sided)? (?:atri|ventric|heart|kidney|adrenal|surrenal|breast|thyroid|abdom|side of the heart|coronary"
    r"|main (?:coronary|bronch|pulm)|anterior desc|aort|hemidiaph)"
)
"""What follows "left" or "upper" where no side or zone of the lung is meant."""

JOINED = (
    r"(?:[ ,/-]|\b(?:and|or|of|the|in|lobes?|lungs?|zones?|segments?|sub|parts?|portions?|regions?"
    r"|side|hemithorax|pleural|space)\b)*"
)
"""What may stand between the words of one place: "upper lobe of the right lung"."""

SIDED = frozenset(
    {
        "Lymphadenopathy", "Emphysema", "Atelectasis", "Lung nodule", "Lung opacity", "Pulmonary fibrotic sequela",
        "Pleural effusion", "Mosaic attenuation pattern", "Peribronchial thickening", "Consolidation", "Bronchiectasis",
        "Interlobular septal thickening", "Medical material", "Arterial wall calcification",
    }
)  # fmt: skip
"""Labels that can have a side."""

ONLY_A_PLACE = (
    r"(?:(?:in |on |the |its |at |mainly |especially |more |predominantly )*)(?:right|left|both"
    r"|bilateral|upper|middle|lower|lingul\w*|lobes?|hil(?:ar|um|us)|axill\w*|mediastin\w*"
    r"|para\w*|sub\w*|supraclav\w*|branches|coronar\w*|aort\w*|apic\w*|\w*bas(?:al|es|e)\b|anterior"
    r"|posterior|lateral|medial|peripheral|central|prominent|dense|occasional|segments?|aligned"
    r"|in places)"
)
"""A piece of a list that names a place and no finding."""
