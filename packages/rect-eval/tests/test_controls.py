"""Another patient's prediction, and the words for a score that it reaches."""

from math import nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rect_eval.controls import flag, mismatch
from rect_eval.scores import Score


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40).filter(lambda p: len(set(p)) > 1), st.integers(0, 99))
def test_nobody_gets_a_prediction_of_the_same_patient(names: list[int], seed: int) -> None:
    patients = np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
    rows = mismatch(patients, seed=seed)
    assert rows.shape == (5, len(names))
    assert (patients[rows] != patients).all()


def test_each_patient_gives_to_one_other() -> None:
    for row in mismatch(np.arange(30), seed=1):
        assert sorted(row) == list(range(30))


def test_reconstructions_are_handed_out_in_turn() -> None:
    (row,) = mismatch(np.array([0, 0, 0, 1, 1]), seed=0, times=1)
    assert row.tolist() == [3, 4, 3, 0, 1]


def test_permutations_differ_and_a_seed_repeats_them() -> None:
    rows = mismatch(np.arange(50), seed=4)
    assert len({tuple(row) for row in rows.tolist()}) == 5
    np.testing.assert_array_equal(rows, mismatch(np.arange(50), seed=4))


def test_one_patient_has_no_mismatched_control() -> None:
    with pytest.raises(ValueError, match="1 patient: the mismatched control needs"):
        mismatch(np.zeros(4, np.int64), seed=0)


def test_a_score_above_its_control_is_left_alone() -> None:
    assert flag("ce_f1", Score(value=0.5, low=0.45, high=0.55), "mismatched scan", Score(value=0.3)) == ""


def test_a_score_whose_interval_the_control_reaches_is_called_so() -> None:
    said = flag("crg", Score(value=0.350, low=0.34, high=0.36), "mismatched scan", Score(value=0.349))
    assert said.startswith("crg 0.350 (95 % interval 0.340 to 0.360) is not distinguishable from the mismatched scan")
    assert "does not show that the system looked at the scan" in said


def test_less_is_better_for_errors() -> None:
    better, worse = Score(value=0.1, low=0.05, high=0.15), Score(value=0.4)
    assert flag("macro_brier", better, "shuffled rows", worse) == ""
    assert flag("macro_brier", worse, "shuffled rows", better) != ""


def test_what_is_undefined_is_not_compared() -> None:
    assert flag("meteor", Score(value=nan), "mismatched scan", Score(value=0.2)) == ""
    assert flag("meteor", Score(value=0.2), "mismatched scan", Score(value=nan)) == ""
