"""Right and left in words: swapped where that is safe, refused where it is not.

A mirrored chest is situs inversus: heart on the right, liver on the left, three lobes in the left lung. Words that name
what only one side has ("middle lobe", "lingula"), or the side of an unpaired organ ("left ventricle", "right aortic
arch"), are not made true of it by swapping, so a text with such words is refused. So is a use of the two words that may
say nothing of a side ("has left a scar"), and any form that is not known: one case less is better than one told wrong.
An unpaired organ without a side ("calcified aortic arch") stays true and does no harm.
"""

import re
from dataclasses import replace
from typing import Final

from rect_core.types.report import Reasoning, ReasoningStep

_ONE_SIDED: Final = re.compile(
    r"\bmiddle\b(?!\s+(?:zones?|third|mediastin))|\bmid-?\s?lobe|\brml\b|lingul|\b(?:two|three|both|2|3)\s+lobes"
    r"|azyg|apico-?\s?posterior|antero-?\s?medial|bronchus\s+intermedius|intermediate\s+bronchus"
    r"|(?:minor|horizontal)\s+fissure|aorto-?\s?pulmonary|\bap\s+window|vena\s+cava|\b[si]vc\b|thoracic\s+duct"
    r"|situs|heterotax|isomeri|kartagener|dextro|\bla?evo|sinistr|ligamentum\s+arteriosum|recurrent\s+laryngeal"
    r"|\bleft\s+main\b(?!\s+bronch)|\b(?:lad|lcx|rca|lima|rima|lmca|lm)\b|circumflex|anterior\s+descending"
    r"|\b[rl](?:ij|ijv|sc|uq|lq|mb|msb|pa)\b|quadrant|o'?clock|\bdx\b|\bsin\b"
    r"|stations?\b[^.;]{0,40}\b[56]\b|\blevels?\s+(?:\d+[rl]?(?:\s*[,/-]\s*|\s+(?:and|to)\s+))*[56]\b(?!\s*[cm]m)|\b11r[si]\b"
    r"|gall\s?bladder|\bapex\s+of\s+the\s+heart|cardiac\s+apex|\b[lr](?:v(?:ot|h|ad)?|aa?)\b"
    r"|\b(?:right|left)\s+lobes?\b(?!\s+of\s+(?:the\s+)?thyroid)",
    re.I,
)
_UNPAIRED: Final = re.compile(
    r"heart|(?<!peri)cardi|ventric|\batri(?:a|um|al)\b|auric|valv|coronar|\barch\b|aort|subclavian|brachiocephal"
    r"|innominat|carotid|jugular|oesoph|esoph|liver|hepat|portal|\bbil(?:e|iary)\b|spleen|splen|stomach|gastr|pancrea"
    r"|ductus|colon|duoden|hernia",
    re.I,
)
_NOT_A_SIDE: Final = re.compile(
    r"(?<!there\s)\b(?:is|are|was|were|be|been|being)\s+left\b(?!-|\s+sided)"
    r"|\b(?:has|have|had|having|which|that|who|it|what|process|surgery|resection|operation|infection|pneumonia|disease"
    r"|treatment)\s+left\b(?!-|\s+sided)"
    r"|(?<!the\s)(?<!on\s)(?<!to\s)\bleft\s+(?:a|an|the|over|behind|alone|in|out|untreated|to|only|no|some|it)\b"
    r"|\bright[\s-]+(?:angle[ds]?|away|after|before|at|now|behind|below|above|beneath|next|up|down|here|there)\b"
    r"|\b(?:all|just|quite)\s+right\b|\b(?-i:RT|LT)\b|\brt-?\s?pcr\b",
    re.I,
)
"""RT and LT in capitals are radiotherapy, the test for viruses and transplants more often than sides."""
_FOREIGN: Final = re.compile(
    r"\bsa[ğg]\b|\bsol\b|\brechte?[rnms]?s?\b|\blinke?[rnms]?s?\b|\bdroite?s?\b|\bgauches?\b|\bderech[ao]s?\b"
    r"|\bizquierd[ao]s?\b|\bdestr[aoie]\b|\bdireit[ao]s?\b|\besquerd[ao]s?\b|右|左|прав|лев",
    re.I,
)
"""Sides in other languages: only English is swapped."""

_LETTER: Final = r"[^\W\d_]"
_WORD: Final = re.compile(rf"(?<!{_LETTER})(right|left)(?=(?:sided|side|wards?|hand|most)?(?!{_LETTER}))", re.I)
_SHORT: Final = re.compile(r"(?<![A-Za-z0-9])(?:(rt|lt)(?![A-Za-z0-9])|([RL])(?=(?:UL|LL)(?![A-Za-z0-9])))", re.I)
_STATION: Final = re.compile(r"(?<![A-Za-z0-9.])(?:2|4|10|11|12|13|14)([RL])(?![A-Za-z0-9])")
_SIDED: Final = re.compile(
    rf"(?<!{_LETTER})(?:(?:right|left){_LETTER}*|rt(?!{_LETTER})|lt(?!{_LETTER})|[rl](?:ul|ll)s?(?!{_LETTER}))"
    r"|(?<![A-Za-z0-9])[RL](?![A-Za-z0-9])|(?<![A-Za-z0-9.])\d+[RL](?![A-Za-z0-9])",
    re.I,
)
"""Everything that looks like a side; what of it is none of the known forms is refused."""

_SWAP: Final = {"right": "left", "left": "right", "rt": "lt", "lt": "rt", "r": "l", "l": "r"}


def flip_refusal(text: str) -> str:
    """Why a text cannot be told of the mirrored scan, or "" where `flip_text` can."""
    for pattern, why in (
        (_ONE_SIDED, "exists on one side only"),
        (_NOT_A_SIDE, "may not be a side"),
        (_FOREIGN, "may be a side in another language"),
    ):
        if match := pattern.search(text):
            return f"{match.group()!r} {why}"
    return next((why for sentence in re.split(r"[.;!?](?=\s|$)|\n", text) if (why := _sentence_refusal(sentence))), "")


def _sentence_refusal(sentence: str) -> str:
    sides = list(_SIDED.finditer(sentence))
    nodes = re.search(r"station|node|lymph", sentence, re.I) is not None
    for side in sides:
        known = _WORD.match(sentence, side.start()) or _SHORT.match(sentence, side.start())
        if not (known or (nodes and _STATION.match(sentence, side.start()))):
            return f"{side.group()!r} is no form of right or left that is known"
    organ = _UNPAIRED.search(sentence) if sides else None
    return f"{sides[0].group()!r} stands in a sentence with {organ.group()!r}" if organ else ""


def flip_text(text: str) -> str:
    """Right and left swapped in all their forms, each in its own case: "Right-sided" -> "Left-sided", "RUL" -> "LUL",
    "4R" -> "4L". Raises ValueError for a text that `flip_refusal` refuses."""
    if why := flip_refusal(text):
        raise ValueError(f"text cannot be mirrored: {why}: ask flip_refusal first and leave the case as it is")
    for pattern in (_WORD, _SHORT, _STATION):
        text = pattern.sub(_swapped, text)
    return text


def reasoning_refusal(reasoning: Reasoning | None) -> str:
    """As `flip_refusal`, of every text of a reasoning; each step is read as a whole."""
    if reasoning is None:
        return ""
    texts = [f"{step.region}: {step.observation} {step.inference}" for step in reasoning.steps]
    parts = [part for step in reasoning.steps for part in (step.region, *step.evidence)]
    return next((why for text in (*texts, *parts, reasoning.conclusion) if (why := flip_refusal(text))), "")


def flip_reasoning(reasoning: Reasoning | None) -> Reasoning | None:
    """The reasoning of the mirrored scan; raises as `flip_text` does."""
    if reasoning is None:
        return None
    return replace(reasoning, steps=tuple(map(_flip_step, reasoning.steps)), conclusion=flip_text(reasoning.conclusion))


def _flip_step(step: ReasoningStep) -> ReasoningStep:
    return ReasoningStep(
        region=flip_text(step.region),
        observation=flip_text(step.observation),
        inference=flip_text(step.inference),
        evidence=tuple(map(flip_text, step.evidence)),
    )


def _swapped(match: re.Match[str]) -> str:
    """The whole match with its one group swapped."""
    group = match.lastindex or 1
    side, whole = match[group], match[0]
    new = _SWAP[side.lower()]
    new = new.upper() if side.isupper() else new.capitalize() if side[0].isupper() else new
    at = match.start(group) - match.start()
    return whole[:at] + new + whole[at + len(side) :]
