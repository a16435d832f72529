"""What a run tells of itself while it trains: its pace, scores with their intervals, and TensorBoard."""

import math
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rect_core.config import to_yaml
from rect_core.findings import LABELS, LOCALIZED
from rect_core.types import ManifestRow
from rect_data.dataset import StoreDataset
from rect_eval.classification import auroc, average_precision
from rect_train.config import TrainConfig
from rect_train.loop import build, train
from rect_train.pace import Operations, Pace, peak_of
from rect_train.plan.gpus import named
from rect_train.plan.tally import flop_counter
from rect_train.run import METRICS, read_rows
from rect_train.scores import metrics, told
from rect_train.screen import SILENT
from rect_train.stack import make_stack
from rect_train.track.samples import chosen
from rect_train.validate import Seen, look
from rect_train.world import World

PACE = ("cases_per_second", "tflops", "mfu", "memory_gb")


def board(config: TrainConfig) -> EventAccumulator:
    """All that the event files of a run hold, as TensorBoard reads them."""
    found = EventAccumulator(str(config.output_dir / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    return found


def scalars(config: TrainConfig) -> list[tuple[str, int, float]]:
    read = board(config)
    return sorted((tag, one.step, one.value) for tag in read.Tags()["scalars"] for one in read.Scalars(tag))


def logged(config: TrainConfig) -> list[tuple[str, int, float]]:
    rows = read_rows(config.output_dir / METRICS)
    return sorted(
        (key, row["step"], float(value))
        for row in rows
        for key, value in row.items()
        if key != "step" and value is not None
    )


def assert_same(config: TrainConfig) -> None:
    """TensorBoard holds what metrics.jsonl does, each number once, in float32."""
    shown, kept = scalars(config), logged(config)
    assert [one[:2] for one in shown] == [one[:2] for one in kept]
    assert [one[2] for one in shown] == pytest.approx([one[2] for one in kept], rel=1e-6)


@pytest.fixture
def followed(config: TrainConfig) -> TrainConfig:
    """The run of the other tests, with TensorBoard."""
    return replace(config, track=("tensorboard",))


def test_tensorboard_shows_every_number_once_and_curves_outlines_and_reports(followed: TrainConfig) -> None:
    train(replace(followed, steps=2))
    assert_same(followed)
    tags = board(followed).Tags()
    assert {f"pr/{label}/pr_curves" for label in LABELS} <= {f"{tag}/pr_curves" for tag in tags["tensors"]}
    assert tags["images"] == ["outlines/case09", "outlines/case11"], "the cases that have findings to outline"
    image = board(followed).Images("outlines/case09")[0]
    assert (image.step, image.encoded_image_string[:8]) == (2, b"\x89PNG\r\n\x1a\n")
    text = board(followed).Tensors("report/case09/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text.startswith("| section | sentence | evidence |\n|---|---|---|\n| findings |")
    assert "score:" in text
    assert "synthetic" in text


def test_a_run_that_goes_on_shows_no_step_twice(followed: TrainConfig) -> None:
    train(followed)
    whole = [row for row in read_rows(followed.output_dir / METRICS) if "loss" in row]
    shutil.rmtree(followed.output_dir / "checkpoints" / "step-00000006")
    shutil.rmtree(followed.output_dir / "checkpoints" / "step-00000004")
    train(followed, resume=True)
    assert_same(followed)
    again = [row for row in read_rows(followed.output_dir / METRICS) if "loss" in row]
    assert [row["loss"] for row in again] == [row["loss"] for row in whole]
    assert [one.step for one in board(followed).Scalars("loss")] == [1, 2, 3, 4, 5, 6]
    assert [one.step for one in board(followed).Images("outlines/case09")] == [2, 4, 6]


@pytest.mark.slow
def test_a_killed_run_has_told_tensorboard_all_that_its_log_holds(followed: TrainConfig, tmp_path: Path) -> None:
    long = replace(followed, epochs=50, valid_every=50, save=replace(followed.save, every=3))
    (tmp_path / "run.yaml").write_text(to_yaml(long), encoding="utf-8")
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "rect_train.cli", "--config", str(tmp_path / "run.yaml")], env=one
    )
    while len(read_rows(long.output_dir / METRICS)) < 8:
        assert process.poll() is None
    process.kill()
    process.wait()
    shown = {one[:2] for one in scalars(long)}
    assert {one[:2] for one in logged(long) if one[1] < 8} <= shown
    short = replace(long, steps=12)
    train(short, resume=True, allow=("steps",))
    assert_same(short)
    assert [one.step for one in board(short).Scalars("loss")] == [*range(1, 13)]


@pytest.mark.slow
def test_of_several_processes_the_first_alone_writes(followed: TrainConfig) -> None:
    file = followed.output_dir.with_suffix(".yaml")
    file.write_text(to_yaml(replace(followed, steps=2, batch_size=2)), encoding="utf-8")
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*start, "-m", "rect_train.cli", "--config", str(file)], env=one, check=True, timeout=240)
    assert len([*(followed.output_dir / "tensorboard").iterdir()]) == 1
    assert_same(followed)
    rows = [row for row in read_rows(followed.output_dir / METRICS) if "loss" in row]
    assert rows[0]["cases_per_second"] == pytest.approx(4 / rows[0]["seconds"]), "of both processes"


def test_every_step_is_told_with_its_pace(config: TrainConfig) -> None:
    train(replace(config, steps=3, valid_every=3))
    for row in (row for row in read_rows(config.output_dir / METRICS) if "loss" in row):
        assert row["cases_per_second"] == pytest.approx(4 / row["seconds"])
        assert row["tflops"] > 0
        assert row["memory_gb"] > 0.05
        assert row["mfu"] is None, "nobody states the peak of a CPU"


def test_operations_are_those_that_torch_counts_and_counting_changes_nothing(config: TrainConfig) -> None:
    first, second = (build(replace(config, output_dir=config.output_dir / name), World(), SILENT) for name in "ab")
    work = [(first.feeds[0].tasks, next(first.feeds[0]))]
    taken = first.pace.take(first.stepper, 0, work)
    with flop_counter() as counter:
        plain = second.stepper.take(0, work)
    assert (taken.loss, taken.gradient_norm) == (plain.loss, plain.gradient_norm)
    assert first.pace.flops == counter.get_total_flops() / 4
    for a, b in zip(first.stepper.stack.parameters(), second.stepper.stack.parameters(), strict=True):
        assert torch.equal(a, b)


def test_only_a_step_that_teaches_every_task_is_the_measure() -> None:
    with Operations() as counted:
        torch.ones(2, 3) @ torch.ones(3, 5)
    assert counted.total == 2 * 2 * 3 * 5
    pace = Pace(device=torch.device("cpu"), processes=4, peak=2.0, flops=1e12)
    assert pace.figures(8, 16.0) | {"memory_gb": 0.0} == {
        "cases_per_second": 2.0,
        "tflops": 2.0,
        "mfu": 0.25,
        "memory_gb": 0.0,
    }
    assert math.isnan(Pace(device=torch.device("cpu")).figures(8, 1.0)["tflops"]), "not counted yet"
    assert math.isnan(peak_of(torch.device("cpu"), "bf16"))


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA A100-SXM4-80GB", "A100-80"),
        ("NVIDIA A100-PCIE-40GB", "A100-40"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("Tesla V100-SXM2-32GB", "V100"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA H100 PCIe", ""),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", ""),
        ("NVIDIA GeForce GTX 1080", ""),
    ],
)
def test_a_gpu_is_known_by_the_name_its_driver_gives(device: str, name: str) -> None:
    gpu = named(device)
    assert (gpu.name if gpu else "") == name


def make_seen(rows: int, patients: int, seed: int = 0) -> Seen:
    """Scores that know something, of some patients; a tenth of the labels is not known."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, 18)) < 0.3).astype(np.float64)
    logits = labels + rng.normal(0, 1, labels.shape)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    dice = rng.uniform(0.5, 0.9, (rows, 5))
    dice[rng.random(dice.shape) < 0.5] = np.nan
    return Seen(
        case_ids=tuple(f"case{i}" for i in range(rows)),
        patients=np.arange(rows) % patients,
        labels=labels,
        logits=logits,
        dice=dice,
        mismatched=dice / 4,
        silent=np.where(np.isnan(dice), rng.random(dice.shape) < 0.8, np.nan),
        hidden=rng.random(rows),
        outlined={},
    )


def test_a_score_lies_in_its_interval_and_its_control_outside() -> None:
    seen = make_seen(60, 40)
    found = metrics(seen, ("masking", "classification", "localization"), seed=0)
    assert found["macro_auroc"] == pytest.approx(np.nanmean(auroc(seen.labels, seen.logits)))
    assert found["macro_auprc"] == pytest.approx(np.nanmean(average_precision(seen.labels, seen.logits)))
    assert found["dice_lung_nodule"] == pytest.approx(np.nanmean(seen.dice[:, 4]))
    assert found["macro_dice"] == pytest.approx(np.mean(np.nanmean(seen.dice, axis=0)))
    assert found["specificity_of_empty"] == pytest.approx(np.mean(np.nanmean(seen.silent, axis=0)))
    assert found["specificity_of_empty_low"] < found["specificity_of_empty"] < found["specificity_of_empty_high"]
    for name in ("macro_auroc", "macro_auprc", "macro_dice", *(f"dice_{name}" for name in LOCALIZED)):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]
        assert found[f"{name}_mismatched"] < found[f"{name}_low"]
    assert found["hidden_error_low"] < found["hidden_error"] < found["hidden_error_high"]
    assert "hidden_error_mismatched" not in found


def test_patients_are_drawn_and_not_scans() -> None:
    once = make_seen(30, 30)
    twice = replace(
        once,
        case_ids=tuple(f"case{i}" for i in range(60)),
        patients=np.tile(once.patients, 2),
        **{name: np.tile(getattr(once, name), (2, 1)) for name in ("labels", "logits", "dice", "mismatched", "silent")},
        hidden=np.tile(once.hidden, 2),
    )
    tasks = ("classification", "localization")
    one, two = metrics(once, tasks, 0), metrics(twice, tasks, 0)
    for end in ("", "_low", "_high"):
        assert two[f"macro_dice{end}"] == pytest.approx(one[f"macro_dice{end}"])
        assert two[f"macro_auroc{end}"] == pytest.approx(one[f"macro_auroc{end}"])


def test_one_patient_has_scores_but_neither_intervals_nor_controls() -> None:
    found = metrics(make_seen(12, 1), ("classification", "localization"), 0)
    beside = [name for name in found if name.startswith("macro_auroc_")]
    assert not math.isnan(found["macro_auroc"])
    assert all(math.isnan(found[name]) for name in beside)
    assert len(beside) == 3


def test_scores_are_told_in_one_line_with_what_stands_beside_them() -> None:
    found = {"a": 0.5, "a_low": 0.25, "a_high": 0.75, "a_mismatched": 0.1, "b": 1.0, "b_low": math.nan}
    assert told(found) == ["a 0.5000 (0.2500 to 0.7500; mismatched 0.1000)", "b 1.0000"]


def test_the_control_of_outlines_is_another_patients_truth_whatever_the_batches(config: TrainConfig) -> None:
    torch.manual_seed(0)
    stack, dataset = make_stack(config), StoreDataset(config.data.store)
    seen, other = (look(stack, dataset, replace(config, batch_size=size), World()) for size in (4, 3))
    np.testing.assert_array_equal(seen.mismatched, other.mismatched)
    assert not np.isnan(seen.mismatched).all()
    assert not (np.isnan(seen.mismatched) == np.isnan(seen.dice)).all(), "whose truth is drawn decides"


def test_silence_is_told_of_what_is_known_to_be_empty_only(config: TrainConfig) -> None:
    torch.manual_seed(0)
    stack, dataset = make_stack(config), StoreDataset(config.data.store)
    assert stack.localizer is not None
    for logit, expected in ((-5.0, 1.0), (5.0, 0.0)):
        torch.nn.init.constant_(stack.localizer.unet.head.prior, 1000 * logit)
        seen = look(stack, dataset, config, World())
        empty = ~np.isnan(seen.silent)
        assert empty.any()
        assert (seen.silent[empty] == expected).all()
        assert not (empty & ~np.isnan(seen.dice)).any(), "a mask is empty or has a Dice"


def test_the_cases_to_show_are_the_same_every_time_and_have_something_to_show(rows: list[ManifestRow]) -> None:
    assert chosen(rows, "valid") == chosen(rows, "valid") == ("case09", "case11")
    blind = [replace(row, lesions={}) if row.case_id == "case09" else row for row in rows]
    assert chosen(blind, "valid") == ("case11", "case08")
    assert chosen(rows, "test") == ()
