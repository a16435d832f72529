"""Every demo in configs/ is a run that `rect predict` would take; those of `rect-train` are read by its own tests."""

from pathlib import Path

import pytest

from rect_core.config import from_yaml
from rect_vlm.settings import PredictSettings

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("demo*.yaml"))


def test_there_are_configs() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_has_no_unknown_key_and_names_no_weights_but_the_installed_ones(path: Path) -> None:
    assert from_yaml(PredictSettings, path).model is None
