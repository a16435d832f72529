"""The classification section: what is scored, how it is named, what stands beside it."""

import time
from dataclasses import replace
from math import isnan
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.classification import OPTIMISTIC, classify_section, vlm3d_scores
from rect_eval.classification.gather import gather
from rect_eval.scores import Section

NAN = float("nan")


def made(n: int = 40, *, skill: float = 0.5, seed: int = 0, scans: int = 1) -> Pairs:
    """n reconstructions of n / 2 patients; every label has both classes; `scans` reconstructions share a scan."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, 18)) < 0.4).astype(float)
    labels[:2], labels[2:4] = 0, 1
    labels = labels[np.arange(n) // scans * scans]
    prob = np.clip(rng.random((n, 18)) * (1 - skill) + skill * labels, 0, 1)
    truths = [
        Truth(case_id=f"c{i}", patient=f"p{i // 2}", scan=f"s{i // scans}", labels=tuple(labels[i])) for i in range(n)
    ]
    return Pairs(
        truths=tuple(truths), predictions=tuple(Predicted(case_id=f"c{i}", prob=tuple(prob[i])) for i in range(n))
    )


def section(pairs: Pairs, **options: Any) -> Section:
    plain: dict[str, Any] = {"protocol": "rect", "thresholds": None, "fitted_here": False, "unit": "reconstruction"}
    return classify_section(pairs, **(plain | {"resamples": 20, "interval": "percentile", "seed": 0} | options))


def arrays(pairs: Pairs) -> tuple[np.ndarray, np.ndarray]:
    return pairs.labels, np.array([p.prob if p else (NAN,) * 18 for p in pairs.predictions])


def cell(found: Section, label: str, column: str) -> Any:
    row = next(row for row in found.classes.rows if row[0] == label)
    return row[found.classes.columns.index(column)]


def without(pairs: Pairs, *gone: int) -> Pairs:
    return replace(pairs, predictions=tuple(None if i in gone else p for i, p in enumerate(pairs.predictions)))


def relabelled(pairs: Pairs, labels: np.ndarray) -> Pairs:
    truths = (replace(t, labels=tuple(row)) for t, row in zip(pairs.truths, labels.tolist(), strict=True))
    return replace(pairs, truths=tuple(truths))


def test_scores_are_those_of_sklearn_with_intervals_around_them() -> None:
    pairs = made()
    labels, prob = arrays(pairs)
    found = section(pairs)
    assert found.scores["macro_auroc"].value == pytest.approx(sk.roc_auc_score(labels, prob))
    assert found.scores["micro_f1"].value == pytest.approx(sk.f1_score(labels, prob >= 0.5, average="micro"))
    assert cell(found, "Emphysema", "auroc") == pytest.approx(sk.roc_auc_score(labels[:, 7], prob[:, 7]))
    assert cell(found, "Emphysema", "auroc_low") <= cell(found, "Emphysema", "auroc")
    for name, score in found.scores.items():
        assert score.low - 0.1 <= score.value <= score.high + 0.1, name
        assert score.n == labels.size
    assert [row[0] for row in found.classes.rows] == list(LABELS)
    assert found.warnings == ()


def test_a_missing_prediction_is_wrong_on_every_label() -> None:
    pairs = without(made(), 3, 8)
    found = section(pairs)
    labels, prob = arrays(pairs)
    prob[[3, 8]] = 1 - labels[[3, 8]]
    assert found.scores["macro_auroc"].value == pytest.approx(sk.roc_auc_score(labels, prob))
    assert found.scores["micro_accuracy"].value == pytest.approx(((prob >= 0.5) == labels).mean())
    assert "2 of 40 cases have no predicted probabilities" in found.warnings[0]
    assert "c3, c8" in found.warnings[0]
    row = found.cases.rows[3]
    assert row[3:5] == ("missing", 18)
    assert row[found.cases.columns.index("prob_lung_nodule")] is None


@pytest.mark.parametrize("cut", [0.0, 1.0])
def test_no_threshold_makes_a_missing_prediction_right(cut: float) -> None:
    found = section(without(made(), 5), thresholds=np.full(18, cut))
    assert found.cases.rows[5][4] == 18


def test_a_prediction_that_is_only_a_report_counts_as_missing() -> None:
    pairs = made()
    said = (replace(pairs.predictions[0] or Predicted(case_id=""), prob=None, report="..."), *pairs.predictions[1:])
    assert section(replace(pairs, predictions=said)).cases.rows[0][3] == "missing"


def test_nothing_to_score_is_refused() -> None:
    pairs = made(4)
    with pytest.raises(DataError, match="none of the 4 cases has predicted probabilities"):
        section(without(pairs, 0, 1, 2, 3))
    with pytest.raises(DataError, match="none of the 0 cases"):
        section(Pairs(truths=(), predictions=()))


@pytest.mark.parametrize("value", [NAN, 1.5, -0.1])
def test_a_probability_outside_of_0_to_1_is_refused_with_its_case_and_label(value: float) -> None:
    pairs = made()
    bad = Predicted(case_id="c0", prob=(0.5, value, *[0.5] * 16))
    with pytest.raises(DataError, match=r"c0: prob .* of 'Arterial wall calcification' is not within 0..1"):
        section(replace(pairs, predictions=(bad, *pairs.predictions[1:])))


def test_unknown_labels_are_left_out_and_a_one_class_label_is_named() -> None:
    pairs = made()
    labels, prob = arrays(pairs)
    labels[:10, 0], labels[:, 5], labels[:, 6] = NAN, 0, NAN
    found = section(relabelled(pairs, labels))
    kept = [k for k in range(18) if k not in (5, 6)]
    areas = [sk.roc_auc_score(labels[~np.isnan(labels[:, k]), k], prob[~np.isnan(labels[:, k]), k]) for k in kept]
    assert found.scores["macro_auroc"].value == pytest.approx(np.mean(areas))
    assert found.scores["macro_auroc"].n == 40 * 17 - 10
    assert cell(found, "Medical material", "n") == 30
    assert isnan(cell(found, "Hiatal hernia", "auroc"))
    assert isnan(cell(found, "Lymphadenopathy", "prevalence"))
    named = [sentence for sentence in found.warnings if "Hiatal hernia, Lymphadenopathy" in sentence]
    assert any("auroc" in sentence and "over the other 16" in sentence for sentence in named)
    assert "50 cells with an unknown label" in found.notes[0]


def test_a_score_that_is_undefined_everywhere_is_nan_with_the_reason() -> None:
    pairs = made()
    found = section(relabelled(pairs, np.zeros((40, 18))))
    for name in ("macro_auroc", "micro_auroc", "weighted_f1", "crg", "macro_recall"):
        score = found.scores[name]
        assert isnan(score.value), name
        assert isnan(score.low)
        assert score.why, name
    assert found.scores["macro_specificity"].why == ""
    unknown = section(relabelled(pairs, np.full((40, 18), NAN)))
    assert {score.why for score in unknown.scores.values()} >= {"no label is known"}
    assert all(isnan(score.value) for score in unknown.scores.values())


def test_thresholds_come_from_the_predictions_else_one_half_unless_given() -> None:
    pairs = made()
    labels, prob = arrays(pairs)
    own = tuple(replace(p, threshold=(0.3,) * 18) if p and i % 2 else p for i, p in enumerate(pairs.predictions))
    cuts = np.where(np.arange(40) % 2, 0.3, 0.5)[:, None]
    theirs = replace(pairs, predictions=own)
    found = section(theirs)
    assert found.scores["micro_f1"].value == pytest.approx(sk.f1_score(labels, prob >= cuts, average="micro"))
    assert cell(found, "Emphysema", "threshold") is None
    given = section(theirs, thresholds=np.full(18, 0.7))
    assert given.scores["micro_f1"].value == pytest.approx(sk.f1_score(labels, prob >= 0.7, average="micro"))
    assert cell(given, "Emphysema", "threshold") == 0.7


def test_a_probability_at_its_threshold_is_present() -> None:
    pairs = made(4)
    at = tuple(Predicted(case_id=f"c{i}", prob=(0.5,) * 18) for i in range(4))
    assert section(replace(pairs, predictions=at)).scores["macro_recall"].value == 1.0


def test_thresholds_fitted_on_the_scored_cases_are_named_in_every_score_they_touch() -> None:
    found = section(made(), thresholds=np.full(18, 0.4), fitted_here=True)
    for name in ("macro_f1", "micro_accuracy", "weighted_recall", "crg"):
        assert name not in found.scores
        assert f"{name} ({OPTIMISTIC})" in found.scores
    assert {"macro_auroc", "brier"} <= set(found.scores)
    assert f"f1_low ({OPTIMISTIC})" in found.classes.columns
    assert "auroc_low" in found.classes.columns
    assert f"crg ({OPTIMISTIC})" in found.controls[0].scores
    assert "fitted on the scored cases" in found.notes[-1]
    assert "fitted on the scored cases" in found.warnings[-1]


def test_by_scan_probabilities_are_averaged_and_patients_keep_their_scans() -> None:
    pairs = made(40, scans=2)
    labels, prob = arrays(pairs)
    found = section(pairs, unit="scan")
    mean = (prob[::2] + prob[1::2]) / 2
    assert found.scores["macro_auroc"].value == pytest.approx(sk.roc_auc_score(labels[::2], mean))
    rows = {(row[1], row[2]) for row in found.cases.rows}
    assert rows == {(f"p{i}", f"s{i}") for i in range(20)}
    assert found.notes[0].startswith("A case is a scan: 20 of 20 patients")
    assert section(pairs).scores["macro_auroc"].n == 2 * found.scores["macro_auroc"].n


def test_a_scan_whose_reconstructions_disagree_is_unknown_and_said_so() -> None:
    pairs = made(40, scans=2)
    labels = pairs.labels
    labels[0, 2] = 1 - labels[1, 2]
    found = section(relabelled(pairs, labels), unit="scan")
    assert cell(found, "Cardiomegaly", "n") == 19
    assert "In 1 cells the reconstructions of one scan have different reference labels" in found.warnings[0]


def test_vlm3d_gives_its_own_scores_whatever_the_unit() -> None:
    pairs = made(40, scans=2)
    labels, prob = arrays(pairs)
    labels[:, 5] = 0
    prob[:, 5] = 0.1
    said = tuple(Predicted(case_id=f"c{i}", prob=tuple(row), threshold=(0.2,) * 18) for i, row in enumerate(prob))
    found = section(replace(relabelled(pairs, labels), predictions=said), protocol="vlm3d", unit="scan")
    theirs = vlm3d_scores(labels, prob)
    for name, value in theirs["classification"]["macro"].items():
        assert found.scores[f"macro_{name}"].value == pytest.approx(value), name
    assert found.scores["crg"].value == pytest.approx(theirs["crg"]["CRG"])
    assert cell(found, "Hiatal hernia", "f1") == 0.0
    assert isnan(cell(found, "Hiatal hernia", "auroc"))
    assert len(found.cases.rows) == 40
    assert "VLM3D" in found.notes[1]


def test_wrong_options_are_refused() -> None:
    pairs = made(8)
    with pytest.raises(ValueError, match=r"decides at 0\.5"):
        section(pairs, protocol="vlm3d", thresholds=np.full(18, 0.4))
    with pytest.raises(ValueError, match="protocol 'vlm'"):
        section(pairs, protocol="vlm")
    with pytest.raises(ValueError, match="unit 'patient'"):
        section(pairs, unit="patient")
    with pytest.raises(ValueError, match="17 thresholds"):
        section(pairs, thresholds=np.full(17, 0.4))
    with pytest.raises(ValueError, match="not all within"):
        section(pairs, thresholds=np.full(18, 1.4))


def test_a_skilled_system_passes_the_controls() -> None:
    found = section(made(200, skill=0.6), resamples=100)
    shuffled, prevalence = found.controls
    assert (shuffled.name, prevalence.name) == ("shuffled rows", "prevalence")
    assert shuffled.scores["macro_auroc"].value == pytest.approx(0.5, abs=0.05)
    assert prevalence.scores["macro_auroc"].value == 0.5
    assert not any("control" in sentence for sentence in found.warnings)


def test_a_system_that_never_looked_is_flagged_in_words() -> None:
    found = section(made(200, skill=0.0, seed=3), resamples=100)
    flagged = [
        sentence for sentence in found.warnings if "does not show that the system looked at the scan" in sentence
    ]
    assert any(sentence.startswith("macro_auroc") for sentence in flagged)
    assert any(sentence.startswith("crg") for sentence in flagged)


def test_predictions_that_are_another_patients_score_like_the_shuffled_control() -> None:
    pairs = made(200, skill=0.6)
    moved = replace(pairs, predictions=pairs.predictions[6:] + pairs.predictions[:6])
    found = section(moved, resamples=100)
    assert any(s.startswith("macro_auroc") and "shuffled rows control" in s for s in found.warnings)


def test_naming_the_commonest_labels_is_a_floor_above_one_third() -> None:
    pairs = made(400)
    share = np.linspace(0.02, 0.5, 18)
    labels = (np.random.default_rng(0).random((400, 18)) < share).astype(float)
    crg = {control.name: control.scores["crg"].value for control in section(relabelled(pairs, labels)).controls}
    assert crg["prevalence"] > 0.4
    assert crg["shuffled rows"] == pytest.approx(1 / 3, abs=0.02)


def test_one_patient_has_scores_without_intervals_and_no_shuffled_control() -> None:
    pairs = made(4)
    alone = replace(pairs, truths=tuple(replace(t, patient="p") for t in pairs.truths))
    found = section(alone)
    assert not isnan(found.scores["macro_auroc"].value)
    assert isnan(found.scores["macro_auroc"].low)
    assert [control.name for control in found.controls] == ["prevalence"]
    assert any("no intervals" in note for note in found.notes)


def test_one_case_can_be_scored() -> None:
    pairs = made(40)
    one = Pairs(truths=pairs.truths[:1], predictions=pairs.predictions[:1])
    found = section(one)
    assert isnan(found.scores["macro_auroc"].value)
    assert found.scores["micro_accuracy"].n == 18


def test_curves_are_those_of_sklearn() -> None:
    pairs = made()
    labels, prob = arrays(pairs)
    labels[:, 5] = 0
    drawn = section(relabelled(pairs, labels)).curves
    fpr, tpr, _ = sk.roc_curve(labels[:, 0], prob[:, 0], drop_intermediate=False)
    np.testing.assert_allclose(drawn["roc"][LABELS[0]], [fpr, tpr])
    precision, recall, _ = sk.precision_recall_curve(labels[:, 0], prob[:, 0])
    np.testing.assert_allclose(drawn["pr"][LABELS[0]], [recall[:-1][::-1], precision[:-1][::-1]])
    assert LABELS[5] not in drawn["roc"]
    assert drawn["prevalence"][LABELS[5]] == 0
    np.testing.assert_array_equal(drawn["cooccurrence"]["truth"], labels.T @ labels)
    assert np.diag(drawn["cooccurrence"]["predicted"]).tolist() == (prob >= 0.5).sum(0).tolist()
    assert drawn["reliability"][LABELS[0]][2].sum() == 40


def test_the_case_table_counts_what_was_decided_wrongly() -> None:
    pairs = made()
    labels, prob = arrays(pairs)
    labels[1, 4] = NAN
    found = section(relabelled(pairs, labels))
    assert found.cases.columns[:5] == ("case_id", "patient", "scan", "status", "wrong")
    wrong = (~np.isnan(labels) & ((prob >= 0.5) != (labels == 1))).sum(1)
    assert [row[4] for row in found.cases.rows] == wrong.tolist()
    assert found.cases.rows[1][found.cases.columns.index("label_coronary_artery_wall_calcification")] is None


def test_the_same_seed_gives_the_same_intervals() -> None:
    assert section(made(), seed=4).scores == section(made(), seed=4).scores
    assert section(made(), seed=4).scores["brier"].low != section(made(), seed=5).scores["brier"].low


@pytest.mark.slow
def test_a_thousand_resamples_of_three_thousand_cases_take_seconds() -> None:
    pairs = made(3000, skill=0.3)
    start = time.process_time()
    section(pairs, resamples=1000)
    assert time.process_time() - start < 20


def test_a_scan_is_cut_at_the_threshold_its_reconstructions_share_to_the_last_digit() -> None:
    pairs = made(n=36, scans=3)
    cut = replace(pairs, predictions=tuple(p and replace(p, threshold=(0.1,) * 18) for p in pairs.predictions))
    assert cell(section(cut, unit="scan"), LABELS[0], "threshold") == 0.1  # (0.1 + 0.1 + 0.1) / 3 is not 0.1


def test_a_missing_reconstruction_has_no_say_in_the_threshold() -> None:
    pairs = made(n=36, scans=3)
    cut = replace(pairs, predictions=tuple(p and replace(p, threshold=(0.2,) * 18) for p in pairs.predictions))
    for unit in ("scan", "reconstruction"):
        found = section(without(cut, 0, 3, 4, 5), unit=unit)
        assert cell(found, LABELS[0], "threshold") == 0.2
    torn = gather(without(cut, 0), thresholds=None, unit="scan")
    np.testing.assert_array_equal(torn.decided, torn.prob >= 0.2)


@pytest.mark.parametrize("interval", ["percentile", "bca"])
def test_an_ece_lies_inside_its_interval_though_resamples_exaggerate_it(interval: str) -> None:
    rng = np.random.default_rng(4)
    prob = rng.random((400, 18))
    pairs = made(400)
    pairs = relabelled(pairs, (rng.random(prob.shape) < prob).astype(float))  # calibrated: all of the ECE is chance
    said = (replace(p, prob=tuple(row)) for p, row in zip(pairs.predictions, prob.tolist(), strict=True) if p)
    found = section(replace(pairs, predictions=tuple(said)), resamples=100, interval=interval)
    for name in ("ece", "ece_equal_mass"):
        score = found.scores[name]
        assert 0 <= score.low < score.value < score.high, name
        for label in LABELS:
            low, value, high = (cell(found, label, f"{name}{end}") for end in ("_low", "", "_high"))
            assert 0 <= low < value < high, label
    assert any("too high" in note for note in found.notes)
