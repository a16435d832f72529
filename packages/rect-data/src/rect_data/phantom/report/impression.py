"""The impressions: the main findings in short and in other words, or that there are none."""

from collections.abc import Sequence
from typing import Final

from rect_data.phantom.facts import Fact
from rect_data.phantom.report.merge import by_kind, merged
from rect_data.phantom.report.pen import Pen
from rect_data.phantom.report.phrases import DOUBTED_SHORT, FORMS
from rect_data.phantom.report.phrases_fluid import BOTH_SIDES_SHORT
from rect_data.phantom.report.phrases_normal import NOTHING, NOTHING_BUT
from rect_data.phantom.report.slots import slots_of

MAIN: Final = (
    "Consolidation",
    "Lung opacity",
    "Lung nodule",
    "Pleural effusion",
    "Lymphadenopathy",
    "Pericardial effusion",
    "Cardiomegaly",
)
"""Labels that an impression never leaves out, most pressing first."""

_RARELY_LEFT: Final = 0.65


def impressions(facts: Sequence[Fact], labels: Sequence[str], pen: Pen) -> list[str]:
    """Sentences, the most pressing first."""
    if not labels:
        return [pen.pick(NOTHING_BUT if facts else NOTHING)]
    others = [label for label in labels if label not in MAIN]
    minor = [label for label in pen.shuffled(others) if pen.chance(_RARELY_LEFT)]
    main = [label for label in MAIN if label in labels]
    chosen = main + minor or others[:1]
    return [text for label in chosen for text in _short([f for f in facts if f.label == label], labels, pen)]


def _short(facts: Sequence[Fact], labels: Sequence[str], pen: Pen) -> list[str]:
    whole = by_kind(facts) if facts[0].label == "Medical material" else [merged(facts)]
    return [_one(fact, labels, pen) for fact in whole]


def _one(fact: Fact, labels: Sequence[str], pen: Pen) -> str:
    slots = slots_of(fact, labels, pen)
    if fact.uncertain and pen.chance(0.6):
        return pen.write(DOUBTED_SHORT, slots, ("where",))
    if fact.label == "Pleural effusion" and fact.side == "bilateral":
        return pen.pick(BOTH_SIDES_SHORT)
    return pen.write(FORMS[fact.label].impressions, slots)
