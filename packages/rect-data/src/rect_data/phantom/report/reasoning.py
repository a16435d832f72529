"""Reasoning from what is seen to the labels, one step a fact."""

from collections.abc import Mapping, Sequence
from math import isnan
from typing import Final

from rect_core.findings import LABELS
from rect_core.types import Reasoning, ReasoningStep
from rect_data.phantom.facts import Fact
from rect_data.phantom.parts import LOBES
from rect_data.phantom.report.merge import GATHERED
from rect_data.phantom.report.phrases_reason import DEVICE, HARMLESS, LOOKS, OTHER
from rect_data.phantom.report.places import SIDED_NODES, side_of
from rect_data.phantom.report.words import listed, number_word, sentence

ZONES: Final = dict(zip(LOBES, ("right upper", "right middle", "right lower", "left upper", "left lower"), strict=True))
"""Where one looks for a lobe, unless the region of its lesion was measured."""

REGION: Final = {
    "Arterial wall calcification": "aorta",
    "Cardiomegaly": "heart",
    "Pericardial effusion": "heart",
    "Coronary artery wall calcification": "heart",
    "Hiatal hernia": "oesophagus",
    "Lymphadenopathy": "other mediastinum",
    "Bronchiectasis": "airway",
    "Peribronchial thickening": "airway",
}
"""Regions of labels that have one of their own."""

OF_KIND: Final = {
    "pacemaker": "chest wall",
    "port catheter": "chest wall",
    "central venous catheter": "other mediastinum",
    "sternal wires": "ribs and sternum",
    "valve prosthesis": "heart",
    "coronary stent": "heart",
    "tracheostomy tube": "airway",
    "nasogastric tube": "oesophagus",
    "surgical clips": "rest of the body",
    "thymic tissue": "other mediastinum",
    "prominent epicardial fat": "heart",
    "azygos lobe": "right upper zone",
}
"""Regions of kinds that have one of their own."""

LINKS: Final = (
    (
        ("Cardiomegaly", "Pleural effusion", "Interlobular septal thickening"),
        "A large heart, pleural fluid and thick septa together may point to fluid overload.",
    ),
    (("Cardiomegaly", "Pleural effusion"), "A large heart with pleural fluid may point to cardiac decompensation."),
    (("Lung opacity", "Consolidation"), "Ground-glass opacity next to consolidation may point to an infection."),
    (
        ("Arterial wall calcification", "Coronary artery wall calcification"),
        "Calcium in great vessels and coronary arteries speaks for atherosclerosis.",
    ),
)
"""What findings mean together; the first that fits is said."""


def reason(facts: Sequence[Fact], labels: Sequence[str], regions: Mapping[str, str] | None = None) -> Reasoning:
    """Steps in the order of LABELS, normal variants last. regions: name of the region of lesions that were measured, by
    their id ("lung_nodule-2"); without it, a lobe stands for the zone of its height."""
    order = {label: place for place, label in enumerate((*LABELS, ""))}
    ordered = sorted(facts, key=lambda fact: order[fact.label])
    return Reasoning(steps=tuple(_step(fact, regions or {}) for fact in ordered), conclusion=_conclusion(labels))


def _step(fact: Fact, regions: Mapping[str, str]) -> ReasoningStep:
    looks, follows = HARMLESS.get(
        fact.kind, LOOKS.get(fact.kind, DEVICE if fact.label == "Medical material" else OTHER)
    )
    count = f", {number_word(fact.number)} in number" if fact.number > 1 else ""
    seen = [f"{looks.format(kind=fact.kind)}{count}", *_sizes(fact), *_shown(fact)]
    doubt = " The appearance is subtle, so this remains uncertain." if fact.uncertain else ""
    return ReasoningStep(
        region=_region(fact, regions),
        observation=sentence(", ".join(seen) + _where(fact)),
        inference=follows.format(kind=fact.kind) + doubt,
        evidence=tuple(f"lesion:{fact.finding}-{number}" for number in fact.instances),
    )


def _sizes(fact: Fact) -> list[str]:
    if isnan(fact.size_mm):
        return []
    what = "the largest bulla " if fact.label == "Emphysema" else "the largest " if fact.number > 1 else ""
    how = " thick" if "effusion" in fact.kind else " in short axis" if fact.label == "Lymphadenopathy" else ""
    return [f"{what}{fact.size_mm:.0f} mm{how}"]


def _shown(fact: Fact) -> list[str]:
    return [] if fact.label in (*GATHERED, "Lymphadenopathy") else list(fact.details)


def _where(fact: Fact) -> str:
    if fact.label == "Lymphadenopathy" and fact.details:
        sided = side_of(fact) and any(detail in SIDED_NODES for detail in fact.details)
        return f", {fact.side + ' ' if sided else ''}{listed(fact.details)}"
    if fact.label in GATHERED and fact.details:
        return f", in the {listed(fact.details)}"
    if fact.lobes:
        return f", in the {listed(fact.lobes)}"
    return {"right": ", on the right", "left": ", on the left", "bilateral": ", on both sides"}.get(fact.side, "")


def _region(fact: Fact, regions: Mapping[str, str]) -> str:
    measured = [regions[key] for number in fact.instances if (key := f"{fact.finding}-{number}") in regions]
    if measured:
        return measured[0]
    side = "left" if fact.side == "left" else "right"
    if fact.label == "Pleural effusion" or fact.kind == "chest tube":
        return f"{side} pleural shell"
    if "axillary" in fact.details:
        return "chest wall"
    own = OF_KIND.get(fact.kind) or REGION.get(fact.label)
    return own or (f"{ZONES[fact.lobes[0]]} zone" if fact.lobes else f"{side} lower zone")


def _conclusion(labels: Sequence[str]) -> str:
    if not labels:
        return f"None of the {len(LABELS)} findings is present."
    linked = [text for needed, text in LINKS if all(label in labels for label in needed)]
    present = [label for label in LABELS if label in labels]
    return " ".join(
        [f"Present: {', '.join(present)}.", f"Absent: the other {len(LABELS) - len(present)}.", *linked[:1]]
    )
