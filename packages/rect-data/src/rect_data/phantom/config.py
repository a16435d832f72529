"""What a phantom world is made of: a seed, the grid its scans are written on, and how often each label occurs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Final

from rect_core.findings import LABELS

PREVALENCE: Final[Mapping[str, float]] = dict(
    zip(
        LABELS,
        (
            *(0.090, 0.264, 0.104, 0.067, 0.225, 0.126, 0.217, 0.193, 0.228),
            *(0.435, 0.387, 0.259, 0.105, 0.080, 0.103, 0.176, 0.102, 0.075),
        ),
        strict=True,
    )
)
"""Share of CT-RATE's reports with each label (Hamamci et al. 2024, https://arxiv.org/abs/2403.17834; approximate)."""

COARSEST_MM: Final = (3.0, 1.5, 1.5)
"""No phantom is drawn on larger voxels than these, whatever grid it is written on."""

_LIMITS_MM: Final = (0.5, 12.0)
_MOST_VOXELS: Final = 1024
_CHEST_MM: Final = (330.0, 400.0, 400.0)
_MOST_DRAWN: Final = 250e6
_BYTES: Final = 45
"""Memory that drawing takes for each voxel of a chest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhantomConfig:
    """One world of phantoms; a case depends on its index and on these numbers alone.

    seed: 0 and up. spacing_mm: voxels of the written scans along (d, h, w); they are drawn on voxels of at most
    COARSEST_MM and averaged where spacing_mm is larger, always the whole chest. size: voxels of the written scan along
    (d, h, w), cut or padded with air around the chest; None: whatever the case's field of view needs. prevalence: share
    of cases with each of the 18 labels. Raises ValueError for a value outside its range.
    """

    seed: int = 7
    size: tuple[int, int, int] | None = None
    spacing_mm: tuple[float, float, float] = COARSEST_MM
    prevalence: Mapping[str, float] = field(default_factory=lambda: dict(PREVALENCE))

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} is negative: give 0 or more")
        low, high = _LIMITS_MM
        if len(self.spacing_mm) != 3 or not all(low <= s <= high for s in self.spacing_mm):
            raise ValueError(f"spacing_mm {self.spacing_mm}: give (d, h, w), each between {low} and {high} mm")
        drawn = prod(_CHEST_MM) / prod(self.drawing_mm)
        if drawn > _MOST_DRAWN:
            raise ValueError(
                f"spacing_mm {self.spacing_mm} draws a chest on {drawn / 1e6:.0f} million voxels, which takes "
                f"{drawn * _BYTES / 1e9:.0f} GB: give larger voxels, such as (0.7, 0.7, 0.7)"
            )
        if self.size is not None and not _is_size(self.size):
            raise ValueError(f"size {self.size}: give (d, h, w), each a whole number between 16 and {_MOST_VOXELS}")
        if set(self.prevalence) != set(LABELS):
            raise ValueError("prevalence needs each of the 18 labels once")
        if wrong := [p for p in self.prevalence.values() if not 0 <= p <= 1]:
            raise ValueError(f"prevalence {wrong[0]}: give a share between 0 and 1")

    @property
    def drawing_mm(self) -> tuple[float, float, float]:
        """Voxels that the phantom is drawn on."""
        d, h, w = (min(s, c) for s, c in zip(self.spacing_mm, COARSEST_MM, strict=True))
        return d, h, w


def _is_size(size: tuple[int, int, int]) -> bool:
    return len(size) == 3 and all(isinstance(n, int) and 16 <= n <= _MOST_VOXELS for n in size)
