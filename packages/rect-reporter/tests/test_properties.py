"""What holds for the report of every record."""

import math
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rect_core.findings import LABEL_OF_LOCALIZED, LABELS, LOCALIZED, REGIONS, slug
from rect_core.types import Lesion, PredictionRecord, Report
from rect_reporter import evidence_ids, write_report
from rect_reporter.phrases import BANNED, WEIGHTS_SENTENCES
from rect_reporter.wording import number

SIDES = {"right": {"right"}, "left": {"left"}, "bilateral": {"right", "left"}, "midline": set[str]()}


def sizes(top: float) -> st.SearchStrategy[float]:
    return st.one_of(st.floats(0.001, top), st.just(math.nan))


lesions = st.fixed_dictionaries(
    {
        "finding": st.sampled_from(LOCALIZED),
        "volume_ml": sizes(900.0),
        "diameter_mm": sizes(200.0),
        "short_axis_mm": sizes(99.0),
        "side": st.sampled_from(sorted(SIDES)),
        "region": st.sampled_from((*REGIONS, "")),
        "centroid_ras_mm": st.just((0.0, 0.0, 0.0)),
        "slices": st.tuples(st.integers(0, 99), st.integers(0, 99)),
        "voxels": st.just(9),
        "prob": sizes(1.0),
    }
)


@st.composite
def drafts(draw: st.DrawFn) -> dict[str, Any]:
    """The JSON of a record; the record itself is built in the test, for the type checker draws random numbers."""
    found = draw(st.lists(lesions, max_size=draw(st.sampled_from((0, 1, 3, 20)))))
    probs = draw(st.lists(sizes(1.0), min_size=18, max_size=18))
    scores = {
        "labels": LABELS,
        "logits": probs,
        "prob": probs,
        "threshold": draw(st.lists(st.sampled_from((0.18, 0.5, 0.9)), min_size=18, max_size=18)),
        "calibrated": draw(st.booleans()),
    }
    return {
        "schema_version": 1,
        "case_id": "case",
        "weights_status": draw(st.sampled_from(("untrained", "synthetic", "clinical-data"))),
        "scores": scores,
        "assessed_masks": [f for f in LOCALIZED if draw(st.booleans()) or any(x["finding"] == f for x in found)],
        "lesions": [{**lesion, "instance": n} for n, lesion in enumerate(found, start=1)],
        "warnings": draw(st.lists(st.sampled_from(("thin  coverage", "2 slices differ", "")), max_size=2)),
    }


def _cited_lesions(report: Report, record: PredictionRecord) -> list[tuple[str, list[Lesion]]]:
    by_id = {f"lesion:{lesion.id}": lesion for lesion in record.lesions}
    return [
        (s.text, [by_id[i] for i in s.evidence if i in by_id])
        for s in report.sentences
        if any(i in by_id for i in s.evidence)
    ]


@settings(max_examples=60, deadline=None)
@given(drafts(), st.one_of(st.floats(0.0, 1.0), st.just(math.nan)))
def test_sentences_are_well_formed_and_hold_no_banned_word(draft: dict[str, Any], outside: float) -> None:
    record = PredictionRecord.from_json(draft)
    report = write_report(record, lung_outside=outside)
    for sentence in report.sentences:
        assert sentence.text.endswith(".")
        assert not sentence.text.endswith("..")
        assert sentence.text[0].isupper()
        assert not re.search(r"  |\( |\(\)| [,.;)]|,,|\bno no\b", sentence.text), sentence.text
        assert not re.search(rf"\b({'|'.join(BANNED)})\b", sentence.text.lower()), sentence.text
        assert not re.search(
            r"\b(one (lung nodules|areas|parts)|(two|three|\d+) (part|area|lung nodule)) ", sentence.text
        )


@settings(max_examples=60, deadline=None)
@given(drafts())
def test_the_same_record_gives_the_same_report(draft: dict[str, Any]) -> None:
    record = PredictionRecord.from_json(draft)
    assert write_report(record) == write_report(PredictionRecord.from_json(record.to_json()))


@settings(max_examples=60, deadline=None)
@given(drafts())
def test_every_id_resolves_and_everything_present_is_cited_in_both_sections(draft: dict[str, Any]) -> None:
    record = PredictionRecord.from_json(draft)
    report = write_report(record)
    known = evidence_ids(record)
    must = {f"lesion:{lesion.id}" for lesion in record.lesions}
    must |= {f"score:{slug(name)}" for name in record.scores.disease_names}
    for section in ("findings", "impression"):
        cited = {i for s in report.sentences if s.section == section for i in s.evidence}
        assert cited <= known
        assert must <= cited
    findings = {i for s in report.sentences if s.section == "findings" for i in s.evidence}
    assert {f"score:{slug(label)}" for label in LABELS} <= findings


@settings(max_examples=60, deadline=None)
@given(drafts())
def test_negatives_are_exactly_the_labels_below_threshold_without_lesions(draft: dict[str, Any]) -> None:
    record = PredictionRecord.from_json(draft)
    scores = record.scores
    outlined = {LABEL_OF_LOCALIZED[lesion.finding] for lesion in record.lesions}
    below = {
        f"score:{slug(label)}"
        for label, p, t in zip(LABELS, scores.prob, scores.threshold, strict=True)
        if p < t and label not in outlined
    }
    for section in ("findings", "impression"):
        negatives = [s for s in write_report(record).sentences if s.section == section and s.negative]
        cited = {i for s in negatives for i in s.evidence if i.startswith("score:")}
        assert cited == below


@settings(max_examples=60, deadline=None)
@given(drafts())
def test_laterality_words_are_the_lesions_sides(draft: dict[str, Any]) -> None:
    record = PredictionRecord.from_json(draft)
    for text, cited in _cited_lesions(write_report(record), record):
        if "disagree." in text or text.startswith("The score of") or "the largest" in text:
            continue
        words = set(re.findall(r"\b(right|left)\b", text))
        words |= {"right", "left"} if re.search(r"\bboth\b", text) else set()
        words -= {"right"} if "at right angles" in text else set()
        sides = set[str]().union(*(SIDES[lesion.side] for lesion in cited))
        loose = {x.region.split(" ")[0] for x in cited if x.side in ("midline", "bilateral")} & {"right", "left"}
        assert words <= sides | loose, text
        assert sides <= words or "around the heart" in text or "elsewhere" in text, text


@settings(max_examples=60, deadline=None)
@given(drafts())
def test_sizes_in_the_text_are_the_lesions_sizes(draft: dict[str, Any]) -> None:
    record = PredictionRecord.from_json(draft)
    for text, cited in _cited_lesions(write_report(record), record):
        lengths = {number(v) for x in cited for v in (x.diameter_mm, x.short_axis_mm) if not math.isnan(v)}
        found = re.findall(r"(less than 0\.1|\d+(?:\.\d)?)(?= x | mm| to [^a-z])", text)
        assert set(found) <= lengths, text
        if len(cited) == 1 and "measur" in text and "mm" in text:
            assert number(cited[0].diameter_mm) in found, text


@settings(max_examples=60, deadline=None)
@given(drafts())
def test_unfit_weights_speak_first_and_the_scope_last(draft: dict[str, Any]) -> None:
    record = PredictionRecord.from_json(draft)
    report = write_report(record)
    assert report.sentences[-1].evidence == ("scope",)
    for section in ("findings", "impression"):
        first = report.section(section)
        assert first.startswith(WEIGHTS_SENTENCES.get(record.weights_status, ""))
