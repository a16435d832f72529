"""What several processes agree on, without starting them; tests that do are in test_world_runs.py."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from rect_core.config import to_dict, to_yaml
from rect_data.dataset import Batch, StoreDataset, blanked, collate, joined
from rect_train.checkpoint import Parts, read
from rect_train.cli import main
from rect_train.config import LossConfig, SaveConfig, TrainConfig
from rect_train.feed import Augmenting
from rect_train.frozen import FROZEN
from rect_train.guard import RunError
from rect_train.loop import train
from rect_train.optim import make_optimizer
from rect_train.ray import train_loop_per_worker
from rect_train.run import METRICS, read_rows
from rect_train.saver import Saver
from rect_train.sharding import clip, mesh_shape
from rect_train.shares import AMOUNTS, alone, shares_of, table
from rect_train.stack import Stack, make_stack
from rect_train.step import last_turns
from rect_train.trained import read_trained
from rect_train.world import ToldError, World, start
from rect_vlm.presets import Preset

TASKS = ("classification", "localization")


def chance() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.fixture
def cases(config: TrainConfig) -> list[Batch]:
    """Four cases, each a batch; of the second no label is known, of the third no mask, and of the fourth a few."""
    data = StoreDataset(config.data.store)
    first, second, third, fourth = (collate([data[number]]) for number in range(4))
    nan = torch.full_like(second.labels, torch.nan)
    some = torch.arange(18)[None] < 5
    return [
        first,
        replace(second, labels=nan, labels_known=torch.zeros_like(second.labels_known)),
        replace(third, lesions_known=torch.zeros_like(third.lesions_known), lesions=torch.zeros_like(third.lesions)),
        replace(fourth, labels=torch.where(some, fourth.labels, torch.nan), labels_known=some),
    ]


@given(machines=st.integers(1, 8), local=st.integers(1, 8))
def test_every_process_has_a_place_in_the_mesh(machines: int, local: int) -> None:
    size = machines * local
    assert mesh_shape("none", size, local) == (size, 1)
    assert mesh_shape("full", size, local) == (1, size)
    assert mesh_shape("node", size, local) == (machines, local)
    assert mesh_shape("auto", size, local) == (machines, local), "on one machine (1, local) is one copy among all"


def test_machines_with_different_numbers_of_processes_are_refused() -> None:
    with pytest.raises(ValueError, match="6 processes on machines of 4: start as many on each, or give shard=full"):
        mesh_shape("auto", 6, 4)


@given(
    counts=st.lists(st.lists(st.integers(0, 4), min_size=6, max_size=6), min_size=4, max_size=4),
    values=st.lists(st.floats(-5, 5), min_size=24, max_size=24),
)
def test_shares_make_the_mean_of_means_a_mean_over_all_that_is_known(
    counts: list[list[int]], values: list[float]
) -> None:
    """Two processes with two turns each."""
    each = [table([dict(zip(AMOUNTS, row, strict=True)) for row in counts[:2]]), torch.tensor(counts[2:])]
    together = each[0] + each[1]
    shares = [turn for mine in each for turn in shares_of(mine, together, 4)]
    for column, name in enumerate(AMOUNTS):
        if name == "cases":
            continue
        found = [share.get(name, 0.0) for share in shares]
        known = sum(row[column] for row in counts)
        means = values[4 * column : 4 * column + 4]
        if known:
            whole = sum(row[column] * mean for row, mean in zip(counts, means, strict=True)) / known
            assert sum(share * mean for share, mean in zip(found, means, strict=True)) / 4 == pytest.approx(whole)
        else:
            assert not any(name in share for share in shares)
    for turn in range(2):
        assert shares[turn].keys() == shares[turn + 2].keys(), "all processes go through the same heads"
        assert ("cases" in shares[turn]) <= ("masks" in shares[turn]), "prompts are restored where masks are drawn"


def test_gradients_of_parts_of_a_batch_are_those_of_the_whole(cases: list[Batch], sizes: Preset) -> None:
    for tasks in (TASKS, ("masking",)):
        torch.manual_seed(0)
        stack = Stack(sizes, tasks, LossConfig(mask_ratio=0.5))  # type: ignore[arg-type]
        stack.weigh(stack(joined(cases), tasks, chance())).backward()
        whole = {name: p.grad.clone() for name, p in stack.named_parameters() if p.grad is not None}
        stack.zero_grad()
        amounts = [table([stack.amounts(case, tasks, chance())]) for case in [*cases, blanked(cases[0], 0)]]
        together = torch.stack(amounts).sum(0)
        for case, mine in zip([*cases, blanked(cases[0], 0)], amounts, strict=True):
            losses = stack(case, tasks, chance(), shares_of(mine, together, 5)[0])
            assert losses.keys() == stack(joined(cases), tasks, chance()).keys()
            (stack.weigh(losses) / 5).backward()
        for name, p in stack.named_parameters():
            if p.requires_grad and p.grad is not None:
                torch.testing.assert_close(p.grad, whole[name], rtol=1e-4, atol=1e-6, msg=f"{name} of {tasks}")


def test_a_blank_batch_has_no_amounts(cases: list[Batch], sizes: Preset) -> None:
    stack = Stack(sizes, (*TASKS, "masking"), LossConfig())
    found = stack.amounts(blanked(joined(cases), 0), (*TASKS, "masking"), chance())
    assert set(found.values()) == {0}
    assert alone(found) == {}


def test_what_becomes_of_a_case_does_not_depend_on_its_company(config: TrainConfig) -> None:
    data = StoreDataset(config.data.store, training=True)
    together = Augmenting(config)([data[0], data[1], data[2]])
    apart = joined([Augmenting(config)([data[0]]), Augmenting(config)([data[1], data[2]])])
    assert torch.equal(together.voxels, apart.voxels)
    assert torch.equal(together.lesions, apart.lesions)


def test_gradients_are_complete_in_the_last_turn_that_a_component_learns_in() -> None:
    both, masks = {"labels": 1.0, "masks": 0.0, "drawn": 0.0, "cases": 1.0}, {"masks": 1.0, "cases": 1.0}
    assert last_turns([both, masks]) == {"classifier": 0, "localizer": 1, "encoder": 1}  # type: ignore[list-item]
    assert last_turns([both, {}]) == {"classifier": 0, "localizer": 0, "encoder": 0}  # type: ignore[list-item]
    assert last_turns([{}]) == {}


def test_clipping_is_torchs_own(sizes: Preset) -> None:
    one, two = ([torch.nn.Parameter(torch.ones(n)) for n in (3, 1, 7)] for _ in range(2))
    for number, (a, b) in enumerate(zip(one, two, strict=True)):
        a.grad = torch.full_like(a, number + 1.0)
        b.grad = a.grad.clone()
    assert clip(one, 1.0) == float(torch.nn.utils.clip_grad_norm_(two, 1.0))
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(one, two, strict=True) if a.grad is not None)
    assert clip([torch.nn.Parameter(torch.ones(1))], 1.0) == 0.0


def test_one_process_is_a_world_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with start("cpu") as world:
        assert (world.rank, world.size, world.first) == (0, 1, True)
        assert world.gathered("a") == ["a"]
        assert world.told(lambda: 3) == world.together(lambda: 3) == 3
        assert not world.any(False)
        with pytest.raises(RunError, match="broken"), world.watched():
            raise ValueError("broken")
        with pytest.raises(RuntimeError, match="a bug"), world.watched():
            raise RuntimeError("a bug")


def test_what_all_have_found_is_said_by_the_first_alone() -> None:
    with pytest.raises(RunError, match="too many") as error, World(rank=0, size=2).watched():
        raise RunError("too many")
    assert not isinstance(error.value, ToldError)
    with pytest.raises(ToldError, match="too many"), World(rank=1, size=2).watched():
        raise RunError("too many")


def test_the_command_speaks_for_all_processes_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    monkeypatch.setenv("RANK", "1")
    assert main(["--config", "none.yaml"]) == 2
    assert slept, "the others give the first one time; torchrun then ends them"
    with pytest.raises(SystemExit):
        main(["--nonsense"])
    assert len(slept) == 2
    capsys.readouterr()


def test_frozen_weights_lie_beside_the_checkpoints_and_not_in_them(config: TrainConfig) -> None:
    base = replace(config, phase="1.1", steps=1, output_dir=config.output_dir.with_name("cls"))
    train(base)
    run = replace(config, phase="1.2", steps=2, init=base.output_dir, freeze_vision=True, save=SaveConfig(every=1))
    train(run)
    shutil.rmtree(base.output_dir)
    shutil.rmtree(run.output_dir / "checkpoints" / "step-00000002")
    metadata = (run.output_dir / "checkpoints" / "step-00000001" / ".metadata").read_bytes()
    assert b"localizer.unet" in metadata
    assert b"encoder.blocks" not in metadata
    whole = read_rows(run.output_dir / METRICS)
    assert train(run, resume=True), "the run it began from is not needed any more"
    again = read_rows(run.output_dir / METRICS)
    assert [row["loss"] for row in again if "loss" in row] == [row["loss"] for row in whole if "loss" in row]
    stored = load_file(run.output_dir / FROZEN)
    encoder = read_trained(run.output_dir).encoder
    assert all(torch.equal(stored[f"encoder.{name}"], value) for name, value in encoder.named_parameters())
    save_file({name: value + 1 for name, value in stored.items()}, run.output_dir / FROZEN)
    for act in (lambda: train(run, resume=True), lambda: read_trained(run.output_dir)):
        with pytest.raises(ValueError, match=r"frozen\.safetensors of run is not what its checkpoints were written"):
            act()
    (run.output_dir / FROZEN).unlink()
    with pytest.raises(ValueError, match=r"run has lost frozen\.safetensors, the weights it froze: put it back"):
        train(run, resume=True)


def test_a_checkpoint_holds_what_was_there_when_it_was_asked_for(config: TrainConfig, tmp_path: Path) -> None:
    stack = make_stack(config)
    parts = Parts(stack=stack, optimizer=make_optimizer(stack, config.optim), average=None)
    before = {name: value.clone() for name, value in stack.state_dict().items()}
    saver = Saver(folder=tmp_path / "checkpoints", keep=1)
    saver.save(1, parts, {"frozen": ""})
    with torch.no_grad():
        for parameter in stack.parameters():
            parameter.add_(1.0)
    saver.finish()
    assert not saver.failed
    other = make_stack(config)
    tensors = Parts(stack=other, optimizer=make_optimizer(other, config.optim), average=None).tensors()
    assert read(tmp_path / "checkpoints" / "step-00000001", tensors)["step"] == 1
    assert all(torch.equal(other.state_dict()[name], value) for name, value in before.items())


def test_a_disk_that_fills_up_ends_the_run_with_the_checkpoint_before(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(config, epochs=6, valid_every=50, save=SaveConfig(every=2))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(saver: Saver, step: int, *rest: object) -> None:
        if step == 4:
            saver.finish()
            resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
        save(saver, step, *rest)  # type: ignore[arg-type]

    save = Saver.save
    monkeypatch.setattr(Saver, "save", fill)
    try:
        with pytest.raises(RunError, match=r"^step-0000000[4-9] cannot be written .*: make room and go on with"):
            train(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in (run.output_dir / "checkpoints").iterdir()] == ["step-00000002"]
    monkeypatch.setattr(Saver, "save", save)
    assert train(run, resume=True)


def test_ray_hands_over_a_config_and_a_second_time_goes_on(config: TrainConfig) -> None:
    run = to_dict(replace(config, steps=2))
    train_loop_per_worker(run)
    train_loop_per_worker(run)
    assert [row["step"] for row in read_rows(config.output_dir / METRICS) if "loss" in row] == [1, 2]


SLOW_SEAL = """
import sys, time
from rect_train import saver
from rect_train.cli import main
seal = saver.seal
def slowly(folder, state):
    time.sleep(60 if state["step"] == 4 else 0)
    seal(folder, state)
saver.seal = slowly
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_a_kill_while_a_checkpoint_is_written_leaves_the_one_before(config: TrainConfig, tmp_path: Path) -> None:
    run = replace(config, epochs=3, valid_every=50, save=SaveConfig(every=2))
    (tmp_path / "run.yaml").write_text(to_yaml(run), encoding="utf-8")
    command: Sequence[str] = [sys.executable, "-c", SLOW_SEAL, "--config", str(tmp_path / "run.yaml")]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    half = run.output_dir / "checkpoints" / ".step-00000004.partial" / ".metadata"
    last = time.monotonic() + 120
    while not half.is_file():
        assert process.poll() is None
        assert time.monotonic() < last
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    names = sorted(path.name for path in (run.output_dir / "checkpoints").iterdir())
    assert names == [".step-00000004.partial", "step-00000002"]
    assert train(run, resume=True)
    assert "going on from step-00000002" in (run.output_dir / "events.jsonl").read_text("utf-8")
    assert not half.parent.exists()
    assert json.loads((run.output_dir / "checkpoints" / "step-00000006" / "state.json").read_text("utf-8"))["step"] == 6
