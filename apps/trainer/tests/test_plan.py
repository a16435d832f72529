"""What a plan says of a run is what the run does."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from rect_core.config import from_yaml
from rect_train.cli import main
from rect_train.config import OptimConfig, TrainConfig
from rect_train.optim import make_optimizer
from rect_train.plan.gpus import GPUS, Fleet, Gpu, named, parse_fleet, this_cpu
from rect_train.plan.make import Plan, make_plan
from rect_train.plan.memory import GATHERED, IMPORTS, KEPT, on_one
from rect_train.plan.parameters import count
from rect_train.plan.tables import Table, tables, verdict
from rect_train.plan.tally import flop_counter
from rect_train.plan.trace import AVERAGE, GRADIENTS, MOMENTS, WEIGHTS, blank_batch, feeds, trace
from rect_train.stack import make_stack
from rect_train.step import Stepper

CONFIGS = Path(__file__).parents[3] / "configs"
H100 = Fleet(gpu=GPUS["H100"], count=1)

MEASURE = """
# Takes steps as a run does, and tells how much memory they took above what the imports hold.
import sys
from dataclasses import replace
from pathlib import Path
import torch
import torch._dynamo  # which the optimizer would import
from rect_core.config import from_yaml
from rect_train.config import TrainConfig
from rect_train.heap import keep_heap
from rect_train.optim import Average, make_optimizer
from rect_train.plan.trace import blank_batch, feeds
from rect_train.stack import make_stack
from rect_train.step import Stepper

def held(name):
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

config = replace(from_yaml(TrainConfig, Path(sys.argv[1])), batch_size=int(sys.argv[2]), device="cpu")
keep_heap()
before = held("VmRSS")
stack = make_stack(config).train()
stepper = Stepper(stack=stack, optimizer=make_optimizer(stack, config.optim), average=Average(stack, config.optim.ema),
                  config=config, device=torch.device("cpu"), total=9)
batch = blank_batch(config)
for step in range(2):
    assert not stepper.take(step, [(tasks, batch) for tasks in feeds(config)]).skipped
print(held("VmHWM") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="measures by Linux's own account of a process")
@pytest.mark.parametrize(("name", "cases"), [("tiny", 8), ("small", 1)])
def test_a_step_on_a_cpu_takes_the_planned_memory_within_15_percent(name: str, cases: int) -> None:
    command = [sys.executable, "-c", MEASURE, str(CONFIGS / f"{name}.yaml"), str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    config = replace(from_yaml(TrainConfig, CONFIGS / f"{name}.yaml"), batch_size=cases, device="cpu")
    planned = on_one(trace(config), config, count(config), Fleet(gpu=replace(GPUS["H100"], name="cpu"), count=1))
    assert sum(planned.values()) == pytest.approx(int(done.stdout), rel=0.15)


traced = cache(trace)
"""A step of the same run is traced once."""


@pytest.fixture
def planned(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    """A plan of the small run on some GPUs, changed as asked."""
    monkeypatch.setattr("rect_train.plan.make.trace", traced)
    run = replace(config, output_dir=Path("run"))
    return lambda fleet=H100, cases=None, mfu=0.4, **changes: make_plan(
        replace(run, **changes), fleet, mfu=mfu, cases=cases
    )


def trained(config: TrainConfig) -> int:
    """Parameters that move."""
    return sum(p.numel() for p in make_stack(config).parameters() if p.requires_grad)


def test_flops_are_those_of_a_step_that_is_taken(config: TrainConfig, planned: Callable[..., Plan]) -> None:
    torch.manual_seed(0)
    stack = make_stack(config).train()
    optimizer, cpu = make_optimizer(stack, config.optim), torch.device("cpu")
    stepper = Stepper(stack=stack, optimizer=optimizer, average=None, config=config, device=cpu, total=9)
    with flop_counter() as counter:
        assert not stepper.take(0, [(tasks, blank_batch(config)) for tasks in feeds(config)]).skipped
    assert sum(planned().flops.values()) == counter.get_total_flops() > 0


def test_weights_moments_and_averages_are_counted_to_the_byte(
    config: TrainConfig, planned: Callable[..., Plan]
) -> None:
    weights = trained(config)
    memory = planned().memory
    buffers = memory[WEIGHTS] - 4 * weights
    assert 0 <= buffers < 0.2 * 4 * weights, "stored prompts and what is usual of a region"
    assert memory[MOMENTS] == pytest.approx(8 * weights, rel=0.01), "and a counter for each tensor"
    assert memory[AVERAGE] == 4 * weights
    assert AVERAGE not in planned(optim=OptimConfig(ema=0.0)).memory


def test_gradients_that_accumulate_are_there_all_along(planned: Callable[..., Plan], config: TrainConfig) -> None:
    weights = trained(config)
    several = planned(optim=OptimConfig(ema=0.9, accumulate=2))
    assert several.memory[GRADIENTS] == 4 * weights
    assert sum(several.flops.values()) == 2 * sum(planned().flops.values())
    assert several.cases_per_step == 2 * planned().cases_per_step


def test_checkpointing_saves_memory_and_computes_again(planned: Callable[..., Plan]) -> None:
    plain, recomputed = planned(), planned(checkpointing=True)
    assert recomputed.memory == plain.otherwise
    assert plain.memory == recomputed.otherwise
    assert recomputed.needed < plain.needed
    assert recomputed.flops["encoder"] > plain.flops["encoder"]
    assert recomputed.flops["localizer"] == plain.flops["localizer"]


def test_a_larger_batch_takes_more_of_what_grows_and_no_more_of_the_rest(planned: Callable[..., Plan]) -> None:
    one, two = planned(batch_size=2).memory, planned(batch_size=4).memory
    assert two["localizer activations"] == pytest.approx(2 * one["localizer activations"], rel=0.1)
    assert two["batch"] == 2 * one["batch"]
    assert all(two[name] == one[name] for name in (WEIGHTS, MOMENTS, AVERAGE))


def test_weights_are_divided_over_the_gpus_of_a_node_and_activations_are_not(planned: Callable[..., Plan]) -> None:
    one, four = planned(), planned(Fleet(gpu=GPUS["H200"], count=4))
    assert four.memory[MOMENTS] == -(-one.memory[MOMENTS] // 4)
    assert four.memory["localizer activations"] == one.memory["localizer activations"]
    assert four.memory[GATHERED] > 0
    assert GATHERED not in one.memory
    assert sum(four.flops.values()) == 4 * sum(one.flops.values())
    sixteen = planned(Fleet(gpu=GPUS["H200"], count=16))
    assert sixteen.memory == planned(Fleet(gpu=GPUS["H200"], count=8)).memory, "nodes hold copies of each other"


def test_a_cpu_holds_imports_and_what_its_allocator_keeps_and_a_gpu_does_not(planned: Callable[..., Plan]) -> None:
    here = planned(parse_fleet("cpu")).memory
    assert here[IMPORTS] > 1e8
    assert here[KEPT] == pytest.approx(0.5 * sum(planned().memory.values()), rel=0.01)
    assert not {IMPORTS, KEPT} & planned().memory.keys()


def test_steps_and_hours_follow_from_cases_and_peak(planned: Callable[..., Plan]) -> None:
    plan = planned(cases=9)
    assert (plan.steps_per_epoch, plan.steps) == (3, 9)
    assert plan.seconds_per_step == sum(plan.flops.values()) / (GPUS["H100"].fp32 * 1e12 * 0.4)
    assert plan.hours == pytest.approx(9 * plan.seconds_per_step / 3600)
    assert planned(cases=9, mfu=0.2).hours == pytest.approx(2 * plan.hours)
    assert planned(cases=9, precision="bf16").seconds_per_step < plan.seconds_per_step
    assert planned().cases == 8, "counted in the store"


def test_without_store_and_cases_hours_are_not_known(config: TrainConfig, planned: Callable[..., Plan]) -> None:
    nowhere = replace(config.data, store=Path("nowhere"))
    plan = planned(data=nowhere)
    assert (plan.cases, plan.steps, plan.hours) == (None, None, None)
    assert "not known" in [row[1] for row in tables(plan)[3].rows]
    assert planned(data=nowhere, steps=7).hours == pytest.approx(7 * plan.seconds_per_step / 3600)


def test_what_does_not_fit_is_told_what_would(planned: Callable[..., Plan]) -> None:
    whole = planned()
    small = Fleet(gpu=Gpu(name="small", memory_gb=0.9 * whole.needed / 0.9e9, bf16=100, fp32=10), count=1)
    tight = planned(small)
    assert whole.fits
    assert not tight.fits
    assert any("batch_size=" in change or "checkpointing=true" in change for change in tight.advice)
    assert any("H100" in change for change in tight.advice)
    assert verdict(tight)[0].startswith("does not fit: ")
    assert verdict(whole)[0].startswith("fits: ")
    assert whole.advice == ()


def test_tables_add_up(planned: Callable[..., Plan]) -> None:
    plan = planned()
    named: dict[str, Table] = {table.title: table for table in tables(plan)}
    assert named["Memory of one GPU, GB"].rows[-1][0] == "together"
    assert f"{plan.needed / 1e9:,.2f}" in (*named["Memory of one GPU, GB"].rows[-1], "0.00")
    assert json.loads(json.dumps(plan.to_json()))["needed_bytes"] == plan.needed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("H300", "no GPU 'H300' is known; did you mean"),
        ("quantum", "known are A100-40"),
        ("0xH100", "give 1 to 8, or whole nodes of 8"),
        ("12xH100", "give 1 to 8, or whole nodes of 8, such as 16xH100"),
        ("2xcpu", "the processes of one machine share its CPU; give cpu"),
    ],
)
def test_gpus_that_do_not_exist_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match="--gpus") as refused:
        parse_fleet(text)
    assert said in str(refused.value)


def test_gpus_are_known_by_the_names_of_drivers_unless_they_are_slower_kinds() -> None:
    assert str(parse_fleet(" 4 x h200")) == "4xH200"
    assert parse_fleet("16xH100").nodes == 2
    assert named("NVIDIA H100 80GB HBM3") is GPUS["H100"]
    assert named("NVIDIA A100-SXM4-40GB") is GPUS["A100-40"]
    assert named("NVIDIA H100 PCIe") is None
    assert named("Tesla T4") is None
    assert this_cpu().bf16 > 0


def test_numbers_that_cannot_be_are_refused(planned: Callable[..., Plan]) -> None:
    with pytest.raises(ValueError, match=r"--mfu 1.5: give a share of the peak"):
        planned(mfu=1.5)
    with pytest.raises(ValueError, match=r"--cases 0: give at least 1"):
        planned(cases=0)


def test_a_store_on_another_grid_is_refused(config: TrainConfig) -> None:
    with pytest.raises(ValueError, match=r"lies on a grid of .* but the encoder reads"):
        make_plan(replace(config, model=None, preset="tiny"), H100)


def test_the_command_prints_tables_or_json_and_reads_no_weights(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rect_train.plan.make.trace", traced)
    tiny = ["plan", "--config", str(CONFIGS / "tiny.yaml"), "--gpus", "H100", "--cases", "100"]
    assert main(tiny) == 0
    shown = capsys.readouterr().out
    assert "tiny, phase 2 (classification, localization) on H100, 80 GB" in shown
    assert "localizer activations" in shown
    assert main([*tiny, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["fits"]
    assert sum(plan["flops_per_step"].values()) < 0.5e12, "the goal of a tiny step"
    assert main([*tiny[:4], "H1000"]) != 0
    assert "no GPU 'H1000' is known" in capsys.readouterr().err
