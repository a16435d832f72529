"""configs/*.yaml: real runs, built without memory and counted."""

from pathlib import Path

import pytest
import torch

from rect_core.config import from_yaml
from rect_train.config import TrainConfig
from rect_train.stack import make_stack

FOLDER = Path(__file__).parents[3] / "configs"
COUNTS = {"tiny": (3.8, 135), "small": (29.6, 8030), "medium": (104.2, 27227), "large": (135.4, 70554)}
"""Millions of parameters: of encoder, classifier and localizer together, and of the language model."""


@pytest.mark.parametrize("name", COUNTS)
def test_a_config_builds_its_stack_on_the_meta_device(name: str) -> None:
    config = from_yaml(TrainConfig, FOLDER / f"{name}.yaml")
    with torch.device("meta"):
        stack = make_stack(config)
    assert config.preset == name
    assert config.language is not None
    held = sum(p.numel() for p in stack.parameters())
    assert (round(held / 1e6, 1), round(config.language.parameters / 1e6)) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_every_key_of_a_config_is_explained_where_it_stands(name: str) -> None:
    lines = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    keys = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    assert [line for line in keys if "#" not in line and not line.rstrip().endswith(":")] == []
