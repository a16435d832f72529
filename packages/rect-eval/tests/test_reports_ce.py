"""Labels read off reports, and the reports that look at no scan."""

from collections.abc import Sequence
from math import nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import precision_recall_fscore_support

from rect_core.findings import LABELS
from rect_eval import label
from rect_eval.reports import rules_reader
from rect_eval.reports.ce import CE_SCORES, Efficacy, per_report, read_labels
from rect_eval.reports.constant import ABSENT, PRESENT, all_normal, common_labels, report_of

K = len(LABELS)
PREVALENCE = np.array(
    [
        0.09,
        0.264,
        0.104,
        0.067,
        0.225,
        0.126,
        0.217,
        0.193,
        0.228,
        0.435,
        0.387,
        0.259,
        0.105,
        0.08,
        0.103,
        0.176,
        0.102,
        0.075,
    ]
)
"""Of the 18 labels in CT-RATE's reports."""
CELLS = st.integers(1, 8).flatmap(lambda n: st.tuples(*[arrays(np.bool_, (n, K))] * 2))


def _whole(labels: np.ndarray, decided: np.ndarray, undefined: float = nan) -> dict[str, float]:
    failed = np.zeros(len(labels), np.bool_)
    scores = Efficacy(labels.astype(float), decided, failed, undefined).whole(np.ones((1, len(labels))))[0]
    return dict(zip(CE_SCORES, scores.tolist(), strict=True))


@settings(max_examples=30)  # scikit-learn takes its time
@given(CELLS)
def test_scores_are_those_of_scikit_learn(cells: tuple[np.ndarray, np.ndarray]) -> None:
    labels, decided = cells
    found = _whole(labels, decided, undefined=0.0)
    for mean in ("macro", "micro"):
        theirs = precision_recall_fscore_support(labels, decided, average=mean, zero_division=0.0)[:3]
        assert [found[f"ce_{s}_{mean}"] for s in ("precision", "recall", "f1")] == pytest.approx(theirs, abs=1e-6)
    each = [
        precision_recall_fscore_support(a, b, average="binary", zero_division=1.0)[2]
        for a, b in zip(labels, decided, strict=True)
    ]
    assert found["ce_f1_per_report"] == pytest.approx(np.mean(each), abs=1e-6)


@given(CELLS)
def test_crg_is_one_over_three_minus_twice_youden(cells: tuple[np.ndarray, np.ndarray]) -> None:
    labels, decided = cells
    crg = _whole(labels, decided)["crg"]
    if labels.all() or not labels.any():
        assert np.isnan(crg)
    else:
        youden = decided[labels].mean() - decided[~labels].mean()
        assert crg == pytest.approx(1 / (3 - 2 * youden), abs=1e-9)


def test_a_label_that_nobody_states_is_undefined_and_left_out_of_the_mean() -> None:
    labels, decided = np.zeros((2, K), np.bool_), np.zeros((2, K), np.bool_)
    labels[0, 0] = decided[0, 0] = decided[0, 1] = True
    found = _whole(labels, decided)
    assert found["ce_f1_macro"] == pytest.approx((1 + 0) / 2)
    assert found["ce_precision_macro"] == pytest.approx((1 + 0) / 2)
    assert found["ce_recall_macro"] == pytest.approx(1.0)
    assert _whole(labels, decided, undefined=0.0)["ce_f1_macro"] == pytest.approx(1 / K)


def test_two_sides_that_state_nothing_agree_within_a_report_only() -> None:
    nothing = np.zeros((1, K), np.bool_)
    found = _whole(nothing, nothing)
    assert found["ce_f1_per_report"] == 1.0
    assert np.isnan([found[name] for name in CE_SCORES if name != "ce_f1_per_report"]).all()


def test_a_missing_report_is_no_agreement_with_a_reference_that_states_nothing() -> None:
    nothing = np.zeros((1, K))
    found = Efficacy(nothing, nothing > 0, np.array([True])).whole(np.ones((1, 1)))[0]
    assert found[CE_SCORES.index("ce_f1_per_report")] == 0.0


def test_unknown_cells_and_reports_without_a_known_cell_count_for_nothing() -> None:
    labels = np.full((3, K), nan)
    labels[0, :2], labels[1, 0] = (1.0, 0.0), 1.0
    decided = np.ones((3, K), np.bool_)
    found = dict(
        zip(CE_SCORES, Efficacy(labels, decided, np.zeros(3, np.bool_)).whole(np.ones((1, 3)))[0], strict=True)
    )
    assert found["ce_precision_micro"] == pytest.approx(2 / 3)
    assert found["ce_f1_per_report"] == pytest.approx((2 / 3 + 1) / 2)
    assert np.isnan(per_report(labels, decided)[2]).all()


def test_weights_are_resampled_cases() -> None:
    rng = np.random.default_rng(0)
    labels, decided = (rng.random((5, K)) < 0.3).astype(float), rng.random((5, K)) < 0.3
    rows = np.array([0, 0, 3, 4, 4])
    weights = np.bincount(rows, minlength=5)[None].astype(float)
    whole = Efficacy(labels, decided, np.zeros(5, np.bool_)).whole(weights)
    again = Efficacy(labels[rows], decided[rows], np.zeros(5, np.bool_)).whole(np.ones((1, 5)))
    np.testing.assert_allclose(whole, again)


def test_an_empty_report_states_nothing_and_is_not_shown_to_the_labeler() -> None:
    shown: list[str] = []

    def everything(texts: Sequence[str]) -> np.ndarray:
        shown.extend(texts)
        return np.ones((len(texts), K), np.bool_)

    assert read_labels(everything, ["", "a", "a", ""]).sum(1).tolist() == [0, K, K, 0]
    assert shown == ["a"]
    assert not read_labels(everything, ["", ""]).any()


def test_a_labeler_with_other_labels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 14\) answers for 1 reports of 18 labels"):
        read_labels(lambda texts: np.zeros((len(texts), 14), np.bool_), ["a"])


@pytest.mark.parametrize("name", LABELS)
def test_the_sentences_of_the_constant_reports_say_one_label_each(name: str) -> None:
    stated, denied = label(PRESENT[name]).states, label(ABSENT[name]).states
    assert [x for x in LABELS if stated[x] != "not mentioned"] == [name]
    assert (stated[name], denied[name]) == ("present", "absent")
    assert [x for x in LABELS if denied[x] not in ("not mentioned", "absent")] == []


def test_the_labeler_reads_the_constant_reports_as_they_are_meant() -> None:
    assert set(label(all_normal()).states.values()) == {"absent"}
    assert set(label(report_of(LABELS)).states.values()) == {"present"}
    some = ("Cardiomegaly", "Lung nodule", "Bronchiectasis")
    assert [x for x, there in zip(LABELS, rules_reader([report_of(some)])[0], strict=True) if there] == list(some)


def test_the_prevalence_report_of_ct_rate_names_the_eight_commonest_labels_and_scores_a_crg_of_41() -> None:
    labels = (np.arange(1000)[:, None] < 1000 * PREVALENCE).astype(float)
    common = common_labels(labels)
    assert common == tuple(LABELS[k] for k in sorted(np.argsort(-PREVALENCE)[:8]))
    decided = np.tile([x in common for x in LABELS], (1000, 1))
    assert _whole(labels > 0, decided)["crg"] == pytest.approx(0.41, abs=0.005)


def test_no_label_is_common_where_none_occurs_or_is_known() -> None:
    assert common_labels(np.zeros((3, K))) == ()
    assert common_labels(np.full((3, K), nan)) == ()
