"""What is there: the sentences of the findings about each label of a scan."""

from collections.abc import Sequence
from math import isnan
from typing import Final

from rect_core.findings import LABEL_OF_LOCALIZED
from rect_data.phantom.facts import Fact
from rect_data.phantom.report.merge import by_kind, largest, merged
from rect_data.phantom.report.nouns import NOUNS
from rect_data.phantom.report.pen import Pen, Slots, agreed
from rect_data.phantom.report.phrases import DOUBTED, FORMS, VARIANTS
from rect_data.phantom.report.phrases_fluid import BOTH_SIDES
from rect_data.phantom.report.phrases_heart import BOTH_ARTERIES
from rect_data.phantom.report.phrases_nodule import FEW, MANY
from rect_data.phantom.report.places import coronary_place, lung_place, lungs, vessel_place
from rect_data.phantom.report.slots import seen, slots_of
from rect_data.phantom.report.words import listed, number_word, sentence, size_text, with_article

MUST: Final = ("where", "size", "number")
"""What the sentence about a finding says wherever it is known."""

EACH: Final = ("Lung opacity", "Consolidation", "Pericardial effusion", "Pleural effusion")
"""Labels whose facts are told one by one; those of the others are told together, kind by kind."""

ARTERIES: Final = ("Arterial wall calcification", "Coronary artery wall calcification")


def told(label: str, facts: Sequence[Fact], labels: Sequence[str], pen: Pen) -> list[str]:
    """Sentences about the facts of one label."""
    if label == "Lung nodule":
        return _nodules(facts, labels, pen)
    if label == "Pleural effusion" and _both_sides(facts) and pen.chance(0.6):
        return _both_effusions(facts, labels, pen)
    shown = list(facts) if label in EACH else by_kind(facts)
    return [text for fact in shown for text in one(fact, labels, pen)]


def one(fact: Fact, labels: Sequence[str], pen: Pen) -> list[str]:
    """A sentence about one fact and those that go with it."""
    slots = slots_of(fact, labels, pen)
    doubtful = fact.uncertain or (_subtle(fact) and pen.chance(0.12))
    if doubtful and pen.chance(0.5):
        return [pen.write(DOUBTED, slots, MUST), *slots.also]
    text = [pen.write(FORMS[fact.label].findings, slots, MUST), *slots.also]
    return [*text, sentence(agreed(pen.pick(FORMS[fact.label].doubts), slots.plural))] if doubtful else text


def variant(fact: Fact, pen: Pen) -> str:
    """A sentence about a normal variant; "" for one without words."""
    if fact.kind not in VARIANTS:
        return ""
    words = {"where": f"in {lung_place(fact, pen)}", "seen": seen(fact.number > 1, pen)}
    if not isnan(fact.size_mm):
        words["size"] = size_text(fact.size_mm, pen.rng)
    return pen.write(VARIANTS[fact.kind], Slots(words, fact.number > 1))


def all_arteries(facts: Sequence[Fact], pen: Pen) -> str:
    """Great vessels and coronary arteries in one sentence."""
    vessels, heart = (merged([fact for fact in facts if fact.label == label]) for label in ARTERIES)
    words = {
        "a": pen.pick(NOUNS[vessels.kind]).many,
        "vessels": vessel_place(vessels),
        "coronary": coronary_place(heart, pen),
    }
    return pen.write(BOTH_ARTERIES, Slots(words, plural=True))


def _subtle(fact: Fact) -> bool:
    return fact.severity == "mild" or (fact.label in LABEL_OF_LOCALIZED.values() and fact.size_mm < 6)


def _nodules(facts: Sequence[Fact], labels: Sequence[str], pen: Pen) -> list[str]:
    if all(fact.number == 1 for fact in facts) and len(facts) <= 4 and pen.chance(1.2 - 0.2 * len(facts)):
        if len(facts) == 1 or pen.chance(0.5) or any(isnan(fact.size_mm) for fact in facts):
            return [text for fact in facts for text in one(fact, labels, pen)]
        return [pen.write(FEW, Slots({**_count(facts, pen), "items": listed(_items(facts, pen))}, plural=True))]
    if sum(fact.number for fact in facts) == 1:
        return one(facts[0], labels, pen)
    words, top = _count(facts, pen), largest(facts)
    if not isnan(top.size_mm):
        words |= {"size": size_text(top.size_mm, pen.rng), "largest": f"in {lung_place(top, pen)}"}
    text = [pen.write(MANY, Slots(words, plural=True), MUST)]
    if any(fact.uncertain for fact in facts):
        text.append("Some of them are at the limit of what can be resolved, and follow-up is recommended.")
    return text


def _count(facts: Sequence[Fact], pen: Pen) -> dict[str, str]:
    kinds = {fact.kind for fact in facts}
    noun = pen.pick(NOUNS[facts[0].kind]).many if len(kinds) == 1 and facts[0].kind in NOUNS else "nodules"
    number = sum(fact.number for fact in facts)
    return {
        "n": number_word(number),
        "count": str(number) if number <= 20 and pen.chance(0.5) else number_word(number),
        "nouns": noun,
        "where": f"in {lungs(merged(facts))}",
        "seen": seen(True, pen),
    }


def _items(facts: Sequence[Fact], pen: Pen) -> list[str]:
    alike = len({fact.kind for fact in facts}) == 1
    items = []
    for fact in facts:
        size, place = size_text(fact.size_mm, pen.rng), lung_place(fact, pen)
        items.append(f"one of {size} in {place}" if alike else f"{with_article(fact.kind)} of {size} in {place}")
    return items


def _both_sides(facts: Sequence[Fact]) -> bool:
    alike = len({fact.kind for fact in facts}) == 1 and all(f.number == 1 and f.size_mm > 0 for f in facts)
    return sorted(fact.side for fact in facts) == ["left", "right"] and alike


def _both_effusions(facts: Sequence[Fact], labels: Sequence[str], pen: Pen) -> list[str]:
    sizes = {fact.side: size_text(fact.size_mm, pen.rng) for fact in facts}
    words = {**sizes, "noun": pen.pick(NOUNS[facts[0].kind]).one, "seen": seen(False, pen)}
    shared = slots_of(merged(facts), labels, pen)
    return [pen.write(BOTH_SIDES, Slots(words)), *shared.also]
