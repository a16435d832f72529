"""What is not there and what is normal, as far as a report says so."""

from collections.abc import Sequence

from rect_core.findings import LABELS
from rect_data.phantom.facts import Fact
from rect_data.phantom.report.pen import Pen, Slots
from rect_data.phantom.report.phrases_negative import (
    DENIALS,
    DENIALS_OF_TWO,
    DENIED,
    OFTEN,
    PLACED,
    SILENCED,
    SPECIAL,
    TOGETHER,
)
from rect_data.phantom.report.phrases_normal import NORMAL


def denials(facts: Sequence[Fact], labels: Sequence[str], pen: Pen) -> list[tuple[str, str]]:
    """Sentences that deny absent labels, each with the first label it denies; none is denied twice."""
    silent = [SILENCED[fact.kind] for fact in facts if not fact.label and fact.kind in SILENCED]
    absent = [label for label in LABELS if label not in labels and label not in silent]
    wanted = [label for label in absent if pen.chance(OFTEN[label])]
    said: list[str] = []
    sentences = []
    for label in wanted:
        if label not in said:
            denied, text = _denial(label, [other for other in absent if other not in said], pen)
            said += denied
            sentences.append((label, text))
    return sentences


def normals(section: str, labels: Sequence[str], pen: Pen) -> list[str]:
    """Sentences about normal structures of a part of the report."""
    topics = [t for t in NORMAL[section] if pen.chance(t[0]) and not any(label in labels for label in t[1])]
    return [pen.write(forms, Slots({})) for _, _, forms in topics]


def _denial(label: str, absent: Sequence[str], pen: Pen) -> tuple[Sequence[str], str]:
    """Labels that a sentence denies, and the sentence."""
    special = [(which, text) for which, text in SPECIAL if label in which and all(x in absent for x in which)]
    if special and pen.chance(0.5):
        return special[int(pen.rng.integers(len(special)))]
    pairs = [pair for pair in TOGETHER if label in pair and all(x in absent for x in pair)]
    if pairs and pen.chance(0.4):
        pair = pairs[int(pen.rng.integers(len(pairs)))]
        x, y = (pen.pick(DENIED[each]) for each in pair)
        return pair, pen.write(DENIALS_OF_TWO, Slots({"x": x, "y": y}))
    words = {"x": pen.pick(DENIED[label]) + pen.pick(PLACED.get(label, ("",)))}
    return (label,), pen.write(DENIALS, Slots(words))
