"""Training as Ray Train starts it; `ray` itself is not needed here.

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer
from rect_core.config import from_yaml, to_dict
from rect_train.config import TrainConfig
from rect_train.ray import train_loop_per_worker

TorchTrainer(
    train_loop_per_worker,
    train_loop_config=to_dict(from_yaml(TrainConfig, "run.yaml")),
    scaling_config=ScalingConfig(num_workers=8, use_gpu=True),
    run_config=RunConfig(failure_config=FailureConfig(max_failures=3)),
).fit()
"""

from collections.abc import Mapping
from typing import Any

from rect_core.config import from_dict
from rect_train.cli.progress import progress
from rect_train.config import TrainConfig
from rect_train.loop import train
from rect_train.run import is_run


def train_loop_per_worker(config: Mapping[str, Any]) -> None:
    """Trains in the process group that Ray has made; a run that is there already goes on, as after a failure.

    config: a TrainConfig as plain dicts, as `rect_core.config.to_dict` gives it. Its output_dir must be a folder that
    all machines share. Raises as `train` does.
    """
    run = from_dict(TrainConfig, dict(config))
    with progress() as screen:
        train(run, resume=is_run(run.output_dir), screen=screen)
