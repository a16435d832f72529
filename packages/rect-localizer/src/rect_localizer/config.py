"""Sizes of the localizer."""

from dataclasses import dataclass, field
from typing import Final

from rect_core.findings import LOCALIZED
from rect_core.preprocess import GridConfig

Step = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalizerConfig:
    """Sizes of the localizer and the encoder it belongs to; the defaults are rect-localizer-base.

    width, grid, patch: of the encoder's tokens, model grid and patches. text_width: of the prompts' token vectors;
    text_length: how many tokens the stored prompts have room for. channels: of the U-Net, one a level from the model
    grid down to the grid of the tokens; groups: of its group norms; repeats: convolutions that follow the one into each
    level on the way down; refine: whether one follows at full size on the way up, where it costs as much as all of a
    coarser level. gated: how many of the coarsest levels see the text. finding_channels: of what is kept a
    finding at those levels. denoiser_*: sizes of the denoising transformer. findings: what the stored prompts stand
    for. encoder: its folder as seen from this head's own folder, or a Hub id; encoder_fingerprint: of the encoder this
    head was trained on, "" accepts any (an untrained head).
    """

    width: int = 768
    text_width: int = 384
    text_length: int = 32
    grid: GridConfig = field(default_factory=GridConfig)
    patch: tuple[int, int, int] = (4, 16, 16)
    channels: tuple[int, ...] = (16, 32, 64, 192, 432)
    groups: int = 8
    repeats: int = 1
    refine: bool = True
    gated: int = 3
    finding_channels: int = 16
    denoiser_width: int = 768
    denoiser_layers: int = 4
    denoiser_heads: int = 12
    findings: tuple[str, ...] = LOCALIZED
    encoder: str = "../encoder"
    encoder_fingerprint: str = ""

    def __post_init__(self) -> None:
        self._check_counts()
        d, h, w = self.patch
        if h != w or any(p < 1 or p & (p - 1) for p in self.patch) or d > h or h == 1:
            raise ValueError(f"patch {self.patch} must be powers of two, square in-plane and no deeper than wide")
        if len(self.channels) != h.bit_length():
            raise ValueError(f"patch {self.patch} needs {h.bit_length()} channels, one a level, not {self.channels}")
        if any(n % p for n, p in zip(self.grid.shape, self.patch, strict=True)):
            raise ValueError(f"grid {self.grid.shape} is not a multiple of patch {self.patch}")
        if uneven := [c for c in (*self.channels, self.finding_channels) if c % self.groups]:
            raise ValueError(f"channels {uneven} are not multiples of groups {self.groups}")
        if not 1 <= self.gated < len(self.channels):
            raise ValueError(f"gated {self.gated} must lie in 1..{len(self.channels) - 1}, the levels below full size")
        if self.denoiser_width % (2 * self.denoiser_heads):
            raise ValueError(
                f"denoiser_width {self.denoiser_width} is not a multiple of 2 x {self.denoiser_heads} heads"
            )
        if not self.findings or len(set(self.findings)) < len(self.findings):
            raise ValueError(f"findings must be one or more different names, not {self.findings}")

    def _check_counts(self) -> None:
        counts = {
            "width": self.width,
            "text_width": self.text_width,
            "text_length": self.text_length,
            "groups": self.groups,
            "finding_channels": self.finding_channels,
            "denoiser_width": self.denoiser_width,
            "denoiser_layers": self.denoiser_layers,
            "denoiser_heads": self.denoiser_heads,
        }
        for name, value in counts.items():
            if value < 1:
                raise ValueError(f"{name} is {value}: give at least 1")
        if self.repeats < 0:
            raise ValueError(f"repeats is {self.repeats}: give 0 or more")
        if min(self.channels, default=0) < 1:
            raise ValueError(f"channels {self.channels}: give at least 1 a level")

    @property
    def steps(self) -> tuple[Step, ...]:
        """How much each level below full size is coarser than the one above it: in-plane first, slices are thick."""
        planes, slices = self.patch[1].bit_length() - 1, self.patch[0].bit_length() - 1
        return tuple((2 if level >= planes - slices else 1, 2, 2) for level in range(planes))

    @property
    def token_grid(self) -> tuple[int, int, int]:
        """(gd, gh, gw) of the encoder's patches."""
        d, h, w = (n // p for n, p in zip(self.grid.shape, self.patch, strict=True))
        return d, h, w


TINY: Final = LocalizerConfig(
    width=192,
    grid=GridConfig(shape=(48, 128, 128), spacing_mm=(6.5, 3.0, 3.0)),
    channels=(8, 16, 16, 32, 64),
    repeats=0,
    refine=False,
    gated=2,
    denoiser_width=192,
    denoiser_layers=2,
    denoiser_heads=6,
)
SMALL: Final = LocalizerConfig(
    width=384,
    grid=GridConfig(shape=(64, 256, 256), spacing_mm=(5.0, 1.5, 1.5)),
    channels=(16, 32, 64, 128, 256),
    denoiser_width=384,
    denoiser_heads=6,
)
BASE: Final = LocalizerConfig()
