"""Other places to follow a run in: a protocol of two methods, and extras that are asked for where they are missing."""

import math
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from rect_core.config import from_dict
from rect_train.config import TrainConfig
from rect_train.guard import RunError
from rect_train.loop import train
from rect_train.run import METRICS, read_rows
from rect_train.track import Tracker, Trackers, check


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.closed = 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.rows.append((step, dict(values)))

    def close(self) -> None:
        self.closed += 1


def test_all_trackers_are_told_the_finite_numbers_of_a_row() -> None:
    one, two = Notes(), Notes()
    each: tuple[Tracker, ...] = (one, two)
    trackers = Trackers(each=each)
    trackers.log({"step": 3, "loss": 0.5, "mfu": math.nan, "gradient_norm": math.inf})
    trackers.close()
    assert one.rows == two.rows == [(3, {"loss": 0.5})]
    assert (one.closed, two.closed) == (1, 1)


@pytest.mark.parametrize("service", ["wandb", "mlflow"])
def test_a_missing_extra_is_named_before_anything_is_written(config: TrainConfig, service: str) -> None:
    if find_spec(service):
        pytest.skip(f"{service} is installed here")
    run = from_dict(TrainConfig, {"track": ["tensorboard", service]})
    with pytest.raises(ImportError, match=rf"pip install 'rect-train\[{service}\]', or leave it out of track"):
        train(replace(config, track=run.track))
    assert not config.output_dir.exists()
    check(("tensorboard",))


def test_a_tracker_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'tensorboard'"):
        from_dict(TrainConfig, {"track": ["tensorbord"]})
    with pytest.raises(ValueError, match="track tensorboard, tensorboard: give each once"):
        TrainConfig(track=("tensorboard", "tensorboard"))


def test_a_run_goes_on_with_other_trackers_unasked(config: TrainConfig) -> None:
    train(replace(config, steps=2, track=()))
    assert not (config.output_dir / "tensorboard").exists()
    assert train(replace(config, steps=2, track=("tensorboard",)), resume=True)
    assert (config.output_dir / "tensorboard").is_dir()


@pytest.mark.skipif(not find_spec("mlflow"), reason="mlflow is not installed: pip install 'rect-train[mlflow]'")
@pytest.mark.filterwarnings("default")
def test_mlflow_holds_the_numbers_of_a_run_and_goes_on_with_it(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow  # type: ignore[import-not-found,unused-ignore]

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # a database needs more than mlflow-skinny
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    train(replace(config, steps=2, track=("mlflow",)))
    train(replace(config, steps=4, track=("mlflow",)), resume=True, allow=("steps",))
    run = (config.output_dir / "mlflow.id").read_text("utf-8")
    history = mlflow.MlflowClient().get_metric_history(run, "loss")
    losses = [(row["step"], row["loss"]) for row in read_rows(config.output_dir / METRICS) if "loss" in row]
    assert [(one.step, one.value) for one in history] == losses
    mlflow.set_tracking_uri((tmp_path / "others").as_uri())
    with pytest.raises(RunError, match="MLflow does not answer as it should"):
        train(replace(config, steps=5, track=("mlflow",)), resume=True, allow=("steps",))
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    assert len(mlflow.search_runs(output_format="list")) == 1


@pytest.mark.skipif(not find_spec("wandb"), reason="wandb is not installed: pip install 'rect-train[wandb]'")
@pytest.mark.filterwarnings("default")
def test_wandb_keeps_a_run_offline(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    train(replace(config, steps=2, track=("wandb",)))
    assert len([*config.output_dir.glob("wandb/offline-run-*/run-*.wandb")]) == 1
    assert (config.output_dir / "wandb.id").read_text("utf-8")
