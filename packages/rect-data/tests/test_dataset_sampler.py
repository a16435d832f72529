"""The order of an epoch: the same after a resume, shared evenly, made of the cases that a task can use."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rect_core.errors import DataError
from rect_core.findings import LABELS, label_index
from rect_core.types import ManifestRow, Reasoning
from rect_data.dataset import CaseSampler, Draw, balance_weights, eligible


def row(name: str, *, split: str = "train", positive: Sequence[str] = (), known: bool = True) -> ManifestRow:
    labels = tuple(float(label in positive) if known else float("nan") for label in LABELS)
    return ManifestRow(
        case_id=name, volume="v", patient=name, scan=name, split=split, spacing_mm=(1.0, 1.0, 1.0), labels=labels
    )


def rows(count: int) -> list[ManifestRow]:
    return [row(f"case{i}") for i in range(count)]


def consume(sampler: CaseSampler, count: int) -> list[Draw]:
    """So many draws of a process, over as many epochs as that takes."""
    drawn: list[Draw] = []
    while len(drawn) < count:
        for draw in sampler:
            drawn.append(draw)
            sampler.advance(1)
            if len(drawn) == count:
                break
    return drawn


def test_an_epoch_draws_every_case_once_and_the_next_in_another_order() -> None:
    sampler = CaseSampler(rows(20), seed=1)
    first, second = consume(sampler, 20), consume(sampler, 20)
    assert sorted(draw.row for draw in first) == sorted(draw.row for draw in second) == list(range(20))
    assert [draw.row for draw in first] != [draw.row for draw in second]
    assert {draw.epoch for draw in first} == {0}
    assert {draw.epoch for draw in second} == {1}


def test_the_order_is_pinned_so_that_no_release_changes_a_running_experiment() -> None:
    assert [draw.row for draw in CaseSampler(rows(8), seed=3)] == [0, 4, 7, 1, 5, 6, 3, 2]


@given(
    count=st.integers(1, 30),
    world=st.integers(1, 7),
    stop=st.integers(0, 60),
    seed=st.integers(0, 5),
    new=st.booleans(),
)
def test_resuming_anywhere_goes_on_as_if_nothing_had_happened(
    count: int, world: int, stop: int, seed: int, new: bool
) -> None:
    total, mine = 70, rows(count)
    whole = consume(CaseSampler(mine, seed=seed, rank=0, world=world), total)
    before = CaseSampler(mine, seed=seed, rank=0, world=world)
    began = consume(before, stop)
    after = CaseSampler(mine, seed=seed, rank=0, world=world) if new else before
    after.load_state_dict(json.loads(json.dumps(before.state_dict())))
    assert began + consume(after, total - stop) == whole


@given(count=st.integers(1, 40), world=st.integers(1, 9))
def test_ranks_draw_equally_many_and_together_everything(count: int, world: int) -> None:
    shares = [list(CaseSampler(rows(count), seed=2, rank=rank, world=world)) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    assert {len(CaseSampler(rows(count), rank=rank, world=world)) for rank in range(world)} == {len(shares[0])}
    drawn = Counter(draw.row for share in shares for draw in share)
    assert set(drawn) == set(range(count))
    assert sum(draw.repeat == 0 for share in shares for draw in share) == count, "every case is new exactly once"
    assert len({draw for share in shares for draw in share}) == sum(drawn.values()), "a repeated draw is told apart"


@given(count=st.integers(1, 40), world=st.integers(1, 5), batch=st.integers(1, 4), weighted=st.booleans())
def test_the_batches_of_all_ranks_are_those_of_one_process(count: int, world: int, batch: int, weighted: bool) -> None:
    weights = np.arange(1.0, count + 1) if weighted else None

    def batches(rank: int, world: int, size: int) -> list[list[Draw]]:
        """Two epochs; without what pads the ranks."""
        sampler, found = CaseSampler(rows(count), seed=3, rank=rank, world=world, weights=weights), []
        for _ in range(2):
            drawn = list(sampler)
            for at in range(0, len(drawn), size):
                mine = drawn[at : at + size]
                found.append(mine[: sampler.fresh(len(mine))])
                sampler.advance(len(mine))
        return found

    shares = [batches(rank, world, batch) for rank in range(world)]
    together = [sorted(draw for drawn in each for draw in drawn) for each in zip(*shares, strict=True)]
    assert together == [sorted(each) for each in batches(0, 1, world * batch)]


def test_a_state_may_be_resumed_with_another_number_of_processes() -> None:
    two = [CaseSampler(rows(17), seed=4, rank=rank, world=2) for rank in range(2)]
    seen = {draw.row for sampler in two for draw in consume(sampler, 4)}
    three = [CaseSampler(rows(17), seed=4, rank=rank, world=3) for rank in range(3)]
    for sampler in three:
        sampler.load_state_dict(two[0].state_dict())
    rest = [draw for sampler in three for draw in sampler]
    assert {draw.row for draw in rest if not draw.repeat} == set(range(17)) - seen
    assert len(rest) == 9


def test_iterating_does_not_move_the_position_so_that_fetching_ahead_loses_nothing() -> None:
    sampler = CaseSampler(rows(10), seed=5)
    whole = list(sampler)
    assert list(sampler) == whole
    sampler.advance(3)
    assert list(sampler) == whole[3:]
    assert len(sampler) == 7


def test_a_state_taken_behind_the_last_case_begins_the_next_epoch() -> None:
    sampler = CaseSampler(rows(5), rank=1, world=2)
    sampler.advance(3)
    assert sampler.state_dict()["epoch"] == 1
    assert sampler.state_dict()["position"] == 0


def test_a_state_of_another_run_is_refused_in_one_line() -> None:
    sampler = CaseSampler(rows(9), seed=1)
    state = sampler.state_dict()
    weights = np.ones(9)
    for other in (
        CaseSampler(rows(8), seed=1),
        CaseSampler([*rows(8), row("other")], seed=1),
        CaseSampler(rows(9), seed=2),
        CaseSampler(rows(9), seed=1, weights=weights),
        CaseSampler(rows(9), seed=1, shuffle=False),
    ):
        with pytest.raises(DataError, match=r"^sampler state .*begin anew$"):
            other.load_state_dict(state)
    with pytest.raises(DataError, match="is at 9 of 9"):
        sampler.load_state_dict({**state, "position": 9})
    with pytest.raises(DataError, match="keys"):
        sampler.load_state_dict({"epoch": 0})


def test_without_shuffling_the_order_is_the_manifests() -> None:
    assert [draw.row for draw in CaseSampler(rows(6), shuffle=False)] == list(range(6))


def test_each_task_draws_only_what_it_can_learn_from() -> None:
    reason = Reasoning(steps=(), conclusion="none")
    mine = [
        row("nothing", known=False),
        row("labels"),
        replace(row("masks", known=False), lesions={"lung_nodule": "x"}),
        replace(row("words", known=False), report="Clear lungs."),
        replace(row("blank", known=False), report=" \n"),
        replace(row("thought", known=False), reasoning=reason),
        replace(row("bad"), exclusion="head CT", report="x", lesions={"lung_nodule": "x"}, reasoning=reason),
        replace(row("one", known=False), labels=(1.0,) + (float("nan"),) * 17),
    ]
    assert eligible(mine) == [0, 1, 2, 3, 4, 5, 7]
    assert eligible(mine, "classification") == [1, 7]
    assert eligible(mine, "localization") == [2]
    assert eligible(mine, "report") == [3]
    assert eligible(mine, "reasoning") == [5]
    assert {draw.row for draw in CaseSampler(mine, task="classification")} == {1, 7}


def test_no_case_for_a_task_says_what_is_missing() -> None:
    with pytest.raises(
        DataError, match=r"none of 3 cases in split 'train' has reasoning, which task 'reasoning' needs"
    ):
        CaseSampler(rows(3), task="reasoning", split="train")
    with pytest.raises(DataError, match=r"none of 3 cases in split 'tset'.*splits here: train"):
        CaseSampler(rows(3), split="tset")
    with pytest.raises(DataError, match="none of 0 cases"):
        CaseSampler([])


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(0, 4))
def test_weights_draw_each_case_its_share_rounded_up_or_down(weights: list[float], seed: int) -> None:
    if sum(weights) <= 1e-6:
        return
    drawn = Counter(draw.row for draw in CaseSampler(rows(len(weights)), seed=seed, weights=np.array(weights)))
    share = np.array(weights) / sum(weights) * len(weights)
    assert sum(drawn.values()) == len(weights)
    assert all(np.floor(s - 1e-9) <= drawn[i] <= np.ceil(s + 1e-9) for i, s in enumerate(share))
    assert all(weights[i] > 0 for i in drawn)


def test_weights_that_mean_nothing_are_refused() -> None:
    for weights in (np.zeros(3), np.array([1.0, np.nan, 1.0]), np.array([1.0, -1.0, 1.0]), np.ones(2)):
        with pytest.raises(ValueError, match="weights"):
            CaseSampler(rows(3), weights=weights)
    with pytest.raises(ValueError, match="rank 2 of world 2"):
        CaseSampler(rows(3), rank=2, world=2)


def test_balance_draws_rare_labels_more_often_and_unknown_ones_as_if_absent() -> None:
    common, rare = "Lung nodule", "Pericardial effusion"
    mine = [row(f"n{i}", positive=[common]) for i in range(50)] + [row(f"z{i}") for i in range(48)]
    mine += [row("r", positive=[rare, common]), row("u", known=False)]
    weights = balance_weights(mine)
    assert weights[0] == pytest.approx((51 / 99) ** -0.5)
    assert weights[60] == weights[-1] == 1.0
    assert weights[98] == 8.0, "never more than `most`"
    assert balance_weights(mine, power=0.0).tolist() == [1.0] * 100
    assert balance_weights(mine, [rare])[0] == 1.0
    assert mine[98].labels[label_index(rare)] == 1.0
    with pytest.raises(KeyError, match="Lung nodules"):
        balance_weights(mine, ["Lung nodules"])


def test_seeds_of_draws_differ_by_run_purpose_row_epoch_and_repeat() -> None:
    draws = [Draw(0), Draw(1), Draw(0, 1), Draw(0, 0, 1)]
    seeds = [draw.seed(run, purpose) for draw in draws for run in (0, 1) for purpose in (0, 1)]
    assert len(set(seeds)) == len(seeds)
    assert min(seeds) >= 0
    assert max(seeds) < 2**63
