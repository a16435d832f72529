"""Sizes that cannot be are refused; published sizes are what they say."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from rect_core.config import from_dict, to_dict
from rect_encoder import BASE, SMALL, TINY, EncoderConfig, VisionEncoder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 5}, "dim 192 is not a multiple of heads 5"),
        ({"depth": 0}, "depth is 0: give at least 1"),
        ({"patch": (4, 8, 7)}, "grid has 128 voxels along w, which is not a multiple of patch 7"),
        ({"patch": (0, 8, 8)}, "grid has 48 voxels along d"),
        ({"neighbours": -1}, "neighbours is -1"),
        ({"full_layers": (4,)}, "full_layers .*between 0 and 3"),
        ({"full_layers": (1, 1)}, "full_layers .*each layer once"),
        ({"mlp_ratio": 0.0}, "mlp_ratio is 0.0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


@pytest.mark.parametrize("config", [TINY, SMALL, BASE, replace(TINY, full_layers=(1, 3), mlp_ratio=3.5)])
def test_a_config_survives_plain_dicts(config: EncoderConfig) -> None:
    assert from_dict(EncoderConfig, to_dict(config)) == config


@pytest.mark.parametrize(
    ("config", "millions", "patch_grid"),
    [(TINY, 2.19, (12, 8, 8)), (SMALL, 15.25, (16, 16, 16)), (BASE, 88.04, (16, 32, 32))],
    ids=["tiny", "small", "base"],
)
def test_published_sizes_on_the_meta_device(
    config: EncoderConfig, millions: float, patch_grid: tuple[int, int, int]
) -> None:
    with torch.device("meta"):
        encoder = VisionEncoder(config)
    count = sum(p.numel() for p in encoder.parameters())
    assert all(tensor.is_meta for tensor in encoder.state_dict().values())
    assert count / 1e6 == pytest.approx(millions, abs=0.01)
    assert config.patch_grid == patch_grid


def test_a_patch_of_the_base_grid_is_2_88_ml() -> None:
    assert BASE.patch_ml == pytest.approx(20 * 12 * 12 / 1000)
