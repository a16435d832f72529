"""The reports part of an evaluation: what is scored, what stands beside it, and what is refused."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_core.types import Lesion, Lesions
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.reports import SCORES, ReportScores, reports_section, rules_reader, tokenize
from rect_eval.reports.constant import PRESENT, all_normal, report_of
from rect_eval.reports.reference import reference_of
from rect_eval.reports.written import texts_of, written
from rect_eval.scores import Section

K = len(LABELS)
WORDING = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")


def _reader(texts: Sequence[str]) -> np.ndarray:
    """Reads the constant sentences, and nothing else."""
    return np.array([[PRESENT[x] in text for x in LABELS] for text in texts], np.bool_).reshape(len(texts), K)


def _pairs(truth: Sequence[str | None], said: Sequence[str | None], patients: Sequence[int] | None = None) -> Pairs:
    names = patients or range(len(truth))
    return Pairs(
        truths=tuple(
            Truth(case_id=f"c{i}", patient=f"p{p}", scan="a", report=text)
            for i, (text, p) in enumerate(zip(truth, names, strict=True))
        ),
        predictions=tuple(None if s is None else Predicted(case_id=f"c{i}", report=s) for i, s in enumerate(said)),
    )


def _texts(labels: np.ndarray) -> list[str]:
    return [report_of([x for x, there in zip(LABELS, row, strict=True) if there]) for row in labels]


def _scored(pairs: Pairs, **options: Any) -> Section:
    settings: dict[str, Any] = {"reader": _reader, "reader_name": "a fake", "unit": "reconstruction", "resamples": 100}
    return reports_section(pairs, **(settings | options))


def _control(section: Section, name: str) -> dict[str, float]:
    (control,) = [c for c in section.controls if c.name == name]
    return {score: found.value for score, found in control.scores.items()}


@pytest.fixture
def cohort() -> Callable[..., Pairs]:
    """Twelve patients and more whose reports name random labels; `right` is the share of labels a system gets right."""

    def make(n: int = 12, *, right: float = 0.9, seed: int = 0) -> Pairs:
        rng = np.random.default_rng(seed)
        labels = rng.random((n, K)) < 0.3
        decided = np.where(rng.random((n, K)) < right, labels, ~labels)
        return _pairs(_texts(labels), _texts(decided))

    return make


def test_scores_have_the_promised_names_and_lie_in_their_intervals(cohort: Callable[..., Pairs]) -> None:
    section = _scored(cohort())
    assert tuple(section.scores) == SCORES
    for score in section.scores.values():
        assert isnan(score.value) or score.low <= score.value <= score.high
        assert isnan(score.value) == bool(score.why)
    assert section.cases.columns[:2] == ("case_id", "patient")
    assert [row[0] for row in section.classes.rows] == list(LABELS)


def test_wording_is_that_of_pycocoevalcap_on_the_same_words(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort()
    section = _scored(pairs)
    references = {i: [" ".join(tokenize(t.report or ""))] for i, t in enumerate(pairs.truths)}
    said = {i: [" ".join(tokenize(p.report or ""))] for i, p in enumerate(pairs.predictions) if p}
    theirs = [*Bleu(4).compute_score(references, said, verbose=0)[0]]
    theirs += [Rouge().compute_score(references, said)[0], Cider().compute_score(references, said)[0]]
    assert [section.scores[name].value for name in WORDING] == pytest.approx(theirs, abs=1e-6)
    assert section.scores["bleu_mean"].value == pytest.approx(np.mean(theirs[:4]), abs=1e-6)


@pytest.mark.parametrize("gone", [None, "", "  \n"])
def test_a_missing_or_empty_report_is_a_failure_and_is_said(cohort: Callable[..., Pairs], gone: str | None) -> None:
    pairs = cohort()
    lost = None if gone is None else Predicted(case_id="c0", report=gone)
    section = _scored(replace(pairs, predictions=(lost, *pairs.predictions[1:])))
    row = dict(zip(section.cases.columns, section.cases.rows[0], strict=True))
    assert [row[name] for name in (*WORDING, "ce_f1", "words")] == [0.0] * 8
    assert row["status"] == ("missing" if gone is None else "no report")
    assert section.scores["bleu_1"].n == len(pairs)
    assert section.scores["bleu_1"].value < _scored(pairs).scores["bleu_1"].value
    assert any("1 of 12 cases have no report" in text and "c0" in text for text in section.warnings)
    assert section.scores["contradictions"].n == len(pairs) - 1


def test_a_system_that_looks_is_above_every_floor(cohort: Callable[..., Pairs]) -> None:
    section = _scored(cohort(40, right=0.97))
    told = ("bleu_4", "rouge_l", "cider", "ce_f1_macro", "ce_f1_micro", "ce_f1_per_report", "crg")
    assert {c.name for c in section.controls} == {"mismatched scan", "prevalence report", "all-normal report"}
    for name in told:
        for control in section.controls:
            assert not control.scores[name].value >= section.scores[name].low, (name, control.name)
    assert not any("not distinguishable" in text for text in section.warnings)


def test_a_system_that_does_not_look_is_flagged_in_words(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort(40)
    shuffled = replace(pairs, predictions=tuple(np.roll(np.array(pairs.predictions, object), 7)))
    flagged = [text for text in _scored(shuffled).warnings if "mismatched scan" in text]
    for name in ("crg", "ce_f1_macro", "ce_f1_per_report", "rouge_l"):
        assert any(text.startswith(f"{name} ") and "not distinguishable" in text for text in flagged)


def test_a_constant_report_scores_what_its_control_scores(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort(20)
    normal = _pairs([t.report for t in pairs.truths], [all_normal()] * 20)
    section = _scored(normal)
    control = _control(section, "all-normal report")
    for name in control:
        assert control[name] == pytest.approx(section.scores[name].value, nan_ok=True)
    assert control["crg"] == pytest.approx(1 / 3)
    assert "contradictions" not in control


def test_the_mismatched_control_is_the_same_for_the_same_seed(cohort: Callable[..., Pairs]) -> None:
    one, again, other = (_scored(cohort(), seed=seed, resamples=0) for seed in (1, 1, 2))
    assert _control(one, "mismatched scan")["cider"] == _control(again, "mismatched scan")["cider"]
    assert _control(one, "mismatched scan")["cider"] != _control(other, "mismatched scan")["cider"]


def test_one_patient_has_no_mismatched_control_and_no_interval() -> None:
    section = _scored(_pairs([report_of(["Cardiomegaly"])] * 2, [all_normal()] * 2, patients=[0, 0]))
    assert "mismatched scan" not in {c.name for c in section.controls}
    assert any("no mismatched control" in text for text in section.notes)
    assert isnan(section.scores["bleu_1"].low)


def test_reconstructions_of_a_scan_count_as_one(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort()
    first = _scored(pairs, unit="scan", resamples=0)
    copies = tuple(replace(pairs.truths[0], case_id=f"again{i}") for i in range(3))
    more = replace(
        pairs, truths=(*pairs.truths, *copies), predictions=(*pairs.predictions, *[pairs.predictions[0]] * 3)
    )
    again, apart = (_scored(more, unit=unit, resamples=0) for unit in ("scan", "reconstruction"))
    for name in SCORES:
        assert again.scores[name].value == pytest.approx(first.scores[name].value, nan_ok=True)
    assert again.scores["bleu_1"].n == 12
    assert apart.scores["cider"].value != pytest.approx(first.scores["cider"].value)
    vlm3d = _scored(more, unit="scan", protocol="vlm3d", resamples=0)
    assert vlm3d.scores["bleu_1"].n == 15


def test_undefined_is_nan_and_counted_or_zero_by_the_challenges_rules() -> None:
    pairs = _pairs([report_of(["Cardiomegaly"]), all_normal()], [report_of(["Cardiomegaly"]), all_normal()])
    section, vlm3d = _scored(pairs), _scored(pairs, protocol="vlm3d")
    assert section.scores["ce_f1_macro"].value == 1.0
    assert any("ce_f1 is undefined for 17 of 18 labels" in text for text in section.warnings)
    assert vlm3d.scores["ce_f1_macro"].value == pytest.approx(1 / K)
    assert vlm3d.scores["ce_f1_per_report"].value == 1.0


def test_given_labels_may_be_the_reference_without_any_reference_report() -> None:
    pairs = _pairs([None] * 3, [report_of(["Cardiomegaly"])] * 3)
    labels = tuple(float(label == "Cardiomegaly") for label in LABELS)
    unknown = (*labels[:-1], float("nan"))
    pairs = replace(
        pairs, truths=tuple(replace(t, labels=labels if i else unknown) for i, t in enumerate(pairs.truths))
    )
    section = _scored(pairs, reference="labels")
    assert section.scores["ce_f1_micro"].value == 1.0
    assert section.scores["ce_f1_micro"].n == 3 * K - 1
    assert section.scores["bleu_1"].why == section.scores["cider"].why == "no case has a reference report"


def test_a_case_without_a_reference_report_is_not_compared(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort()
    silent = replace(pairs, truths=(replace(pairs.truths[0], report=None), *pairs.truths[1:]))
    section = _scored(silent)
    left = _scored(Pairs(truths=pairs.truths[1:], predictions=pairs.predictions[1:]), resamples=0)
    for name in (*WORDING, "ce_f1_macro", "crg", "ce_f1_per_report"):
        assert section.scores[name].value == pytest.approx(left.scores[name].value)
    assert any("1 of 12 cases have no reference report" in text for text in section.notes)
    assert section.cases.rows[0][3] == "no reference report"


def test_given_controls_are_ceilings_only_by_name(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort(30)
    perfect = replace(pairs, predictions=tuple(Predicted(case_id=t.case_id, report=t.report) for t in pairs.truths))
    given = {"second report": perfect, "Reference-label_round-trip": perfect, "near-normal template": perfect}
    section = _scored(pairs, controls=given)
    kinds = {c.name: c.kind for c in section.controls}
    assert [kinds[name] for name in given] == ["ceiling", "ceiling", "floor"]
    assert _control(section, "second report")["crg"] == 1.0
    flagged = " ".join(section.warnings)
    assert "near-normal template" in flagged
    assert "second report" not in flagged
    assert not any(text.startswith("contradictions ") for text in section.warnings)


def test_controls_of_other_cases_or_without_reports_are_refused(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort()
    with pytest.raises(DataError, match="control 'x' has 5 cases, not the 12"):
        _scored(pairs, controls={"x": cohort(5)})
    with pytest.raises(DataError, match="control 'x' has no report"):
        _scored(pairs, controls={"x": replace(pairs, predictions=(None,) * 12)})


def test_nothing_to_score_is_an_error(cohort: Callable[..., Pairs]) -> None:
    pairs = cohort()
    with pytest.raises(DataError, match="none of the 12 cases has a predicted report"):
        _scored(replace(pairs, predictions=(None,) * 12))
    silent = replace(pairs, truths=tuple(replace(t, report=None) for t in pairs.truths))
    with pytest.raises(DataError, match="none of the 12 cases has a reference report"):
        _scored(silent)
    with pytest.raises(DataError, match="none of the 12 cases has a known label"):
        _scored(pairs, reference="labels")
    for wrong in ({"protocol": "x"}, {"unit": "x"}, {"reference": "x"}):
        with pytest.raises(ValueError, match="'x' is neither"):
            _scored(pairs, **wrong)


def test_one_reference_makes_cider_undefined_and_says_so() -> None:
    section = _scored(_pairs([all_normal()], [all_normal()]))
    assert isnan(section.scores["cider"].value)
    assert "two or more" in section.scores["cider"].why
    assert section.scores["bleu_1"].value == pytest.approx(1.0)


def test_meteor_is_undefined_with_its_reason(
    cohort: Callable[..., Pairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "not asked for" in _scored(cohort(), resamples=0).scores["meteor"].why
    (tmp_path / "meteor-1.5.jar").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    score = _scored(cohort(), resamples=0, meteor=tmp_path).scores["meteor"]
    assert isnan(score.value)
    assert "needs Java" in score.why
    with pytest.raises(DataError, match="METEOR"):
        _scored(cohort(), meteor=tmp_path / "gone.jar")


def test_meteor_counts_reach_the_score_and_the_controls(
    cohort: Callable[..., Pairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each report is said to have as many matches as it shares words with its reference."""
    asked: list[int] = []

    def shared(jar: Path, hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> np.ndarray:
        asked.append(len(hypotheses))
        counts = np.zeros((len(hypotheses), 23))
        for row, h, r in zip(counts, hypotheses, references, strict=True):
            row[[0, 1]] = len(h), len(r)
            row[[4, 5, 21, 22]] = len(set(h) & set(r))
            row[20] = 1
        return counts

    (tmp_path / "meteor-1.5.jar").touch()
    monkeypatch.setattr("rect_eval.reports.section.count_matches", shared)
    pairs = cohort()
    silent = replace(pairs, truths=(replace(pairs.truths[0], report=None), *pairs.truths[1:]))
    section = _scored(silent, meteor=tmp_path)
    assert asked == [11 * 4]
    assert 0 < section.scores["meteor"].low <= section.scores["meteor"].value
    assert all(c.scores["meteor"].value > 0 for c in section.controls)
    assert isnan(float(section.cases.rows[0][section.cases.columns.index("meteor")] or 0.0))


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[str]], None]:
    """Gives each case a pleural effusion on one side, as if its masks had been measured."""

    def lesions(side: str) -> Lesions:
        lesion = Lesion(
            finding="pleural_effusion", instance=1, volume_ml=100.0, diameter_mm=90.0, short_axis_mm=30.0, side=side,
            region=f"{side} pleural shell", centroid_ras_mm=(0.0, 0.0, 0.0), slices=(0, 1), voxels=9, prob=float("nan"),
        )  # fmt: skip
        return Lesions(asked=("pleural_effusion",), items=(lesion,))

    def give(chosen: Sequence[str]) -> None:
        found = tuple(map(lesions, chosen))
        monkeypatch.setattr("rect_eval.reports.section.measured", lambda truths: found)

    return give


def test_stated_sides_are_compared_with_the_lesions_of_the_same_case_only(
    sides: Callable[[Sequence[str]], None],
) -> None:
    sides(["left", "right", "left", "right"])
    said = [f"There is a {side} pleural effusion." for side in ("left", "right", "left", "left")]
    section = _scored(_pairs(said, said), reader=rules_reader)
    assert section.scores["agreement_side"].value == 0.75
    assert section.scores["agreement_side"].n == 4
    assert isnan(section.scores["agreement_zone"].value)
    assert _control(section, "mismatched scan")["agreement_side"] < 0.75
    columns = section.cases.columns
    assert [row[columns.index("side_right")] for row in section.cases.rows] == [1, 1, 1, 0]


def test_reconstructions_share_their_agreement_and_their_contradictions(
    sides: Callable[[Sequence[str]], None],
) -> None:
    sides(["left", "right", "right"])
    wrong = "Left pleural effusion. No pleural effusion."
    pairs = _pairs([wrong] * 3, ["There is a left pleural effusion.", wrong, wrong], patients=[0, 1, 1])
    scores = _scored(pairs, unit="scan", reader=rules_reader).scores
    assert scores["agreement_side"].value == 0.5
    assert scores["contradictions"].value == 0.5
    assert scores["contradictions"].n == 2


def test_contradictions_are_counted_and_quoted() -> None:
    said = ["No pleural effusion. Left pleural effusion.", "No pleural effusion."]
    section = _scored(_pairs([all_normal()] * 2, said), reader=rules_reader)
    assert section.scores["contradictions"].value == 0.5
    assert any("contradict themselves, the first that of c0" in text for text in section.warnings)
    assert "No pleural effusion. / Left pleural effusion." in str(section.cases.rows[0][-1])


def test_references_for_two_systems_score_each_as_if_it_were_alone(cohort: Callable[..., Pairs]) -> None:
    one, other = cohort(), cohort(right=0.6)
    reference = reference_of(one, reader=_reader, source="report", unit="scan")
    texts = (*texts_of(one), *("strange words",), *texts_of(other)[1:])
    both = ReportScores(reference.twice(), written(texts, reference.known, _reader), np.arange(24))
    for half in (0, 1):
        alone = ReportScores(reference, written(texts[12 * half :][:12], reference.known, _reader), np.arange(12))
        weights = np.zeros((1, 24))
        weights[0, 12 * half :][:12] = 1.0
        np.testing.assert_allclose(both(weights), alone(np.ones((1, 12))))
