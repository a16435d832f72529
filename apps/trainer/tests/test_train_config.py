"""Configs: what is refused before anything is read, and what a command line makes of its words."""

from pathlib import Path

import pytest

from rect_core.config import from_dict, from_yaml, to_yaml
from rect_train.cli.args import config_from, train_parser
from rect_train.config import TrainConfig
from rect_vlm.presets import Preset


def parsed(*words: str) -> TrainConfig:
    return config_from(train_parser().parse_args(words))


def test_a_config_with_its_own_sizes_survives_yaml(config: TrainConfig, sizes: Preset) -> None:
    assert from_yaml(TrainConfig, to_yaml(config)) == config
    assert config.sizes is sizes


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"phase": "1.3"}, r"phase 1\.3 cannot be trained yet: give one of 0, 1\.1, 1\.2, 2"),
        ({"phase": "4"}, r"TrainConfig\.phase: '4' is not a choice"),
        ({"phase": "1.1", "tasks": ["localization"]}, "task 'localization' is none of phase 1.1: give classification"),
        ({"tasks": ["clasification"]}, "did you mean 'classification'"),
        ({"tasks": ["classification", "classification"]}, "give each once"),
        ({"phase": "1.1", "phase1": ["a", "b"]}, "2 checkpoints of phase 1 in phase 1.1"),
        ({"phase1": ["a"]}, "1 checkpoints of phase 1 in phase 2: phase 2 takes two"),
        ({"init": "a", "phase1": ["a", "b"]}, "both given"),
        ({"epochs": 0}, "epochs 0: give at least 1"),
        ({"steps": 0}, "steps 0: give at least 1"),
        ({"seed": -1}, "seed -1"),
        ({"optim": {"lr": 0.0}}, "lr 0.0: give more than 0"),
        ({"optim": {"lr": float("nan")}}, "lr nan: give more than 0"),
        ({"optim": {"spike": 1.0}}, "spike 1.0"),
        ({"optim": {"betas": [0.9, 1.0]}}, "beta 1.0"),
        ({"optim": {"encoder": -1.0}}, "give 0 or more"),
        ({"optim": {"lrr": 1}}, r"TrainConfig\.optim\.lrr: unknown key; did you mean 'lr'\?"),
        ({"loss": {"localization": -2.0}}, "localization -2.0: give a weight of 0 or more"),
        ({"loss": {"mask_ratio": 1.0}}, "mask_ratio 1.0"),
        ({"save": {"keep": 0}}, "keep 0"),
        ({"data": {"workers": -1}}, "workers -1"),
        ({"data": {"balance": 2.0}}, "balance 2.0"),
        ({"data": {"augment": {"crop": [1, 2, 3]}}}, "reads whole grids"),
    ],
)
def test_what_cannot_be_trained_is_refused_by_name(data: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_dict(TrainConfig, data)


def test_options_and_overrides_fill_a_config_with_its_types() -> None:
    config = parsed(
        *("--phase", "2", "--tasks", "classification", "optim.lr=1e-4", "--epochs", "3", "--batch-size", "16"),
        *("--output-dir", "runs/x", "data.workers=0", "steps=5", "loss.uncertainty=true", "optim.betas=[0.8, 0.9]"),
        *("phase=1.1", "text=1.5", "data.store=7", "--init", "runs/a"),
    )
    assert (config.phase, config.tasks, config.epochs, config.batch_size) == ("1.1", ("classification",), 3, 16)
    assert (config.optim.lr, config.optim.betas, config.steps) == (1e-4, (0.8, 0.9), 5)
    assert config.loss.uncertainty
    assert (config.output_dir, config.init, config.data.store) == (Path("runs/x"), Path("runs/a"), Path("7"))
    assert config.text == "1.5", "text stays text"


def test_a_key_of_the_models_own_sizes_can_be_overridden(config: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(to_yaml(config), encoding="utf-8")
    assert parsed("--config", str(tmp_path / "run.yaml"), "model.encoder.depth=2").sizes.encoder.depth == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("optim.lrr=1",), "did you mean 'lr'"),
        (("optin.lr=1",), r"TrainConfig\.optin: unknown key; did you mean 'optim'"),
        (("optim.lr=fast",), r"TrainConfig\.optim\.lr: expected a number, got str 'fast'"),
        (("epochs=1.5",), "expected a whole number"),
        (("epochs.x=1",), "expected a whole number"),
        (("data.origin=phantom",), "did you mean 'phantoms'"),
        (("quick",), "give key=value"),
        (("--allow-change", "epochs"), "--allow-change is for --resume"),
        (("--resume", "--allow-change", "epoch"), "no such key"),
    ],
)
def test_a_word_that_fits_nothing_is_refused_with_the_nearest(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parsed(*words)
