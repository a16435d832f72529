"""Several processes train what one would, hand over to any other number of them, and end together."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rect_core.config import to_yaml
from rect_core.types import ManifestRow
from rect_train.checkpoint import latest
from rect_train.config import DataConfig, OptimConfig, SaveConfig, TrainConfig
from rect_train.loop import cases_each, train
from rect_train.run import EVENTS, METRICS, read_rows
from rect_train.world import World
from rect_vlm.presets import Preset

pytestmark = pytest.mark.slow

MANY = """
# Trains one run after the other, in a group of processes that is there already, as in Ray Train.
import json, os, signal, sys
from pathlib import Path
import torch.distributed as dist
from rect_core.config import from_yaml
from rect_train.config import TrainConfig
from rect_train.loop import train

class Stopper:
    def __init__(self, at): self.at = at
    def say(self, line): pass
    def step(self, done, total, loss, seconds):
        if done == self.at:
            os.kill(os.getpid(), signal.SIGTERM)

def main():
    several = "RANK" in os.environ
    if several:
        dist.init_process_group("gloo")
    for file, local, resume, stop, allow in json.loads(sys.argv[1]):
        os.environ["LOCAL_WORLD_SIZE"] = str(local)
        train(from_yaml(TrainConfig, Path(file)), resume=resume, allow=allow, screen=Stopper(stop))
    if several:
        dist.destroy_process_group()

main()
"""

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone")


def environment() -> dict[str, str]:
    """One thread each: two cores are all there is."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def written(config: TrainConfig) -> Path:
    """The config as a file beside the run's folder."""
    file = config.output_dir.with_suffix(".yaml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(to_yaml(config), encoding="utf-8")
    return file


def many(tmp_path: Path, size: int, *runs: tuple[TrainConfig, int, bool, int, Sequence[str]]) -> None:
    """Trains on `size` processes: (config, processes that count as one machine, resume, stop after, allow) each."""
    (tmp_path / "many.py").write_text(MANY, encoding="utf-8")
    words = json.dumps([(str(written(run[0])), *run[1:]) for run in runs])
    start = [*TORCHRUN, f"--nproc-per-node={size}"] if size > 1 else [sys.executable]
    command = [*start, str(tmp_path / "many.py"), words]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr


def log(config: TrainConfig) -> list[dict[str, Any]]:
    return read_rows(config.output_dir / METRICS)


def said(config: TrainConfig) -> list[str]:
    return [row["said"] for row in read_rows(config.output_dir / EVENTS)]


def assert_alike(one: TrainConfig, other: TrainConfig) -> None:
    """The same steps and validations with the same numbers; of the gradient's norm, which tells of rounding one step
    before the losses do and ten times as loudly, fewer digits."""
    apart = ("seconds", "wait", "cases_per_second", "tflops", "mfu", "memory_gb")
    mine, theirs = log(one), log(other)
    assert [row["step"] for row in mine] == [row["step"] for row in theirs]
    for a, b in zip(mine, theirs, strict=True):
        assert a.keys() == b.keys()
        for key in (key for key in a if not key.startswith(apart)):
            close = 1e-3 if key == "gradient_norm" else 1e-4
            assert a[key] == pytest.approx(b[key], rel=close, abs=close), f"{key} of step {a['step']}"


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory, rows: list[ManifestRow], build_store: Callable[..., Path]) -> Path:
    """Eleven cases to learn from, of which some have no labels, some no masks and one has neither; five to validate
    on. No number of processes divides them."""

    def with_gaps(number: int) -> ManifestRow:
        row = rows[number % 2]
        name = f"case{number:02d}"
        row = replace(row, case_id=name, patient=name, scan=name, split="train" if number < 11 else "valid")
        blind = (float("nan"),) * len(row.labels) if number in (2, 3, 8) else row.labels
        some = (*blind[:9], *(float("nan"),) * 9) if number == 5 else blind
        return replace(row, labels=some, lesions={} if number in (3, 4, 6, 7) else row.lesions)

    return build_store(tmp_path_factory.mktemp("gaps") / "store", [with_gaps(number) for number in range(16)])


@pytest.fixture(scope="module")
def alone(gaps: Path, sizes: Preset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainConfig]:
    """What one process makes of twenty steps of eight cases, with a short batch at the end of every epoch: phase 2;
    phase 0; and phase 2 with a batch for each task, two batches a step and learned weights of the tasks."""
    folder = tmp_path_factory.mktemp("alone")
    joint = TrainConfig(
        model=sizes,
        steps=20,
        batch_size=8,
        valid_every=5,
        precision="fp32",
        device="cpu",
        output_dir=folder / "joint",
        data=DataConfig(store=gaps, origin="phantoms", workers=0),
        optim=OptimConfig(ema=0.9),
    )
    apart = replace(
        joint,
        batch_size=4,
        output_dir=folder / "apart",
        data=replace(joint.data, batches="per-task"),
        optim=OptimConfig(ema=0.9, accumulate=2),
        loss=replace(joint.loss, uncertainty=True),
    )
    runs = {"joint": joint, "hidden": replace(joint, phase="0", output_dir=folder / "hidden"), "apart": apart}
    many(folder, 1, *((config, 1, False, 0, ()) for config in runs.values()))
    return runs


def shared_out(config: TrainConfig, size: int, folder: Path) -> TrainConfig:
    """The same run for so many processes."""
    return replace(config, batch_size=config.batch_size // size, output_dir=folder / config.output_dir.name)


@pytest.mark.parametrize(("size", "local", "shard"), [(2, 2, "auto"), (4, 2, "node")])
def test_losses_and_scores_are_those_of_one_process(
    alone: dict[str, TrainConfig], tmp_path: Path, size: int, local: int, shard: str
) -> None:
    shared = {name: replace(shared_out(config, size, tmp_path), shard=shard) for name, config in alone.items()}  # type: ignore[arg-type]
    many(tmp_path, size, *((config, local, False, 0, ()) for config in shared.values()))
    for name, config in alone.items():
        assert len([row for row in log(config) if "loss" in row]) == 20
        assert_alike(config, shared[name])


def test_a_checkpoint_of_two_processes_is_gone_on_with_by_one_and_by_four(
    alone: dict[str, TrainConfig], tmp_path: Path
) -> None:
    two = shared_out(alone["joint"], 2, tmp_path)
    copy = replace(two, shard="none", output_dir=tmp_path / "copy")
    many(tmp_path, 2, (two, 2, False, 7, ()), (copy, 2, False, 7, ()))
    assert said(two)[-1] == "stopped after step 7: saved, --resume"
    checkpoint = two.output_dir / "checkpoints" / "step-00000007"
    sums = json.loads((checkpoint / "checksums.json").read_text("utf-8"))
    assert sorted(sums) == [".metadata", "__0_0.distcp", "__1_0.distcp", "state.json"], "of all processes' files"
    with pytest.raises(ValueError, match="a batch of this run has 8 cases, which 3 processes cannot share alike"):
        cases_each(two, World(size=3), checkpoint)
    assert cases_each(replace(two, batch_size=5), World(size=3), checkpoint) == 5, "who asks for others gets them"
    assert train(two, resume=True)
    many(tmp_path, 4, (copy, 4, True, 0, ()))
    assert_alike(alone["joint"], two)
    assert_alike(alone["joint"], copy)
    assert "4 processes with 2 cases each" in said(copy)


def begin(config: TrainConfig, size: int = 2) -> "subprocess.Popen[bytes]":
    """The command on two processes; what they say is in a file beside the run's folder."""
    command = [*TORCHRUN, f"--nproc-per-node={size}", "-m", "rect_train.cli", "--config", str(written(config))]
    with config.output_dir.with_suffix(".log").open("wb") as file:
        return subprocess.Popen(command, stderr=file, stdout=file, env=environment())


def end(config: TrainConfig, process: "subprocess.Popen[bytes]") -> tuple[int, list[str]]:
    """The exit code within a minute, and the lines that `rect-train` said it failed with."""
    code = process.wait(timeout=60)
    text = config.output_dir.with_suffix(".log").read_text("utf-8")
    return code, re.findall(r"^rect-train: error: (.*)$", text, re.MULTILINE)


def workers(process: "subprocess.Popen[bytes]") -> list[int]:
    """The processes that torchrun started, in the order of their ranks."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8").split()
    return sorted(int(child) for child in children)


def wait_for(config: TrainConfig, steps: int, process: "subprocess.Popen[bytes]") -> None:
    """Until so many steps are done."""
    last = time.monotonic() + 120
    while len([row for row in read_rows(config.output_dir / METRICS) if "loss" in row]) < steps:
        assert process.poll() is None, config.output_dir.with_suffix(".log").read_text("utf-8")
        assert time.monotonic() < last
        time.sleep(0.05)


@pytest.fixture
def endless(config: TrainConfig) -> TrainConfig:
    """A run that ends only when something ends it."""
    return replace(config, epochs=2000, batch_size=2, valid_every=2000, save=SaveConfig(every=5, keep=2))


@pytest.mark.parametrize("dies", [0, 1])
def test_a_process_that_is_killed_ends_all_and_the_first_left_says_which(endless: TrainConfig, dies: int) -> None:
    process = begin(endless)
    wait_for(endless, 11, process)
    os.kill(workers(process)[dies], signal.SIGKILL)
    code, lines = end(endless, process)
    assert code != 0
    assert lines == [f"process {dies} of 2 no longer answers: it has died or hangs; --resume goes on"]
    assert latest(endless.output_dir / "checkpoints")[0], "what was saved stays whole"


def test_a_damaged_case_of_one_process_ends_all_with_its_name(
    endless: TrainConfig, build_store: Callable[..., Path], rows: list[ManifestRow], tmp_path: Path
) -> None:
    store = build_store(tmp_path / "torn", rows)
    run = replace(endless, data=replace(endless.data, store=store), epochs=50)
    (store / "cases" / rows[3].case_id / "hu.b2nd").write_bytes(b"")
    code, lines = end(run, begin(run))
    assert code != 0
    assert any("case03" in line and "process" in line for line in lines)
    assert "Traceback" not in "".join(lines)


def test_a_signal_to_any_process_saves_and_ends_all_well(endless: TrainConfig) -> None:
    process = begin(endless)
    wait_for(endless, 3, process)
    os.kill(workers(process)[1], signal.SIGTERM)
    code, lines = end(endless, process)
    assert (code, lines) == (0, [])
    done = log(endless)[-1]["step"]
    assert said(endless)[-1] == f"stopped after step {done}: saved, --resume"
    assert (endless.output_dir / "checkpoints" / f"step-{done:08d}" / "checksums.json").is_file()


def test_bad_input_is_told_once_by_all_processes_together(endless: TrainConfig) -> None:
    code, lines = end(endless, begin(replace(endless, batch_size=5)))
    assert code != 0
    assert lines == [
        "batch_size 5 on each of 2 processes is larger than the 8 cases there are to learn classification and "
        "localization from: give a smaller batch_size or more cases"
    ]
    assert not endless.output_dir.exists()
