"""A scan on a grid small enough for a dense reference, and the encoder for it."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from rect_core.preprocess import GridConfig
from rect_encoder import EncoderConfig, VisionEncoder

Scan = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def config() -> EncoderConfig:
    """4x4x4 patches, two layers."""
    grid = GridConfig(shape=(8, 16, 16), spacing_mm=(20.0, 16.0, 16.0))
    return EncoderConfig(dim=16, depth=2, heads=2, patch=(2, 4, 4), grid=grid)


@pytest.fixture
def encoder(config: EncoderConfig) -> VisionEncoder:
    return VisionEncoder.untrained(config)


@pytest.fixture
def scan(config: EncoderConfig) -> Callable[..., Any]:
    """Makes (voxels, regions, valid) from a seed: blocks of six labels, the other regions absent, some padding."""

    def make(seed: int = 0, valid: tuple[tuple[int, int], ...] = ((2, 8), (0, 11), (4, 16))) -> Scan:
        random = torch.Generator().manual_seed(seed)
        shape = config.grid.shape
        inside = torch.zeros(shape, dtype=torch.bool)
        inside[tuple(slice(*r) for r in valid)] = True
        labels = torch.tensor([0, 1, 2, 5, 8, 9, 20], dtype=torch.uint8)
        coarse = labels[torch.randint(0, len(labels), (4, 8, 8), generator=random)]
        regions = coarse.repeat_interleave(2, 0).repeat_interleave(2, 1).repeat_interleave(2, 2)
        voxels = torch.rand(shape, generator=random) * 2 - 1
        voxels, regions = torch.where(inside, voxels, -1.0), torch.where(inside, regions, 0)
        return voxels[None, None], regions[None], torch.tensor([valid])

    return make
