"""What a dataset is asked for and what it hands out."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor

from rect_core.axis import Range
from rect_core.types.report import Reasoning


class Draw(NamedTuple):
    """Which row of a dataset, in which epoch, and how often this epoch has drawn it before: all that chance depends on.

    It travels from the sampler to the worker, so that no worker needs to be told the epoch.
    """

    row: int
    epoch: int = 0
    repeat: int = 0

    def seed(self, seed: int, purpose: int = 0) -> int:
        """A 63-bit seed that depends on the run's seed, the draw and the purpose alone, the same on every machine."""
        keys = np.random.SeedSequence([seed, purpose, *self])
        return int(keys.generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One case on the model grid.

    voxels: HU of the grid's range as [-1, 1], padding -1. regions: 0 to 20, classical unless `regions_true`. lesions:
    instance numbers of the five findings in the order of LOCALIZED, zeros where a finding is not `known`. partial: the
    mask marks some of the lesions only, so its zeros mean nothing either. labels: 0, 1 or NaN. report: "" is missing.
    valid: half-open (d, h, w) ranges of the cells inside the scan. spacing_mm, hu_range: of the grid.
    """

    case_id: str
    draw: Draw
    voxels: Float32[Tensor, "1 d h w"]
    regions: UInt8[Tensor, "d h w"]
    regions_true: bool
    lesions: UInt8[Tensor, "5 d h w"]
    known: Bool[Tensor, " 5"]
    partial: Bool[Tensor, " 5"]
    labels: Float32[Tensor, " 18"]
    report: str
    reasoning: Reasoning | None
    valid: tuple[Range, Range, Range]
    spacing_mm: tuple[float, float, float]
    hu_range: tuple[float, float]
