"""Steps that must not be taken."""

import math

import pytest

from rect_train.guard import Guard, RunError


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_what_is_not_finite_is_skipped_and_moves_no_mean(loss: float, norm: float) -> None:
    guard = Guard(spike=3.0, most=5)
    assert guard.judge(1.0, 1.0) == ""
    assert guard.judge(loss, norm)
    assert (guard.mean, guard.skips) == (1.0, 1)
    assert guard.judge(1.0, 1.0) == ""
    assert guard.skips == 0


def test_a_loss_far_above_the_mean_is_a_spike() -> None:
    guard = Guard(spike=3.0, most=5)
    assert guard.judge(100.0, 1.0) == "", "the first loss is the mean"
    assert guard.judge(299.0, 1.0) == ""
    assert "3.1 times its running mean" in guard.judge(3.1 * guard.mean, 1.0)


def test_too_many_skips_in_a_row_end_the_run() -> None:
    guard = Guard(spike=3.0, most=2)
    for _ in range(2):
        guard.judge(math.nan, 1.0)
        guard.check()
    guard.judge(math.nan, 1.0)
    with pytest.raises(RunError, match=r"3 steps in a row were skipped: lower optim\.lr"):
        guard.check()


def test_a_guard_goes_on_at_its_state() -> None:
    guard, other = Guard(spike=3.0, most=2), Guard(spike=3.0, most=2)
    assert guard.state_dict() == {"mean": None, "skips": 0}
    for loss in (0.1, 0.7, 5.0):
        guard.judge(loss, 1.0)
    other.load_state_dict(guard.state_dict())
    assert other == guard
