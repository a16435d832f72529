"""A localizer of toy size, its tokens and voxels."""

from collections.abc import Callable, Iterator

import pytest
import torch

from rect_core.preprocess import GridConfig
from rect_core.types import VisionTokens
from rect_localizer.config import LocalizerConfig


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Toy sizes gain nothing from more threads, and on a busy machine lose much."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def config() -> LocalizerConfig:
    return LocalizerConfig(
        width=24,
        text_width=16,
        text_length=6,
        grid=GridConfig(shape=(8, 32, 32), spacing_mm=(6.0, 4.0, 4.0)),
        patch=(2, 4, 4),
        channels=(8, 16, 24),
        gated=2,
        finding_channels=8,
        denoiser_width=24,
        denoiser_layers=2,
        denoiser_heads=2,
    )


@pytest.fixture(scope="session")
def make_tokens(config: LocalizerConfig) -> Callable[..., VisionTokens]:
    def make(batch: int = 1, seed: int = 0, fingerprint: str = "a" * 64) -> VisionTokens:
        g = torch.Generator().manual_seed(seed)
        d, h, w = config.token_grid
        n = d * h * w
        return VisionTokens(
            patches=torch.randn(batch, n, config.width, generator=g),
            regions=torch.randn(batch, 20, config.width, generator=g),
            region_present=torch.rand(batch, 20, generator=g) > 0.3,
            patch_present=torch.rand(batch, n, generator=g) > 0.3,
            pooled=torch.randn(batch, config.width, generator=g),
            grid=config.token_grid,
            centres_mm=torch.zeros(batch, n, 3),
            fingerprint=fingerprint,
        )

    return make
