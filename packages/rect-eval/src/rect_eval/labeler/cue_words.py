"""The words that deny, doubt, date and compare a finding: data, no mechanism. Patterns on canonical text."""

SEEN = (
    r"(?:detected|observed|seen|found|identified|noted|visuali[sz]ed|present|noticed|encountered"
    r"|demonstrated|monitored|watched"
    r"|distinguished|evident|appreciated|visible|available|determined|recorded|apparent|shown"
    r"|revealed|depicted|recogni[sz]ed|discerned|selected|reported)"
)
_DEGREE = (
    r"(?:significant|interval|obvious|apparent|marked|remarkable|definite|relevant|notable|major"
    r"|substantial|clear|appreciable|further)"
)
_CHANGE = (
    r"(?:changes?|differences?|increases?|decreases?|progression|regression|growth|improvement"
    r"|alteration|enlargement|reduction|worsening)"
)
_SIZE = r"(?:sizes?|numbers?|dimensions?|amounts?|appearances?|volumes?|extents?|thickness|diameters?)"
_OF_SIZE = rf"(?: (?:in|of|between)(?: the)?(?: {_SIZE}(?:(?:,| and| or|/) ?{_SIZE})*(?: (?:in|of)(?: the)?)?)?)?"
_PAST = r"(?:previous|prior|old|earlier|last|former|past)"
_EXAM = (
    r"(?:examination|exam|study|studies|ct|scan|tomography|imaging|report|investigation|one|control"
    r"|date|film|pet)s?"
)

CUES = (
    (
        "affirm",
        r"not (?:only|just|merely|simply|without)|no doubt|no(?:thing)? (?:more|other) than"
        r"|not (?:entirely )?free (?:of|from)",
    ),
    (
        "new",
        rf"(?:(?:which|that) )?(?:(?:was|were|is|are) )?not {SEEN} (?:in|on"
        rf"|at) (?:the )?{_PAST}(?: {_EXAM})?|not(?: been| be)? (?:previously {SEEN}|{SEEN} (?:previously|before))"
        rf"|newly (?:developed|emerg\w+|appear\w+|formed|detected)|new(?:ly)?\b|ha(?:s|ve) (?:appeared"
        rf"|developed)|de novo",
    ),
    (
        "compare",
        rf"(?:compar\w+|according|relative|since|than"
        rf"|with respect)(?: [a-z]+){{0,3}} {_PAST}(?: [a-z-]+)?(?: {_EXAM})?",
    ),
    (
        "decreased",
        r"(?:nearly|almost|partially|partly|incompletely|largely|mostly)(?: completely"
        r"| entirely)? (?:resolved|disappeared|regressed|cleared|resorbed)",
    ),
    (
        "resolved",
        rf"(?:is|are|was|were)? ?no longer (?:{SEEN}|there|exist\w*)|(?:completely|totally"
        rf"|fully) (?:regressed|resolved|disappeared|resorbed|recovered)|(?:regressed|resolved"
        rf"|disappeared) (?:completely|totally)|(?:complete|total|interval) (?:regression|resolution"
        rf"|disappearance) of(?: the)?|(?:has|have|had)(?: now)? (?:resolved|disappeared|cleared)"
        rf"|(?<!partially )(?<!nearly )(?<!incompletely )(?:resolved|disappeared|vanished)|(?:has been"
        rf"|have been|was|were|is|are) (?:removed|extracted|withdrawn|drained completely)",
    ),
    (
        "stable",
        rf"(?:no|without(?: any)?)(?: {_DEGREE}){{0,2}} {_CHANGE}(?: (?:is|are|was|were|has been"
        rf"|have been) (?:\w+ly )?{SEEN})?{_OF_SIZE}|not (?:\w+ly )?(?:changed?|increased?|decreased?"
        rf"|progress(?:ed)?|grown|resolved|disappeared|regressed|cleared)\b|no (?:evidence|signs?"
        rf"|findings?) of (?:{_DEGREE} )*{_CHANGE}{_OF_SIZE}|unchanged|stable|same (?:size|appearance"
        rf"|dimension)|similar (?:to|in)|persist\w*|continu(?:e|es|ed|ing)\b",
    ),
    ("versus", r"versus\b|vs\b|(?:not|cannot)(?: be)? (?:distinguished|differentiated|discriminated) from"),
    (
        "doubt after",
        rf"(?:cannot|can not|could not|couldn't|can't|not)(?: be| been| \w+ly)* (?:excluded|ruled out"
        rf"|discounted|eliminated)|(?:cannot|can not|could not|couldn't|can't)(?: be| \w+ly)* (?:evaluated"
        rf"|assessed)|(?:should|must|needs? to|to) be (?:excluded"
        rf"|ruled out)|(?:may|might)(?: also| \w+ly)? (?:be )?(?:{SEEN}|exist|accompany|considered)\b"
        r"|(?:may|might|could) (?:be|have been) (?:overlooked|missed)|(?:should|can) (?:also )?be considered"
        r"|(?:thought|believed"
        rf"|assumed) to be (?:present|there)|if any\b|(?:distinction|differentiation"
        rf"|discrimination) (?:\w+ )?(?:cannot|could not|can not|is not|was not)(?: \w+){{0,2}}",
    ),
    ("could", rf"could(?: also| \w+ly)? (?:be )?(?:{SEEN}|exist|accompany|considered)\b"),
    (
        "neg before",
        rf"not {SEEN}:|unlikely (?:that|to (?:be|represent|reflect))|unable to (?:identify|detect|see|find)"
        rf"|fail\w* to (?:show|reveal|demonstrate|identify)",
    ),
    (
        "neg after",
        rf"(?:not|n't|never)(?: been| be| yet| any| \w+ly)* {SEEN}(?! to)|cannot(?: be| \w+ly)* {SEEN}"
        rf"|(?:was|were|is|are|has|have|could|ca|did|does|do)n't(?: be| been| \w+ly)* {SEEN}"
        rf"|unlikely(?! to| that)|(?:is|are|was|were|been|be) (?:\w+ly |all |both )?(?:absent|excluded|ruled out"
        rf"|negative(?! for)|lacking|none)|: ?(?:none|no|negative|absent|nil|not {SEEN})(?= ?[.,;!)]| ?$)"
        rf"|\(-\)|not exist|(?:with)?in (?:the |a )?(?:normal|physiolog\w+) (?:limits?|ranges?|amounts?)|(?:absent"
        rf"|excluded)(?= ?[.,;!)]| ?$)",
    ),
    (
        "unasked",
        r"not(?: been| be| yet| \w+ly)* (?:assessed|evaluated|examined|scored|imaged|included|investigated"
        r"|(?:looked|searched|screened)(?= for))(?! as\b| in favou?r)(?: for)?\b",
    ),
    (
        "doubt before",
        r"(?:likely|probabl[ey]|possibl[ey]|presumabl[ey]) (?:to be )?(?:due|secondary|related|attribut\w+|owing) to"
        r"|whether\b|(?:may|might|could|can) (?:also |well )?(?:represent|be(?: (?:due|secondary|related) to)?"
        r"|reflect|indicate|suggest|correspond to"
        r"|belong to)|suspicious (?:for|of|in terms of)|suspicion (?:of|for)|suspicio\w+ regarding"
        r"|suggest(?:s|ing|ive|ed)?(?: of| for)?\b|(?<!not )compatible with|in favou?r of(?! the heart)"
        r"|concern(?:ing)? (?:for|of)|worrisome for|(?:cannot|can not|could not|can't|do not|does not"
        r"|did not|not possible to|unable to|difficult to) (?:exclude|rule out)|(?:to )?(?:exclude"
        r"|rule out)\b|r/o\b|question of|differential diagnosis|possibility of|impression of|(?:thought"
        r"|considered|believed|assumed|presumed) (?:to be|to represent|that|as)|appears? to be"
        r"|likely (?:to )?represent\w*",
    ),
    (
        "doubt next",
        r"(?:suspected|suspicious|questionable|equivocal|possible|probable|likely|borderline|doubtful"
        r"|indeterminate)(?! (?:to|for|due|secondary|related|benign|malign\w*|infect\w*|inflam\w*"
        r"|reactive|metasta\w*))|possibly|probably|presumably|perhaps",
    ),
    (
        "increased",
        r"increas(?:e|es|ed|ing)(?: (?:in|of)(?: the)?(?: size| number| amount| volume"
        r"| extent)?(?: of)?(?: the)?)?|progress(?:ed|ion|ive)\w*(?: of)?|grown|growth|worsen\w*"
        r"|larger(?! than \d)",
    ),
    (
        "decreased",
        r"decreas(?:e|es|ed|ing)(?: (?:in|of)(?: the)?(?: size| number| amount| volume"
        r"| extent)?(?: of)?(?: the)?)?|regress(?:ed|ion|ing)(?: of)?|reduc(?:ed|tion)(?: (?:in|of))?"
        r"|smaller(?! than \d)|diminish\w*|shr[aiu]nk\w*|improv(?:ed|ement|ing)|resolving"
        r"|partially resolved|partial resolution(?: of)?",
    ),
    (
        "neg before",
        r"no(?!-)\b|without|absence of|lack of|free (?:of|from)|clear of|devoid of|negative for|neither"
        r"|nor\b|none of|not\b|denies|excludes|rules out|rather than|instead of|no longer|never|(?:is|are"
        r"|was|were|do|does|did|has|have)n't\b",
    ),
    (
        "history",
        r"(?:known |past |previous |prior |medical )*history of|\bh/o\b|\bs/p\b|status[- ]post"
        r"|post-?operative status|previous history",
    ),
    ("asked", r"(?:evaluat\w+|screen\w+|investigat\w+|assess\w*|search\w*|look(?:ing)?|work-?up|examined) for"),
    (
        "prior",
        rf"(?:previously|formerly|earlier)(?: {SEEN}| described| known| defined| existing)?(?! (?:\d"
        rf"|measur))|{_PAST} {_EXAM}\b|(?:previous|prior|former)(?=(?: [a-z]+)? ?\0)|in the past\b",
    ),
    ("current", rf"current(?:ly)?|\bnow\b|today|at present|\bthis {_EXAM}|present {_EXAM}|\balso\b"),
)
"""Kind and words; where two begin at the same place the earlier wins."""

FINITE = (
    r"\b(?:is|are|was|were|has|have|had|shows?|showed|do|does|did|demonstrates?|reveals?|contains?"
    r"|remains?|persists?|continues?|appears?|seems?|measures?"
    rf"|extends?|reache[sd]|can|could|cannot|may|might|must|should|suggests?|represents?|exists?"
    rf"|accompan(?:y|ies|ied)|not {SEEN}(?! (?:in|on) (?:the )?{_PAST}))\b"
)
"""A verb that makes a clause of its own."""

RELATIVE = r"\b(?:which|that|who|whose|where|when|as(?: far as)?)(?: [a-z]+){0,2} ?$"
"""What stands before the verb of a relative clause, which is not a clause of its own here."""

LISTS_AFTER = r"\b(?:there (?:is|are|was|were)|has|have|had|shows?|showed|contains?|reveals?|demonstrates?)\b"
"""Verbs whose list follows them: "there is no effusion, nodule or consolidation"."""

BREAKS = (
    r";|(?:,| -)? ?\b(?:but(?! also)|however|although|though|whereas|while|yet(?! to)|nevertheless"
    r"|except(?:ing)?(?: for)?|apart from|aside from|other than|with the exception of|besides"
    r"|who (?:had|was|were))\b"
)
EXCEPTIONS = r"(?:except(?:ing)?(?: for)?|apart from|aside from|other than|with the exception of|besides)\b"
GOES_ON = (
    r"(?:[ ,]|and\b|but\b|however\b|yet\b)*(?:it |they )?(?:(?:is|are|was|were|has|have|had|can"
    r"|cannot|could|may|might|did|does|do|shows?|showed|contains?|extends?|measures?|reaches"
    r"|continues?|persists?|remains?|appears?)\b|not "
    + SEEN
    + r"|no longer|now\b|currently|resolved|increased|decreased|stable|unchanged)"
)
"""The beginning of a clause that has no subject of its own and speaks of the one before it."""

ANAPHOR = (
    r"(?:the )?(?:larg(?:est|er)|biggest|some|most|one)\b|(?:it|they|this|these|its|their|which"
    r"|that)\b|measuring|with\b"
)
NEW_SUBJECT = r"(?:a|an|there|few|several|multiple|mild|minimal|small|moderate|large|massive|\d+)\b"
END_OF_DENIAL = (
    r"due to|secondary to|because of|caused by|in addition to|despite|accompanied by|adjacent to"
    r"|neighbou?ring|, with\b|; "
)
END_OF_DOUBT = r"[a-z\0]: |\bwith\b|due to|secondary to|; |adjacent to|accompanied by"
SEEN_NOW = r"\b(?:is|are|was|were) (?:\w+ly )?" + SEEN + r"\b(?! (?:in|on) (?:the )?" + _PAST + ")"
PRESENT_TENSE = r"\b(?:is|are|has|have|measures|continues?|persists?|remains?)\b"
