"""The words of one fact: everything a sentence form may ask for."""

import re
from collections.abc import Sequence
from math import isnan
from typing import Final

from rect_core.findings import LABEL_OF_LOCALIZED
from rect_data.phantom.facts import Fact
from rect_data.phantom.report.details import DETAILS, IMPLIES
from rect_data.phantom.report.nouns import ADVERBS, EXTENDED, EXTENTS, GRADES, NOUNS, UNGRADED
from rect_data.phantom.report.pen import Pen, Slots, agreed
from rect_data.phantom.report.places import (
    coronary_place,
    device_where,
    lung_place,
    lungs,
    node_place,
    pleural_where,
    stations,
    vessel_place,
)
from rect_data.phantom.report.words import Noun, size_text, with_article

SIZED: Final = (*LABEL_OF_LOCALIZED.values(), "Lymphadenopathy", "Hiatal hernia")
"""Labels whose size_mm is the size of the finding itself."""

NOWHERE: Final = ("Cardiomegaly", "Pericardial effusion", "Hiatal hernia")
"""Labels whose place goes without saying."""

_VERBS: Final = ("{was} observed", "{is} observed", "{was} detected", "{is} seen", "{was} noted", "{is} present")


def slots_of(fact: Fact, labels: Sequence[str], pen: Pen) -> Slots:
    """Words of a fact. labels: those of the scan; a detail that would assert another one is left out."""
    noun = pen.pick(NOUNS[fact.kind]) if fact.kind in NOUNS else Noun(one=fact.kind, many=f"{fact.kind}s")
    plural = noun.plural(fact.number)
    before, after, also = _details(fact, labels, plural, pen)
    name = before + (noun.many if plural else noun.one) + after
    words = {
        "a": noun.counted(fact.number, before, after),
        "noun": name,
        "lungs": lungs(fact),
        "seen": seen(plural, pen),
        "mildly": f"{pen.pick(ADVERBS[fact.severity])} " if fact.severity in ADVERBS else "",
        **_place(fact, pen),
        **_size(fact, name, plural, pen),
    }
    return Slots(words, plural, also)


def seen(plural: bool, pen: Pen) -> str:
    """ "was observed", "are seen"."""
    is_, was = ("are", "were") if plural else ("is", "was")
    return pen.pick(_VERBS).format(**{"is": is_, "was": was})


def _details(fact: Fact, labels: Sequence[str], plural: bool, pen: Pen) -> tuple[str, str, list[str]]:
    """Words before and behind the noun, and sentences."""
    graded = fact.severity in GRADES and fact.label not in UNGRADED and pen.chance(0.75)
    before = f"{pen.pick(GRADES[fact.severity])} " if graded else ""
    after, also = _bullae(fact, pen)
    if graded and fact.label in EXTENDED:
        before, also = "", [pen.pick(EXTENTS).format(before.strip())]
    for name in fact.details:
        if name not in DETAILS or (name in IMPLIES and IMPLIES[name] not in labels):
            continue
        detail = DETAILS[name]
        how = pen.pick([way for way in ("before", "after", "also") if getattr(detail, way)])
        if how == "before":
            before += f"{detail.before} "
        elif how == "after" and not after:
            after = detail.after
        else:
            also.append(agreed(detail.also, plural))
    return before, after, also


def _bullae(fact: Fact, pen: Pen) -> tuple[str, list[str]]:
    """Emphysema's size is that of its largest bulla."""
    size = size_text(fact.size_mm, pen.rng)
    if fact.label != "Emphysema" or not (size or "with bullae" in fact.details):
        return "", []
    if pen.chance(0.5):
        return (f" with bullae reaching {size} in diameter" if size else " with bullae"), []
    return "", [f"The largest bulla measures {size}." if size else "Bullae accompany these changes."]


def _place(fact: Fact, pen: Pen) -> dict[str, str]:
    if fact.label in NOWHERE:
        return {}
    if fact.label == "Pleural effusion":
        side = {"side": fact.side} if fact.side in ("right", "left") else {}
        return {"where": pleural_where(fact, pen), **side}
    if fact.label == "Medical material":
        return {"where": device_where(fact, pen)}
    if fact.label == "Arterial wall calcification":
        place = vessel_place(fact)
    elif fact.label == "Coronary artery wall calcification":
        place = coronary_place(fact, pen)
    elif fact.label == "Lymphadenopathy":
        place = node_place(stations([fact]), pen)
    else:
        place = lung_place(fact, pen)
    return {"where": f"in {place}", "place": place}


def _size(fact: Fact, name: str, plural: bool, pen: Pen) -> dict[str, str]:
    ratio = re.search(r"\d\.\d+", " ".join(fact.details)) if fact.label == "Cardiomegaly" else None
    words = {"ratio": ratio.group()} if ratio else {}
    if fact.label in SIZED and not isnan(fact.size_mm):
        words["size"] = size_text(fact.size_mm, pen.rng)
        if not plural:
            words["sized"] = with_article(f"{words['size']} {name}")
    return words
