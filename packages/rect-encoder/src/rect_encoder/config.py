"""Sizes of the vision encoder, and the three that are published."""

from dataclasses import dataclass, field
from typing import Final

from rect_core.preprocess import GridConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderConfig:
    """Sizes of the vision encoder; the defaults are BASE (88M parameters).

    dim: width of a token; depth: blocks; heads: attention heads of a block; patch: voxels of a patch along (d, h, w);
    grid: the model grid that scans are brought to; neighbours: slices of patches a patch reads above and below its own;
    full_layers: blocks (counted from 0) whose patches read all slices instead; mlp_ratio: hidden width of a block's
    MLP over dim. Raises ValueError where the numbers do not fit together.
    """

    dim: int = 768
    depth: int = 12
    heads: int = 12
    patch: tuple[int, int, int] = (4, 16, 16)
    grid: GridConfig = field(default_factory=GridConfig)
    neighbours: int = 1
    full_layers: tuple[int, ...] = ()
    mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        for name, value in (("dim", self.dim), ("depth", self.depth), ("heads", self.heads)):
            if value < 1:
                raise ValueError(f"{name} is {value}: give at least 1")
        if self.dim % self.heads:
            raise ValueError(f"dim {self.dim} is not a multiple of heads {self.heads}")
        for axis, voxels, patch in zip("dhw", self.grid.shape, self.patch, strict=True):
            if patch < 1 or voxels % patch:
                raise ValueError(f"grid has {voxels} voxels along {axis}, which is not a multiple of patch {patch}")
        if self.neighbours < 0:
            raise ValueError(f"neighbours is {self.neighbours}: give 0 or more slices")
        if len(set(self.full_layers)) < len(self.full_layers) or not set(self.full_layers) <= set(range(self.depth)):
            raise ValueError(f"full_layers {self.full_layers}: give each layer once, between 0 and {self.depth - 1}")
        if self.hidden < 1:
            raise ValueError(f"mlp_ratio is {self.mlp_ratio}: give more than 0")

    @property
    def hidden(self) -> int:
        """Width of a block's MLP."""
        return round(self.dim * self.mlp_ratio)

    @property
    def patch_grid(self) -> tuple[int, int, int]:
        """Patches along (d, h, w)."""
        d, h, w = (voxels // patch for voxels, patch in zip(self.grid.shape, self.patch, strict=True))
        return d, h, w

    @property
    def patch_ml(self) -> float:
        """Volume of one patch in millilitres."""
        volume_mm3 = 1.0
        for voxels, spacing_mm in zip(self.patch, self.grid.spacing_mm, strict=True):
            volume_mm3 *= voxels * spacing_mm
        return volume_mm3 / 1000.0


TINY: Final = EncoderConfig(
    dim=192,
    depth=4,
    heads=6,
    grid=GridConfig(shape=(48, 128, 128), spacing_mm=(6.5, 3.0, 3.0)),
)
"""2M parameters, 768 patches: a scan in a fraction of a second on two CPU cores."""

SMALL: Final = EncoderConfig(
    dim=384, depth=8, heads=6, grid=GridConfig(shape=(64, 256, 256), spacing_mm=(5.0, 1.5, 1.5))
)
"""15M parameters, 4,096 patches."""

BASE: Final = EncoderConfig()
"""88M parameters, 16,384 patches."""
