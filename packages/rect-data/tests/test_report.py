"""Reports say what the facts say, in many ways, and reasoning points at the masks."""

import json
import re
from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import numpy as np
import pytest

from rect_core.findings import LABELS, REGIONS
from rect_core.types import Reasoning
from rect_data.phantom.facts import Fact
from rect_data.phantom.parts import LOBES
from rect_data.phantom.patient import Patient
from rect_data.phantom.report.reasoning import reason
from rect_data.phantom.report.texts import ReportTexts
from rect_data.phantom.report.words import listed, number_word, size_text, with_article
from rect_data.phantom.report.writer import write

PATIENT = Patient(age=61, sex="F", stature=1.0, build=0.5)
KINDS = {
    "Lung nodule": ("solid nodule", "part-solid nodule", "ground-glass nodule"),
    "Lung opacity": ("ground-glass opacity",),
    "Consolidation": ("consolidation",),
    "Pleural effusion": ("free effusion", "free effusion", "loculated effusion"),
    "Pericardial effusion": ("pericardial effusion",),
    "Atelectasis": ("linear atelectasis", "subsegmental atelectasis", "lobar atelectasis", "compressive atelectasis"),
    "Pulmonary fibrotic sequela": ("fibrotic bands", "apical scarring", "sequela changes"),
    "Interlobular septal thickening": ("septal thickening",),
    "Bronchiectasis": ("cylindrical bronchiectasis", "varicose bronchiectasis", "cystic bronchiectasis"),
    "Peribronchial thickening": ("peribronchial thickening",),
    "Mosaic attenuation pattern": ("mosaic attenuation",),
    "Emphysema": ("centrilobular emphysema", "paraseptal emphysema", "panlobular emphysema"),
    "Cardiomegaly": ("cardiomegaly",),
    "Arterial wall calcification": ("arterial calcification",),
    "Coronary artery wall calcification": ("coronary calcification",),
    "Lymphadenopathy": ("enlarged lymph node",),
    "Hiatal hernia": ("hiatal hernia",),
    "Medical material": (
        *("pacemaker", "port catheter", "central venous catheter", "sternal wires", "valve prosthesis"),
        *("coronary stent", "tracheostomy tube", "nasogastric tube", "chest tube", "surgical clips"),
    ),
}
DETAILS = {
    "Lung nodule": ("subpleural", "perifissural", "next to a vessel", "spiculated"),
    "Lung opacity": ("peripheral", "central", "patchy", "with crazy paving"),
    "Consolidation": ("with air bronchograms", "segmental", "rounded", "peripheral"),
    "Pleural effusion": ("with fissural extension", "with compressive atelectasis"),
    "Atelectasis": ("with volume loss",),
    "Pulmonary fibrotic sequela": ("with traction", "calcified"),
    "Interlobular septal thickening": ("basal", "upper", "diffuse"),
    "Emphysema": ("upper lobe predominance", "lower lobe predominance", "with bullae"),
    "Cardiomegaly": ("cardiothoracic ratio 0.56",),
    "Arterial wall calcification": ("aortic arch", "ascending aorta", "descending aorta", "supra-aortic branches"),
    "Coronary artery wall calcification": ("left anterior descending", "circumflex", "right coronary"),
    "Lymphadenopathy": ("paratracheal", "subcarinal", "hilar", "prevascular", "axillary", "aortopulmonary"),
    "Hiatal hernia": ("with air-fluid level",),
}
OUTLINED = {"Lung nodule": (3, 30), "Lung opacity": (8, 90), "Consolidation": (8, 90)}
HOW_MANY = {"Lung nodule": 9, "Lung opacity": 3, "Consolidation": 2, "Atelectasis": 3, "Lymphadenopathy": 3}
VARIANTS = ("calcified granuloma", "azygos lobe", "dependent density", "thymic tissue", "prominent epicardial fat")


def side_of(lobes: Sequence[str]) -> str:
    sides = {lobe.split()[0] for lobe in lobes}
    return "bilateral" if len(sides) > 1 else sides.pop()


def some(options: Sequence[str], count: int, rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(options[i] for i in sorted(rng.choice(len(options), min(count, len(options)), replace=False)))


def place(label: str, rng: np.random.Generator) -> dict[str, Any]:
    """Side, lobes, size and number as a label has them."""
    lobes = some(LOBES, 1 if label == "Lung nodule" else int(rng.integers(1, 6)), rng)
    if label in OUTLINED:
        most = 1 if label == "Lung nodule" else int(rng.integers(len(lobes), len(lobes) + 4))
        return {"lobes": lobes, "side": side_of(lobes), "size_mm": float(rng.uniform(*OUTLINED[label])), "number": most}
    if label == "Pericardial effusion":
        return {"side": "midline", "size_mm": float(rng.uniform(4, 30))}
    if label == "Lymphadenopathy":
        return {"side": some(("right", "left"), 1, rng)[0], "size_mm": 14.0, "number": int(rng.integers(1, 4))}
    if label == "Hiatal hernia":
        return {"side": "midline", "size_mm": float(rng.uniform(15, 60))}
    if label == "Medical material":
        return {"side": some(("right", "left", "midline"), 1, rng)[0]}
    if "arter" in label.lower() or label == "Cardiomegaly":
        return {}
    return {"lobes": lobes, "side": side_of(lobes), "size_mm": 24.0 if label == "Emphysema" else nan}


def fact(label: str, rng: np.random.Generator) -> Fact:
    known = DETAILS.get(label, ())
    least = 1 if label in ("Lymphadenopathy", "Cardiomegaly") else 0
    return Fact(
        label=label,
        kind=some(KINDS[label], 1, rng)[0],
        severity=some(("mild", "moderate", "severe"), 1, rng)[0],
        details=some(known, int(rng.integers(least, 3)), rng) if known else (),
        uncertain=bool(rng.random() < 0.12),
        **place(label, rng),
    )


def facts_of(label: str, rng: np.random.Generator) -> list[Fact]:
    if label == "Pleural effusion":
        kind, sides = some(KINDS[label], 1, rng)[0], some(("right", "left"), int(rng.integers(1, 3)), rng)
        details = some(DETAILS[label], int(rng.integers(3)), rng)
        sizes = rng.uniform(3, 60, 2).tolist()
        return [
            Fact(label=label, kind=kind, side=side, size_mm=size, details=details, severity="mild")
            for side, size in zip(sides, sizes, strict=False)
        ]
    return [fact(label, rng) for _ in range(int(rng.integers(1, HOW_MANY.get(label, 1) + 1)))]


def variants(rng: np.random.Generator) -> list[Fact]:
    lobe = some(LOBES, 1, rng)[0]
    return [
        Fact(label="", kind=kind, side=side_of([lobe]), lobes=(lobe,), size_mm=4.4)
        for kind in some(VARIANTS, int(rng.integers(4)), rng)
    ]


def case(seed: int) -> tuple[list[Fact], list[str], ReportTexts]:
    rng = np.random.default_rng(seed)
    often = rng.choice([0.0, 0.1, 0.3, 0.6])
    labels = [label for label in LABELS if rng.random() < often]
    facts = [fact for label in labels for fact in facts_of(label, rng)] + variants(rng)
    return facts, labels, write(facts, labels, PATIENT, bool(rng.random() < 0.4), rng)


@pytest.fixture(scope="module")
def reports() -> list[tuple[list[Fact], list[str], ReportTexts]]:
    return [case(seed) for seed in range(300)]


def test_findings_read_back_to_their_facts(reports: Any, read_back: Any) -> None:
    wrong = [
        f"{what}\n  {texts.findings}"
        for facts, labels, texts in reports
        for what in read_back.of(texts.findings).problems(facts, labels)
    ]
    assert not wrong, "\n".join(wrong[:5])


def test_the_reader_notices_what_is_wrong(read_back: Any) -> None:
    nodule = Fact(label="Lung nodule", kind="solid nodule", side="right", lobes=(LOBES[0],), size_mm=6.0)
    right = "A nodule with a diameter of 6 mm was observed in the upper lobe of the right lung."
    assert read_back.of(right).problems([nodule], ["Lung nodule"]) == []
    for wrong in (
        right.replace("right", "left"),
        right.replace("upper", "lower"),
        right.replace("6 mm", "9 mm"),
        right.replace("A nodule", "Two nodules"),
        "No nodule was observed in the upper lobe of the right lung.",
        right + " Consolidation was seen.",
        right + " A 4 mm nodule was seen in the left lower lobe.",
    ):
        assert read_back.of(wrong).problems([nodule], ["Lung nodule"]), wrong


def test_impressions_affirm_nothing_that_is_absent(reports: Any, read_back: Any) -> None:
    for _, labels, texts in reports:
        read = read_back.of(texts.impressions)
        assert set(read.positive) <= set(labels), texts.impressions
        assert not set(read.negative) & set(labels), texts.impressions
        normal = re.search(r"normal|No (significant|active|pathological|finding)", texts.impressions)
        assert bool(normal) == (not labels), texts.impressions


def test_impressions_do_not_repeat_the_findings(reports: Any) -> None:
    for _, labels, texts in reports:
        if labels:
            said = set(texts.findings.split(". ")) & set(texts.impressions.split(". "))
            assert not said, said


def test_texts_are_whole_sentences_without_leftovers(reports: Any) -> None:
    for _, _, texts in reports:
        for text in (texts.clinical_information, texts.technique, texts.findings, texts.impressions):
            assert not re.search(r"[{}\[\]<>|_]|  |\bnan\b| ,| \.|\.\.|\ba [aeio]|\ban [bcdfgm]", text), text
            assert text.endswith((".", "?"))
            aside = re.sub(r" \(.*?\)", "", text)
            assert all(sentence[0].isupper() for sentence in re.split(r"(?<=[.?]) (?=\w)", aside)), text


def test_reports_deny_some_of_what_is_absent_but_not_all(reports: Any, read_back: Any) -> None:
    denied = [len(read_back.of(texts.findings).negative) for _, labels, texts in reports if len(labels) < 8]
    assert 3 < np.mean(denied) < 9
    assert len({text for _, _, texts in reports for text in texts.findings.split(". ") if "leural" in text}) > 20


@pytest.mark.parametrize("label", LABELS)
def test_a_label_is_told_in_at_least_eight_ways(label: str, read_back: Any) -> None:
    """Two sentences are two ways where they share less than 70 % of their words."""
    rng = np.random.default_rng(7)
    facts = [fact(label, rng)]
    texts = [write(facts, [label], PATIENT, False, np.random.default_rng(seed)).findings for seed in range(60)]
    sentences = [read_back.of(text).positive[label][0] for text in texts]
    ways: list[set[str]] = []
    for words in sorted({frozenset(re.findall(r"[a-z]+", sentence)) for sentence in sentences}, key=sorted):
        if all(len(words & other) < 0.7 * len(words | other) for other in ways):
            ways.append(set(words))
    assert len(ways) >= 8, ways


def test_the_same_seed_gives_the_same_report() -> None:
    assert case(5)[2] == case(5)[2]
    assert case(5)[2] != case(6)[2]


def test_a_detail_never_asserts_a_label_that_is_absent(read_back: Any) -> None:
    effusion = Fact(label="Pleural effusion", kind="free effusion", side="left", size_mm=22.0)
    pressed = Fact(
        label="Pleural effusion", kind="free effusion", side="left", details=("with compressive atelectasis",)
    )
    for facts in ([effusion], [pressed]):
        for seed in range(40):
            text = write(facts, ["Pleural effusion"], PATIENT, True, np.random.default_rng(seed)).findings
            assert "Atelectasis" not in read_back.of(text).positive


def test_a_label_without_a_fact_is_refused() -> None:
    with pytest.raises(ValueError, match="Emphysema"):
        write([], ["Emphysema"], PATIENT, False, np.random.default_rng(0))


def test_clinical_information_is_often_not_given_and_names_the_patient_rightly(reports: Any) -> None:
    given = [texts.clinical_information for _, _, texts in reports]
    assert 0.35 < given.count("Not given.") / len(given) < 0.65
    assert all("61" in text and "emale" in text for text in given if "patient" in text)


def test_technique_says_whether_contrast_was_given() -> None:
    plain, enhanced = (write([], [], PATIENT, c, np.random.default_rng(1)).technique for c in (False, True))
    assert re.search("on-contrast|without|nenhanced", plain)
    assert not re.search("on-contrast|without|nenhanced", enhanced)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: with_article("8 mm nodule"), "an 8 mm nodule"),
        (lambda: with_article("11.5 mm nodule"), "an 11.5 mm nodule"),
        (lambda: with_article("1.8 cm nodule"), "a 1.8 cm nodule"),
        (lambda: listed(["a", "b", "c"]), "a, b and c"),
        (lambda: number_word(21), "more than twenty"),
    ],
)
def test_words_are_english(make: Callable[[], str], text: str) -> None:
    assert make() == text


def test_sizes_keep_their_value_to_half_a_millimetre() -> None:
    rng = np.random.default_rng(0)
    for mm in rng.uniform(0.6, 80, 300).tolist():
        number, unit = size_text(mm, rng).split()
        assert abs(float(number) * {"mm": 1, "cm": 10}[unit] - mm) <= 0.5 + 1e-9
    assert size_text(nan, rng) == ""


def test_reasoning_has_a_step_a_fact_and_points_at_its_masks(reports: Any) -> None:
    for facts, labels, _ in reports[:60]:
        reasoning = reason(facts, labels)
        assert len(reasoning.steps) == len(facts)
        assert {step.region for step in reasoning.steps} <= set(REGIONS)
        assert all(label in reasoning.conclusion for label in labels)
        assert Reasoning.from_json(json.loads(json.dumps(reasoning.to_json()))) == reasoning


def test_reasoning_takes_regions_that_were_measured() -> None:
    nodule = Fact(
        label="Lung nodule",
        kind="solid nodule",
        side="left",
        lobes=(LOBES[3],),
        size_mm=6.0,
        finding="lung_nodule",
        instances=(2,),
    )
    (step,) = reason([nodule], ["Lung nodule"]).steps
    assert (step.region, step.evidence) == ("left upper zone", ("lesion:lung_nodule-2",))
    (step,) = reason([nodule], ["Lung nodule"], {"lung_nodule-2": "left middle zone"}).steps
    assert step.region == "left middle zone"


def test_reasoning_says_why_a_lookalike_does_not_count() -> None:
    reasoning = reason([Fact(label="", kind="calcified granuloma", side="left", size_mm=4.0)], [])
    assert "not counted as a lung nodule" in reasoning.steps[0].inference
    assert reasoning.conclusion == "None of the 18 findings is present."
