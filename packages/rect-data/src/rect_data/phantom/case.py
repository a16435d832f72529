"""One finished phantom: a scan and everything that is true of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from rect_core.anatomy import RegionMap
from rect_core.findings import LABELS
from rect_core.types import Lesions, Reasoning
from rect_core.volume import Volume
from rect_data.phantom.facts import Fact
from rect_data.phantom.grid import Grid
from rect_data.phantom.patient import Patient
from rect_data.phantom.plan import Study
from rect_data.phantom.report.texts import ReportTexts
from rect_data.phantom.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A phantom on the grid it is written on.

    case_id: as CT-RATE names it after the split, such as "1_a_1". labels: 0 or 1 for each of the 18, in their order.
    parts: the `Part` of each voxel; lobes: 1 to 5 as in `parts.LOBES`, 0 elsewhere. lesions: of all five localized
    findings; an instance that the grid cannot show is not among them, and of that the warnings tell. facts: all that is
    true, sizes and places as measured on the (finer) voxels it was drawn on. metadata: CT-RATE's columns but the name.
    contrast_hu: what iodine adds to arterial blood, 0 without.
    """

    case_id: str
    study: Study
    patient: Patient
    settings: Settings
    grid: Grid
    volume: Volume
    regions: RegionMap
    parts: UInt8[np.ndarray, "d h w"]
    lobes: UInt8[np.ndarray, "d h w"]
    lesions: Lesions
    labels: tuple[float, ...]
    facts: tuple[Fact, ...]
    report: ReportTexts
    reasoning: Reasoning
    metadata: Mapping[str, str]
    contrast_hu: float = 0.0
    warnings: tuple[str, ...] = ()

    @property
    def positive(self) -> tuple[str, ...]:
        """Names of the labels that are 1."""
        return tuple(label for label, value in zip(LABELS, self.labels, strict=True) if value)
