"""References and predictions matched by name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rect_core.errors import DataError
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.io import match


def matched(truth: list[str], predictions: list[str], *, allow_missing: bool = False) -> Pairs:
    references = {name: Truth(case_id=name, patient=name, scan=name) for name in truth}
    given = {name: Predicted(case_id=name, report=name) for name in predictions}
    return match(references, given, allow_missing=allow_missing)


def partners(pairs: Pairs) -> dict[str, str | None]:
    return {t.case_id: p and p.case_id for t, p in zip(pairs.truths, pairs.predictions, strict=True)}


def test_pairs_stand_in_the_order_of_the_truth_and_extra_ones_are_named() -> None:
    pairs = matched(["b", "a"], ["z", "a", "c", "b"])
    assert list(partners(pairs).items()) == [("b", "b"), ("a", "a")]
    assert (pairs.extra, pairs.missing) == (("c", "z"), ())


def test_missing_predictions_are_listed_up_to_ten_and_counted() -> None:
    names = [f"case_{n:02}" for n in range(14)]
    with pytest.raises(DataError, match=r"12 of 14 cases .*case_02, .*case_11 and 2 more: .*--allow-missing"):
        matched(names, names[:2])


def test_allowed_missing_predictions_are_none() -> None:
    pairs = matched(["a", "b"], ["a"], allow_missing=True)
    assert (partners(pairs), pairs.missing) == ({"a": "a", "b": None}, ("b",))


@pytest.mark.parametrize("allow_missing", [True, False])
def test_no_overlap_at_all_shows_a_name_of_each_side(allow_missing: bool) -> None:
    with pytest.raises(DataError, match=r"'valid_1_a'.*'valid_1_a_1'"):
        matched(["valid_1_a_1"], ["valid_1_a"], allow_missing=allow_missing)
    with pytest.raises(DataError, match="nothing"):
        matched(["a"], [], allow_missing=allow_missing)


def test_names_without_a_partner_match_without_their_last_suffix() -> None:
    assert partners(matched(["a", "b.npy", "c.d"], ["a.npz", "b", "c.d.nii.gz"])) == {
        "a": "a.npz",
        "b.npy": "b",
        "c.d": "c.d.nii.gz",
    }


def test_an_exact_name_goes_before_one_without_its_suffix() -> None:
    pairs = matched(["a", "a.npz"], ["a.npz", "a"])
    assert partners(pairs) == {"a": "a", "a.npz": "a.npz"}


def test_a_suffix_is_not_dropped_where_that_leaves_a_choice() -> None:
    with pytest.raises(DataError, match="1 of 2"):
        matched(["a", "b"], ["a.npz", "a.mat", "b"])


def test_the_last_part_of_a_dotted_number_is_no_suffix() -> None:
    with pytest.raises(DataError, match="1 of 2"):
        matched(["1.2.840", "x"], ["1.2.840.7", "x"])


@given(st.sets(st.text("ab.1", min_size=1, max_size=4), min_size=1), st.sets(st.text("ab.1", min_size=1, max_size=4)))
def test_every_reference_is_paired_at_most_once_and_nothing_is_lost(truth: set[str], names: set[str]) -> None:
    try:
        pairs = matched(sorted(truth), sorted(names), allow_missing=True)
    except DataError:
        assert not truth & names
        return
    used = [name for name in partners(pairs).values() if name is not None]
    assert len(used) == len(set(used))
    assert set(used) | set(pairs.extra) == names
    assert all(partners(pairs)[name] == name for name in truth & names)


def test_two_suffixes_that_no_scan_has_tell_two_cases_apart() -> None:
    with pytest.raises(DataError, match=r"1 of 2 cases have no prediction: p1\.ct1"):
        matched(["p1.ct1", "x"], ["p1.ct2", "x"])
