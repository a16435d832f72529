"""The evidence writer: a deterministic report from scores and lesions, each sentence with the ids of its evidence."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rect_core.findings import LABELS, LOCALIZED, NOT_ASSESSED
from rect_core.types import PredictionRecord, Report, Sentence, WeightsStatus
from rect_reporter.evidence import Item, collect
from rect_reporter.lesion_text import holds_mass, lesion_sentences, lesion_summary
from rect_reporter.phrases import IMPRESSION_ORDER, LESION_NOUNS, LUNG_OUTSIDE, MEASURES, NOUNS, WEIGHTS_SENTENCES
from rect_reporter.score_text import (
    by_compartment,
    negative_sentences,
    negative_summary,
    present_sentence,
    present_summaries,
    undefined_sentence,
    undefined_summary,
)
from rect_reporter.wording import listed, sentence


def write_report(record: PredictionRecord, *, lung_outside: float = 0.0) -> Report:
    """The report of one prediction; the same record always gives the same words.

    lung_outside: share of the lung outside the model grid, 0 to 1 (`Frame.lung_outside`), NaN where unknown; another
    value raises ValueError. Every cited id is one of `evidence_ids(record)`.
    """
    if not (math.isnan(lung_outside) or 0.0 <= lung_outside <= 1.0):
        raise ValueError(f"lung_outside {lung_outside} is not a share: give 0 to 1, or NaN where unknown")
    items = collect(record)
    limits = tuple(_limits(record, lung_outside))
    return Report(
        sentences=(
            *_weights(record.weights_status, "findings"),
            *limits,
            *_findings(items, record.weights_status),
            *_weights(record.weights_status, "impression"),
            *_impression(items, lung_outside),
            *_not_assessed(record),
        )
    )


def report_from_findings(path: Path | str) -> Report:
    """The report of a saved findings.json. The share of lung outside the grid is not in that file, and the report says
    nothing about it; a file of a newer schema raises ValueError."""
    return write_report(PredictionRecord.load(path))


def _weights(status: WeightsStatus, section: str) -> Iterator[Sentence]:
    if text := WEIGHTS_SENTENCES.get(status):
        yield Sentence(text=text, section=section, evidence=("weights",))


def _limits(record: PredictionRecord, lung_outside: float) -> Iterator[Sentence]:
    for n, warning in enumerate(record.warnings, start=1):
        if warning.strip(" .;,\n\t"):
            yield Sentence(text=sentence(warning), section="findings", evidence=(f"check:warning-{n}",))
    if text := _outside(lung_outside):
        yield Sentence(text=text, section="findings", evidence=("check:lung_outside",))


def _outside(share: float) -> str:
    if math.isnan(share):
        return "How much of the lung lies outside the assessed volume is unknown."
    if share <= LUNG_OUTSIDE:
        return ""
    return f"About {100 * share:.0f} % of the lung lies outside the assessed volume and was not assessed."


def _findings(items: Sequence[Item], status: WeightsStatus) -> Iterator[Sentence]:
    for where, inside in by_compartment(items):
        for item in inside:
            if item.lesions:
                sure = item.state == "present" and item.certainty == "observed" and status != "untrained"
                yield from lesion_sentences(item, "observed" if sure else "outlined")
            elif item.state == "present":
                yield present_sentence(item)
            elif item.state == "undefined":
                yield undefined_sentence(item)
        yield from negative_sentences(inside, where)
    if any(item.lesions for item in items):
        yield Sentence(text=MEASURES, section="findings", evidence=("scope",))


def _impression(items: Sequence[Item], lung_outside: float) -> Iterator[Sentence]:
    order = {label: i for i, label in enumerate(IMPRESSION_ORDER)}
    ordered = sorted(items, key=lambda item: (not holds_mass(item), order.get(item.label, len(order))))
    outlined = [item for item in ordered if item.lesions]
    yield from (lesion_summary(item) for item in outlined if item.state == "present")
    yield from present_summaries(ordered)
    yield from (lesion_summary(item) for item in outlined if item.state != "present")
    yield negative_summary(items)
    yield from undefined_summary(items)
    if text := _outside(lung_outside):
        yield Sentence(text=text, section="impression", evidence=("check:lung_outside",))


def _not_assessed(record: PredictionRecord) -> Iterator[Sentence]:
    unscored = [NOUNS[label].name for label in LABELS if label not in record.scores.labels]
    if unscored:
        text = f"Not scored on this scan: {listed(unscored)}."
        yield Sentence(text=text, section="not assessed", evidence=("scope",))
    outlined = {*record.assessed_masks, *(lesion.finding for lesion in record.lesions)}
    if unasked := [LESION_NOUNS[finding].name for finding in LOCALIZED if finding not in outlined]:
        text = f"Not looked for as outlines on this scan: {listed(unasked)}."
        yield Sentence(text=text, section="not assessed", evidence=("scope",))
    text = f"This report covers only the findings named above; {listed(NOT_ASSESSED)} were not assessed."
    yield Sentence(text=text, section="not assessed", evidence=("scope",))
