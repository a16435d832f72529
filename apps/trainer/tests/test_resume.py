"""Runs that end early go on as if nothing had happened, and say what they had to give up."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rect_core.config import to_yaml
from rect_train.checkpoint import Parts, latest
from rect_train.config import DataConfig, OptimConfig, SaveConfig, TrainConfig
from rect_train.guard import RunError
from rect_train.loop import build, train
from rect_train.optim import Average, make_optimizer
from rect_train.run import EVENTS, METRICS, read_rows
from rect_train.saver import Saver, check_space
from rect_train.screen import SILENT
from rect_train.stack import make_stack
from rect_train.world import World


def to(config: TrainConfig, folder: str) -> TrainConfig:
    """The same run in a folder beside its own."""
    return replace(config, output_dir=config.output_dir.parent / folder)


def losses(folder: Path) -> list[tuple[int, float]]:
    return [(row["step"], row["loss"]) for row in read_rows(folder / METRICS) if "loss" in row]


def scores(folder: Path) -> list[dict[str, float]]:
    return [row for row in read_rows(folder / METRICS) if "loss" not in row]


def said(folder: Path) -> list[str]:
    return [row["said"] for row in read_rows(folder / EVENTS)]


def steps(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("step-")) for path in sorted((folder / "checkpoints").glob("step-*"))]


def launch(config: TrainConfig, file: Path) -> subprocess.Popen[bytes]:
    """The command on a config, in a process group of its own and with as many threads as this one: another number would
    add up in another order. What it says is in `file` with the suffix .log."""
    file.write_text(to_yaml(config), encoding="utf-8")
    command = [sys.executable, "-m", "rect_train.cli", "--config", str(file)]
    with file.with_suffix(".log").open("wb") as log:
        one = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, stderr=log, start_new_session=True, env=one)


def wait_for(config: TrainConfig, count: int, process: subprocess.Popen[bytes]) -> None:
    log, end = config.output_dir / METRICS, time.monotonic() + 120
    while not log.is_file() or log.read_text(encoding="utf-8").count('"loss"') < count:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture
def long(config: TrainConfig) -> TrainConfig:
    """Ten steps with a checkpoint after every third and every validation."""
    data = replace(config.data, workers=1)
    return replace(config, data=data, epochs=5, valid_every=2, save=SaveConfig(every=3, keep=2))


def test_a_run_killed_at_any_step_goes_on_with_the_losses_of_one_that_was_not(
    long: TrainConfig, tmp_path: Path
) -> None:
    train(to(long, "whole"))
    at = random.SystemRandom().randint(2, 7)
    process = launch(long, tmp_path / "run.yaml")
    wait_for(long, at, process)
    process.kill()
    process.wait()
    assert losses(long.output_dir)[-1][0] < 10, "killed before its end"
    assert train(long, resume=True)
    assert losses(long.output_dir) == losses(tmp_path / "whole"), f"killed after step {at}"
    assert scores(long.output_dir) == scores(tmp_path / "whole")


def test_sigterm_saves_and_ends_well(long: TrainConfig, tmp_path: Path) -> None:
    process = launch(replace(long, epochs=800), tmp_path / "run.yaml")
    wait_for(long, 4, process)
    os.killpg(process.pid, signal.SIGTERM)  # to the workers too, as Slurm does
    code = process.wait(timeout=60)
    told = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert code == 0, told
    done = losses(long.output_dir)[-1][0]
    assert f"stopped after step {done}: saved" in told
    assert "Traceback" not in told
    assert steps(long.output_dir)[-1] == done


def test_what_was_logged_after_the_checkpoint_is_taken_back_even_a_torn_line(config: TrainConfig) -> None:
    train(config)
    whole = losses(config.output_dir)
    shutil.rmtree(config.output_dir / "checkpoints" / "step-00000006")
    with (config.output_dir / METRICS).open("a", encoding="utf-8") as file:
        file.write('{"step": 7, "lo')
    train(config, resume=True)
    assert losses(config.output_dir) == whole
    assert [row["step"] for row in scores(config.output_dir)] == [2, 4, 6]


def test_a_damaged_checkpoint_falls_back_to_the_one_before_and_says_so(config: TrainConfig) -> None:
    train(config)
    whole = losses(config.output_dir)
    data = next((config.output_dir / "checkpoints" / "step-00000006").glob("*.distcp"))
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    (config.output_dir / "checkpoints" / "step-00000004" / "checksums.json").write_text("{", encoding="utf-8")
    train(config, resume=True)
    lines = said(config.output_dir)
    assert any(f"checkpoint step-00000006 is damaged ({data.name}): going back" in line for line in lines)
    assert any("checkpoint step-00000004 is damaged (checksums.json: JSONDecodeError)" in line for line in lines)
    assert any("going on from step-00000002" in line for line in lines)
    assert losses(config.output_dir) == whole


def test_a_run_killed_before_its_first_checkpoint_begins_again(config: TrainConfig) -> None:
    train(config)
    whole = losses(config.output_dir)
    shutil.rmtree(config.output_dir / "checkpoints")
    train(config, resume=True)
    assert losses(config.output_dir) == whole


@pytest.mark.parametrize("phase", ["0", "1.1"])
def test_other_phases_and_settings_resume_to_the_bit_too(config: TrainConfig, phase: str) -> None:
    optim = OptimConfig(ema=0.0, accumulate=2)
    run = replace(config, phase=phase, optim=optim, precision="bf16", checkpointing=True)  # type: ignore[arg-type]
    train(to(run, "whole"))
    train(run)
    whole = losses(to(run, "whole").output_dir)
    assert len(whole) == 3
    shutil.rmtree(run.output_dir / "checkpoints" / "step-00000003")
    shutil.rmtree(run.output_dir / "checkpoints" / "step-00000002")
    train(run, resume=True)
    assert losses(run.output_dir) == whole


def test_batches_of_each_task_keep_their_places(config: TrainConfig) -> None:
    data = replace(config.data, batches="per-task")
    run = replace(config, data=data, steps=4, loss=replace(config.loss, uncertainty=True))
    train(run)
    whole = losses(run.output_dir)
    shutil.rmtree(run.output_dir / "checkpoints" / "step-00000004")
    train(run, resume=True)
    assert losses(run.output_dir) == whole


def test_the_last_checkpoints_and_the_best_one_stay(config: TrainConfig) -> None:
    train(replace(config, phase="1.1", save=SaveConfig(every=1, keep=2)))
    state = json.loads((config.output_dir / "checkpoints" / "step-00000006" / "state.json").read_text("utf-8"))
    best = max(scores(config.output_dir), key=lambda row: (row["valid/macro_auroc"], row["step"]))
    assert state["best_checkpoint"] == f"step-{int(best['step']):08d}"
    assert set(steps(config.output_dir)) == {5, 6, best["step"]}


def test_a_changed_config_is_refused_with_what_changed(config: TrainConfig) -> None:
    train(replace(config, steps=2))
    other = replace(config, steps=4, optim=replace(config.optim, lr=0.5))
    with pytest.raises(
        ValueError, match=r"steps 2 -> 4, optim.lr 0.001 -> 0.5.*--allow-change steps --allow-change op"
    ):
        train(other, resume=True)
    with pytest.raises(ValueError, match=r"\(optim.lr 0.001 -> 0.5\)"):
        train(other, resume=True, allow=("steps",))
    train(other, resume=True, allow=("steps", "optim"))
    assert len(losses(config.output_dir)) == 4
    train(other, resume=True)
    assert "finished after 4 steps" in said(config.output_dir)[-1], "a run that is done stays done"


@pytest.mark.parametrize(
    "change",
    [
        {"phase": "1.1"},
        {"seed": 1},
        {"data": DataConfig(origin="clinical")},
        {"optim": OptimConfig(ema=0.0)},
        {"freeze_vision": True},
    ],
)
def test_a_change_that_no_checkpoint_outlives_cannot_be_allowed(config: TrainConfig, change: dict[str, object]) -> None:
    train(replace(config, steps=1))
    key = next(iter(change))
    with pytest.raises(ValueError, match=f"cannot go on with another config .{key}"):
        train(replace(config, steps=1, **change), resume=True, allow=(key,))  # type: ignore[arg-type]


def test_another_store_of_the_same_grid_is_refused_on_resume(config: TrainConfig, tmp_path: Path) -> None:
    train(replace(config, steps=1))
    other = Path(shutil.copytree(config.data.store, tmp_path / "other"))
    train(replace(config, steps=2, data=replace(config.data, store=other)), resume=True, allow=("steps", "data.store"))
    run = replace(config, steps=3, data=DataConfig(store=other, origin="phantoms", workers=0, train="valid"))
    with pytest.raises(ValueError, match="sampler state is of cases"):
        train(run, resume=True, allow=("steps", "data"))


def test_an_exploding_loss_is_skipped_with_its_cases_and_ends_the_run(config: TrainConfig) -> None:
    optim = OptimConfig(lr=1e30, clip=1e30, spike=2.0, most_skips=2, warmup=0.0)
    run = replace(config, phase="1.1", epochs=5, optim=optim, valid_every=5)
    with pytest.raises(RunError, match="3 steps in a row were skipped"):
        train(run)
    skipped = read_rows(config.output_dir / "skipped.jsonl")
    assert len(skipped) == 3
    assert all(len(row["case_ids"]) == 4 and row["why"] for row in skipped)


def test_weights_that_give_no_numbers_are_not_scored(config: TrainConfig) -> None:
    optim = OptimConfig(lr=1e30, clip=1e30, warmup=0.0, ema=0.0)
    for phase in ("1.1", "1.2"):
        run = replace(to(config, phase), phase=phase, steps=1, optim=optim)  # type: ignore[arg-type]
        with pytest.raises(RunError, match="no numbers: begin again with a lower optim"):
            train(run)
        assert scores(run.output_dir) == []


def test_a_full_disk_leaves_no_half_checkpoint(config: TrainConfig, tmp_path: Path) -> None:
    stack = make_stack(config)
    parts = Parts(stack=stack, optimizer=make_optimizer(stack, config.optim), average=Average(stack, 0.9))
    saver = Saver(folder=tmp_path / "checkpoints", keep=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        saver.save(1, parts, {})
        with pytest.raises(RunError, match=r"^step-00000001 cannot be written .*make room and go on with --resume$"):
            saver.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "checkpoints").iterdir()) == []
    assert latest(tmp_path / "checkpoints") == (None, [])
    saver.save(1, parts, {})
    saver.finish()
    assert steps(tmp_path) == [1]
    with pytest.raises(ValueError, match=r"GB need .* GB but .* are free: make room"):
        check_space(tmp_path, parts, keep=10**12)


def test_the_first_step_depends_on_the_seed_alone(config: TrainConfig) -> None:
    torch.rand(3)
    first = build(config, World(), SILENT)
    torch.rand(5)
    second = build(to(config, "other"), World(), SILENT)
    for a, b in zip(first.stepper.stack.parameters(), second.stepper.stack.parameters(), strict=True):
        assert torch.equal(a, b)
