"""Writes the report of a phantom from its facts, in CT-RATE's columns and style."""

from collections.abc import Sequence

import numpy as np

from rect_data.phantom.facts import Fact
from rect_data.phantom.patient import Patient
from rect_data.phantom.report.impression import impressions
from rect_data.phantom.report.negative import denials, normals
from rect_data.phantom.report.pen import Pen
from rect_data.phantom.report.phrases import SECTIONS, VARIANT_SECTION
from rect_data.phantom.report.phrases_normal import (
    CLINICAL,
    CONTRAST_TECHNIQUE,
    ENHANCED,
    INTRODUCTIONS,
    NOT_GIVEN,
    PLAIN_TECHNIQUE,
    SUBOPTIMAL,
)
from rect_data.phantom.report.positive import ARTERIES, all_arteries, told, variant
from rect_data.phantom.report.texts import ReportTexts


def write(
    facts: Sequence[Fact], labels: Sequence[str], patient: Patient, contrast: bool, rng: np.random.Generator
) -> ReportTexts:
    """The report of a scan. labels: its positive ones, each with a fact; contrast: whether iodine was given. A label
    without a fact raises ValueError: nobody could write about it."""
    known = [label for label in labels if any(fact.label == label for fact in facts)]
    if len(known) < len(labels):
        raise ValueError(f"labels without a fact: {', '.join(label for label in labels if label not in known)}")
    pen = Pen(rng)
    return ReportTexts(
        clinical_information=_clinical(patient, pen),
        technique=pen.pick(CONTRAST_TECHNIQUE if contrast else PLAIN_TECHNIQUE),
        findings=" ".join(_findings(facts, labels, contrast, pen)),
        impressions=" ".join(impressions(facts, labels, pen)),
    )


def _clinical(patient: Patient, pen: Pen) -> str:
    man = "female" if patient.sex == "F" else "male"
    form = NOT_GIVEN if pen.chance(0.5) else pen.pick(CLINICAL)
    return form.format(age=patient.age, man=man, Man=man.capitalize())


def _findings(facts: Sequence[Fact], labels: Sequence[str], contrast: bool, pen: Pen) -> list[str]:
    denied = denials(facts, labels, pen)
    order = ("mediastinum", "lungs") if pen.chance(0.65) else ("lungs", "mediastinum")
    opening = [pen.pick(ENHANCED if contrast else SUBOPTIMAL)] if pen.chance(0.45) else []
    sentences: list[str] = []
    for section in order:
        if section == "mediastinum":
            sentences += [*normals(section, labels, pen), *opening]
        units = [text for unit in _units(section, facts, labels, denied, pen) for text in unit]
        sentences += _introduced(units, pen) if section == "lungs" else units
    return [*sentences, *normals("abdomen", labels, pen), *normals("bones", labels, pen)]


def _introduced(texts: Sequence[str], pen: Pen) -> list[str]:
    """Sometimes the first sentence about the lungs says in which window they are read."""
    if not texts or "window" in texts[0] or "leural" in texts[0] or not pen.chance(0.35):
        return list(texts)
    return [pen.pick(INTRODUCTIONS) + texts[0][0].lower() + texts[0][1:], *texts[1:]]


def _units(
    section: str, facts: Sequence[Fact], labels: Sequence[str], denied: Sequence[tuple[str, str]], pen: Pen
) -> list[list[str]]:
    """The sentences of a section, those about one thing together, in an order of their own."""
    shown = [label for label in SECTIONS[section] if label in labels]
    units = []
    if all(label in shown for label in ARTERIES) and pen.chance(0.4):
        units.append([all_arteries(facts, pen)])
        shown = [label for label in shown if label not in ARTERIES]
    units += [told(label, [fact for fact in facts if fact.label == label], labels, pen) for label in shown]
    variants = [fact for fact in facts if not fact.label and VARIANT_SECTION.get(fact.kind) == section]
    units += [[text] for fact in variants if pen.chance(0.7) and (text := variant(fact, pen))]
    units += [[text] for label, text in denied if label in SECTIONS[section]]
    return [units[i] for i in pen.rng.permutation(len(units))]
