"""CRG and the VLM3D challenge's scores."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from rect_core.findings import LABELS
from rect_eval.classification import vlm3d_scores
from rect_eval.classification.crg import crg, crg_of_counts

counts = st.integers(0, 10_000)


def of(tp: int, fn: int, fp: int, tn: int) -> float:
    return float(crg_of_counts(*(np.array(float(x)) for x in (tp, fn, fp, tn))))


@given(counts, counts, counts, counts)
def test_crg_is_one_over_three_minus_two_youden(tp: int, fn: int, fp: int, tn: int) -> None:
    found = of(tp, fn, fp, tn)
    if tp + fn == 0 or fp + tn == 0:
        assert np.isnan(found)
    else:
        youden = tp / (tp + fn) - fp / (fp + tn)
        assert found == pytest.approx(1 / (3 - 2 * youden), abs=1e-9)
        assert 0.2 - 1e-9 <= found <= 1 + 1e-9


def test_crg_of_knowing_nothing_is_a_third_whichever_way() -> None:
    labels = (np.random.default_rng(0).random((4000, 18)) < 0.18).astype(float)
    nothing = np.zeros(labels.shape, np.bool_)
    assert crg(labels, nothing) == pytest.approx(1 / 3)
    assert crg(labels, ~nothing) == pytest.approx(1 / 3)
    assert crg(labels, np.random.default_rng(1).random(labels.shape) < 0.4) == pytest.approx(1 / 3, abs=0.01)
    assert crg(labels, labels == 1) == 1.0
    assert crg(labels, labels == 0) == pytest.approx(1 / 5)


def test_crg_leaves_unknown_cells_out() -> None:
    labels = np.array([[1.0, 0.0, float("nan")], [0.0, 1.0, float("nan")]])
    decided = np.array([[True, False, True], [True, True, True]])
    assert crg(labels, decided) == crg(labels[:, :2], decided[:, :2])
    assert np.isnan(crg(np.full((2, 3), np.nan), decided))


def test_a_constant_report_of_the_eight_commonest_labels_scores_two_fifths() -> None:
    prevalence = [0.090, 0.264, 0.104, 0.067, 0.225, 0.126, 0.217, 0.193, 0.228]
    prevalence += [0.435, 0.387, 0.259, 0.105, 0.080, 0.103, 0.176, 0.102, 0.075]
    share = np.array(prevalence)
    named = np.argsort(-share)[:8]
    tp, fp = 1000 * share[named].sum(), 1000 * (1 - share[named]).sum()
    found = crg_of_counts(*(np.array(x) for x in (tp, 1000 * share.sum() - tp, fp, 1000 * (1 - share).sum() - fp)))
    assert float(found) == pytest.approx(0.41, abs=0.005)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 18)) < rng.uniform(0.02, 0.5, 18)).astype(float)
    labels[:, 3], labels[:, 7] = 0, 1
    prob = np.round(np.clip(0.4 * labels + rng.normal(0.3, 0.2, labels.shape), 0, 1), 1)
    prob[:, 5] = 0.1
    return labels, prob


@pytest.mark.parametrize("seed", range(5))
def test_vlm3d_scores_follow_its_rules(seed: int) -> None:
    labels, prob = random_case(seed)
    decided = (prob >= 0.5).astype(int)  # 0.5 itself is present
    found = vlm3d_scores(labels, prob)
    rows = found["classification"]["per_pathology"]
    assert [row["name"] for row in rows] == list(LABELS)
    for k, row in enumerate(rows):
        assert row["precision"] == pytest.approx(sk.precision_score(labels[:, k], decided[:, k], zero_division=0))
        assert row["recall"] == pytest.approx(sk.recall_score(labels[:, k], decided[:, k], zero_division=0))
        assert row["f1"] == pytest.approx(sk.f1_score(labels[:, k], decided[:, k], zero_division=0))
        assert row["accuracy"] == pytest.approx(sk.accuracy_score(labels[:, k], decided[:, k]))
        if len(np.unique(labels[:, k])) == 2:
            assert row["auroc"] == pytest.approx(sk.roc_auc_score(labels[:, k], prob[:, k]))
        else:
            assert row["auroc"] is None
    macro = found["classification"]["macro"]
    for name in ("precision", "recall", "f1", "accuracy"):
        assert macro[name] == pytest.approx(np.mean([row[name] for row in rows]))
    assert macro["auroc"] == pytest.approx(np.mean([row["auroc"] for row in rows if row["auroc"] is not None]))
    assert rows[5]["precision"] == rows[3]["recall"] == 0.0  # never called; never there
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_vlm3d_crg_keeps_every_step_of_its_formula() -> None:
    labels, prob = random_case(0)
    part = vlm3d_scores(labels, prob)["crg"]
    assert set(part) == {"TP", "FN", "FP", "X", "A", "r", "U", "score_s", "CRG"}
    assert part["X"] == labels.size
    assert part["A"] == part["TP"] + part["FN"] == labels.sum()
    assert part["CRG"] == pytest.approx(crg(labels, prob >= 0.5))


def test_vlm3d_scores_refuse_what_the_challenge_refuses() -> None:
    labels, prob = random_case(0)
    with pytest.raises(ValueError, match="needs a positive label"):
        vlm3d_scores(np.zeros_like(labels), prob)
    labels[0, 0] = np.nan
    with pytest.raises(ValueError, match="1 cells are"):
        vlm3d_scores(labels, prob)
    with pytest.raises(ValueError, match="18 labels, not 3"):
        vlm3d_scores(labels[:, :3], prob[:, :3])


def test_vlm3d_calls_a_truth_without_negatives_zero_where_we_call_it_undefined() -> None:
    full = np.ones((2, 18))
    assert vlm3d_scores(full, full)["crg"]["CRG"] == 0.0
    assert np.isnan(crg(full, full == 1))
