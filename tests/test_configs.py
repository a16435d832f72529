"""Every demo in configs/ is a run that `rect predict` would take; those of `rect-train` are read by its own tests."""

from pathlib import Path

import pytest

from rect_core.config import from_yaml
from rect_vlm.presets import PRESETS
from rect_vlm.settings import PredictSettings

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("demo*.yaml"))


def test_there_are_configs() -> None:
    assert CONFIGS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_a_config_has_no_unknown_key_and_names_a_preset_that_exists(path: Path) -> None:
    settings = from_yaml(PredictSettings, path)
    assert (settings.model or "").removeprefix("untrained:") in PRESETS
