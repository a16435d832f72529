"""The words of effusions, calcifications, thickenings, lymph nodes and hearts, and of what they lie in: data.

Patterns on canonical text; possessive quantifiers where a lookahead must see the whole word.
"""

EFFUSION = (
    r"(?<!joint )effusions?\b|\bfluid\b|\bliquid\b|(?:hydro|haemo|hemo|pyo|chylo)(?:pneumo)?(?:thorax"
    r"|pericardium)\b|\bempyema\b"
)
EFFUSION_OF_ITSELF = r"effusion|thorax|pericardium|empyema"
PERICARDIAL = r"pericardi\w*"
PLEURAL = r"(?:inter|extra)?pleura\w*|hemithora\w+|costophrenic|thora(?:x|ces)\b|fissur\w+"
NO_EFFUSION = r"joint|knee|shoulder|abdom|periton|perihepat|pelvi|perisplen|contrast|level|cyst|subcutan|collection"

CALCIFICATION = (
    r"\b(?:calcifi\w++|athero\w*+|athero-sclero\w++|(?:(?<!pleural )(?<!mucus ))plaques?+)"
    r"(?: (?:athero\w*+|athero-sclero\w++|wall|calcific\w*+|plaques?+|changes?+|formations?+|foci))*+"
    r"(?!(?:,? [a-z]+){0,3} (?:lymph|nodul|granul|cartilag))"
)
PLAQUE = r"plaque|athero|sclero"
CORONARY = (
    r"coronar(?:y|ies)(?! (?:stent|by-?pass|sinus|graft))|\blad\b|circumflex|\brca\b|\bl?cx\b"
    r"|\blmca\b|left main|anterior descending|(?:heart|cardiac) (?:vessel|arter)\w*"
)
ARTERIAL = (
    r"\baort(?:as?|ic|o(?=-?coron))\b(?! (?:valv|root valve))|supra-?aortic|carotid|subclavian"
    r"|brachiocephalic|innominate|iliac|celiac|mesenteric|truncus"
)
SOME_ARTERY = r"\barter(?:y|ies|ial)\b|vascular|vessel|vasculature"
NO_ARTERY = (
    r"pleura\w*|valv\w*|annul\w*|lymph|nodul\w*|granul\w*|trache\w*|bronch\w*|cartilag\w*|prostat\w*"
    r"|gallbladder|calcul\w*"
)

THICKENING = (
    r"thicken\w*|thickness(?:es)?(?: increas\w+)|increased (?:[a-z]+ ){0,4}?thickness(?:es)?"
    r"|increases? in (?:the )?(?:[a-z]+ ){0,5}?thickness(?:es)?"
    r"|(?:(?<=are )|(?<=is )|(?<=slightly ))thick\b|cuffing"
)
THICKNESS = r"(?:thickness(?:es)?|walls?|sept(?:a|um|ums))"
PERIBRONCHIAL = (
    r"peri-?bronch\w*|bronch\w*(?: [a-z]+){0,3} walls?"
    r"|walls?(?: of)?(?: the)?(?: [a-z]+){0,3} bronch\w*|bronch(?:ial|us|i)(?= thick)|^ of (?:the )?bronch\w*"
    r"|broncho-?vascular"
)
SEPTAL = (
    r"inter-?lobular\w*|(?<!ventricular )(?<!atrial )(?<!nasal )(?<!interatrial )\bsept(?:a|al|um"
    r"|ums)\b|inter-?septal"
)

WIDE_BRONCHI = (
    r"\b(?P<a>bronch(?:i|us|ioles|ial (?:structures|lumens?|lumina|branches)))(?: [a-z]+){1,4}? "
    r"(?P<b>dilated|ectatic|widened|enlarged)\b"
)

LYMPH_NODE = (
    r"lymph nodes?|lymphatic nodes?|\b(?:lymph ?)?adenopath\w+|\blaps?\b|lymphadenomegal\w+"
    r"|\blymphadenitis|\bnodes?\b"
)
LYMPHADENOPATHY = r"adenopath|\blaps?\b|megal"
NODE_LARGE = (
    r"(?<!non)(?<!non-)patholog\w+|enlarg\w+|conglomerat\w+|increased in size|(?:above|over"
    r"|greater than|larger than|more than|exceed\w*|bigger than|>) ?(?:1 cm|10 mm|1[.,]0 cm)"
)
NODE_SMALL = (
    r"(?:below|under|less than|smaller than|not exceed\w*|does not exceed|do not exceed"
    r"|did not exceed|not reach\w*(?: a)?|never exceed\w*|<) ?(?:(?:the |a )?(?:1[.,]0 cm|1 cm|10 mm"
    r"|\d mm|patholog\w+)\b)"
    r"|sub-?centi\w+|millimet(?:ric|er-sized|re-sized)|fat(?:ty)? hil\w+|non-?patholog\w+"
    r"|not(?: \w+)? patholog\w+|normal (?:size|dimension|appear|limit)\w*|normal in size|physiolog\w+"
    r"|benign|non-?specific"
)

HEART = (
    r"cardio-?thoracic (?:index|ratio)(?:es)?|\bct[ri]\b|(?<!left )(?<!right )\b(?:heart"
    r"|cardiac)\b(?: (?:contours?|sizes?|dimensions?|silhouette|shadow|volumes?|shape)(?:,| and"
    r"|(?= ))?)*"
    r"(?! (?:failure|valve|rate|disease|decomp|surg|apex|base|motion|pac|device|lead))"
)
HEART_LARGE = (
    r"increas\w+|enlarg\w+|larg(?:e|er)\b(?: than normal)?|(?:above|over|greater than"
    r"|more than) (?:the )?(?:normal|upper|0[.,]5\d?)(?: limits?)?|exceed\w*|bigger\b|dilated"
    r"|0[.,](?:5[1-9]|[6-9]\d?)"
)
HEART_NORMAL = (
    r"normal|natural|ordinary|unremarkable|within (?:the )?(?:normal|physiolog)\w*|preserved|usual"
    r"|borderline|upper (?:limits?|borders?)|0[.,](?:50?|[0-4]\d?)\b"
)
HEART_GAP = (
    r"(?:(?!effusion|calcif|plaque|arter|pericard|diameter|node|lung|valve|normal|natural|increas"
    r"|enlarg|larg|dilat)[^;\0]){0,70}?"
)
LARGE_HEART = (
    r"(?:enlarge(?:d|ment)(?: (?:of|in))?|increas(?:e|ed)(?: in)?)(?: the)? (?:heart|cardiac"
    r"|cardio-?thoracic)(?: (?:sizes?|dimensions?|silhouette|index|ratio))?|(?:cardiac"
    r"|heart) enlargement"
)
NORMAL_HEART = (
    r"normal(?:[- ]sized)? (?:heart|cardiac|cardio-?thoracic)(?: (?:sizes?|contours?|silhouette"
    r"|dimensions?|index|ratio))?"
)
