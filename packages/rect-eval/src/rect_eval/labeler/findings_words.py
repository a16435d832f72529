"""The words of the 18 labels, as patterns on lower-case text with single spaces: data, no mechanism.

Findings whose name depends on what stands around the word (effusion, thickening or calcification of what; lymph nodes
and hearts of which size) have theirs in `organ_words`.
"""

from dataclasses import dataclass

LUNG = (
    r"lungs?\b|pulmonary|(?<!thyroid )(?<!hepatic )lob(?:e|es|ar|ule)\b(?! of the (?:thyroid|liver))"
    r"|parenchym\w*|segments?\b|lingul\w*|pleura\w*|subpleural|fissur\w*"
    r"|perifissural|hemithora\w*|apex|apices|apical|basal|\b[rl][uml]l\b|airway"
)
OTHER_ORGANS = (
    r"\bthyroid|adrenal|surrenal|breast|mammar|\bliver|hepat|\bsple(?:en|nic)|kidney|\brenal|pancrea"
    r"|\bskin\b|subcutan|axill"
    r"|gallbladder|periton|oment|vertebra|\bbones?\b|\bribs?\b|soft tissue|parotid|thymus|muscle"
)


@dataclass(frozen=True, slots=True)
class Word:
    """A finding by its words.

    roots: parted by spaces, one of which must stand in the text before the pattern is tried; finding: the localized
    finding that the words name; no_organ: a mention nearer to another organ than to the lung is not meant.
    """

    label: str
    roots: str
    pattern: str
    finding: str = ""
    no_organ: bool = False


FINDINGS = (
    Word(
        "Medical material",
        "cathet port pac sten stern clip prosthe valve metal implant tube cannul drain sutur material "
        "screw cabg bypass by-pass picc line graft shunt coil filter defib icd electrode trache cement "
        "device foreign wire intubat fixat mesh staple hardware tavi lvad",
        r"\b(?:port(?:-?a-?| )?cath\w*|(?:catheters?|cannulas?|stents?)|(?:chemo)?ports?(?: chambers?"
        r"| reservoirs?)?(?! of)"
        r"|pace ?-?makers?(?: electrodes?| leads?| wires?| batter\w+)*|\bpacers?|\bicd|(?:pacing|cardiac"
        r"|intracardiac|defibrillator) (?:electrodes?|leads?|device)"
        r"|electrodes?|defibrillators?|(?:median )?sternotom\w+(?: (?:sutures?|wires?|materials?|changes?))*"
        r"|sternal (?:wires?|sutures?|cerclage)|(?:metallic |surgical |sternal )*(?:sutures?(?: materials?)?|clips?)"
        r"|prosthe\w+(?: valves?)?|(?:metallic|mechanical|artificial|biological) valves?|valve replacements?"
        r"|(?:metallic|medical|surgical|operation|operative|osteosynthesis|fixation|foreign"
        r"|embolization) (?:materials?|devices?|implants?|bod(?:y|ies)|plates?|coils?|wires?)"
        r"|(?:silicone |breast )*implants?|(?:nasogastric|orogastric|endotracheal|tracheostomy|tracheal"
        r"|chest|thora(?:x|cic|costomy)|feeding|drainage|intubation|gastrostomy|peg|ng|et) tubes?"
        r"|tracheostom(?:y|ies)(?: cannula)?|drains?\b(?! into)|drainage tubes?|(?:plate and )?screws?"
        r"|cabg|(?:coronary |aortocoronary )*by-?pass(?: grafts?| surgery| operations?| materials?)*"
        r"|picc(?: lines?)?|(?:central|venous|jugular|subclavian) (?:venous )?lines?|(?:vascular|aortic"
        r"|stent|coronary) grafts?"
        r"|(?:ventriculoperitoneal |vp )?shunts?(?: catheters?)?|(?:vena cava |ivc |caval )filters?"
        r"|cement\w*|k-wires?|(?:surgical )?staples|hardware|\btavi|lvad|intubated|surgical mesh)\b",
    ),
    Word(
        "Hiatal hernia",
        "herni stomach",
        r"(?:(?:sliding|mixed|rolling)(?:[- ]?type)? )?hiat(?:al|us)(?: [a-z-]+)? herni\w+|(?:sliding"
        r"|mixed|rolling)(?:[- ]type)?(?: [a-z]+)? herni\w+|paraesophageal herni\w+"
        r"|herni\w+(?: [a-z]+){0,6} hiat\w+|intrathoracic stomach|(?:stomach|gastric"
        r"|fundus)(?: (?!no|not)[a-z]+){0,5} herniat\w+|herniation of (?:the )?(?:stomach|gastric)",
    ),
    Word(
        "Emphysema",
        "emphysem bull bleb",
        r"\b(?<!subcutaneous )(?<!cutaneous )(?<!mediastinal )(?<!tissue )(?<!surgical )(?<!skin )(?<!wall )"
        r"(?<!interstitial )(?:(?:centri\w+|para-?septal|pan\w+|bullous|lobular) )*emphysem\w+"
        r"(?!(?: [a-z]+){0,3} (?:in|within|under) (?:the )?(?:subcutan|soft|skin|chest wall|neck"
        r"|mediastin))(?: changes?| areas?)?"
        r"|\bbull(?:a|ae|as|ous)\b(?: formations?| lesions?| changes?)?|\bblebs?\b",
    ),
    Word(
        "Atelectasis",
        "atelec collaps",
        r"(?:fibro-?)?atelecta\w+(?: changes?| areas?| bands?)?|(?:lungs?|lobe|lobar|segmental"
        r"|middle lobe) (?:is )?(?:\w+ly )?collaps\w+"
        r"|collapsed (?:lung|lobe|segment)|collapse (?:of|in) (?:the )?(?:(?:right|left|entire|upper"
        r"|middle|lower) )*(?:lung|lobe|lingula)",
    ),
    Word(
        "Lung nodule",
        "nodul granulom ggn coin",
        r"\bggns?\b|(?:(?:ground|frosted)[- ]?glass )(?:nodules?|nodular lesions?)",
        finding="lung_nodule",
        no_organ=True,
    ),
    Word(
        "Lung nodule",
        "nodul granulom coin",
        r"(?:micro-?|pulmonary |lung )?nodules?\b|nodular (?:lesions?|formations?|structures?|mass\w*)"
        r"|nodular(?=(?: or| and|,| ?[/-]) ?infiltrat)|nodul(?:osis|ation)|\bgranulomas?\b|coin lesions?",
        finding="lung_nodule",
        no_organ=True,
    ),
    Word(  # the opacity of a ground-glass nodule: no area of ground glass
        "Lung opacity",
        "glass ggn",
        r"\bggns?\b|(?:(?:ground|frosted)[- ]?glass )(?:nodules?|nodular lesions?)",
        no_organ=True,
    ),
    Word(
        "Lung opacity",
        "glass ggo crazy paving",
        r"(?:ground|frosted|buzzed)[- ]?glass(?:[- ](?:opacit\w+|densit\w+|attenuation|areas?"
        r"|appearances?|nodul\w+))?(?: (?:increases?|areas?))?|\bggos?\b"
        r"|crazy[- ]?paving(?: pattern| appearance)?|(?:cobblestone|paving stone)(?: pattern| appearance)?",
        finding="ground_glass_opacity",
        no_organ=True,
    ),
    Word(
        "Lung opacity",
        "opaci infiltra bud airspace air-space densit attenuation",
        r"\b(?<!linear )(?<!band )(?<!band-like )(?<!bandlike )(?<!sequela )(?<!sequelae )(?<!fibrotic )"
        r"(?<!pleuroparenchymal )(?<!calcific )(?<!tissue )(?<!fat )(?<!metallic )(?<!bone )"
        r"(?:opacit(?:y|ies)\b|opacification|(?<!fat )(?<!fatty )infiltrat\w+(?: lesions?| areas?)?"
        r"|density increases?|increases? in density"
        r"|increased (?:density|attenuation)|(?<!mosaic )(?:patchy|hazy|nodular|acinar|faint"
        r"|reticulo\w+) densit(?:y|ies)\b|tree[- ]?in[- ]?buds?|budd(?:ing|ed)[- ]tree"
        r"|air-?space disease)",
        no_organ=True,
    ),
    Word(
        "Pulmonary fibrotic sequela",
        "sequel fibro scar honeycomb parenchymal",
        r"\b(?:(?:pleuro-?parenchymal|pulmonary|parenchymal|fibrotic|apical"
        r"|tuberculosis) )*sequel\w*+(?: fibrotic)?+(?: changes?+| densit\w++| lesions?+| bands?+)?+"
        r"(?! (?:of|from|secondary to) (?:an? |the )?(?:old |previous |healed )*(?:fracture|operation"
        r"|surg|rib|sternotomy|infarct))"
        r"|\bfibro-?(?:sis|tic|us|linear|nodular|atelecta\w+)\b(?! dysplasia)(?: (?:bands?|changes?"
        r"|densit\w+|sequel\w*|structures?|recessions?))*"
        r"|(?<!surgical )(?<!incision )(?<!skin )\bscar(?:s|ring|red)?\b(?! (?:of"
        r"|from) (?:the )?(?:operation|surg|incision))|honey-?comb\w*"
        r"|pleuro-?parenchymal (?:bands?|densit\w+|thickening|lines?|linear \w+|irregularit\w+)|parenchymal bands?",
        no_organ=True,
    ),
    Word(
        "Mosaic attenuation pattern",
        "mosaic",
        r"mosaic(?: (?:attenuation|perfusion|density|pattern|appearance|oligemia))*(?: differences?"
        r"| changes?)?",
    ),
    Word(
        "Consolidation",
        "consolid",
        r"(?<!fracture )consolidat\w+(?: areas?| changes?)?",
        finding="consolidation",
        no_organ=True,
    ),
    Word(
        "Bronchiectasis",
        "ectas ectat dilat enlarge widen",
        r"(?:traction |cylindrical |tubular |varicose |cystic |saccular )*bronchi(?:al |ol)?o?-?ectas\w+"
        r"|bronchiectat\w+(?: changes?)?|bronchial (?:\w+ )?(?:dilat\w+|ectas\w+|enlargements?|widening)"
        r"|(?:dilatation|dilation|ectasia|widening|enlargement)s? (?:of"
        r"|in) (?:the )?(?:\w+ ){0,3}bronch(?:i|us|ial|ioles)\b|(?:dilated|ectatic) bronch(?:i|us|ial"
        r"|ioles)\b",
    ),
    Word(
        "Interlobular septal thickening",
        "kerley crazy paving sept",
        r"kerley(?:[- ][abc])?(?: lines?)?|crazy[- ]?paving(?: pattern| appearance)?|(?:cobblestone"
        r"|paving stone)(?: pattern| appearance)?|septal (?:lines?|prominence)"
        r"|sept(?:a|ums?) (?:is|are) (?:\w+ )?prominent|prominen(?:t"
        r"|ce of(?: the)?) (?:interlobular )?sept(?:a|al|ums?)\b",
    ),
    Word(
        "Peribronchial thickening",
        "airway bronch",
        r"thick(?:ened)?[- ]walled (?:bronch\w+|airways?)|airway walls? thicken\w+"
        r"|\bbronch\w+(?: structures)? with (?:\w+ )?(?:thick(?:ened)? walls?|walls? thicken\w+)",
    ),
    Word("Cardiomegaly", "cardiomegal megacard", r"cardiomegal\w+|megacardia"),
)
