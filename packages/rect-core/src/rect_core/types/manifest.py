"""One row of a data set's manifest: rect-data writes them, the trainer and rect-eval read them."""

from dataclasses import dataclass, field

from rect_core.findings import LABELS
from rect_core.types.report import Reasoning


@dataclass(frozen=True, kw_only=True, slots=True)
class ManifestRow:
    """One reconstruction. Paths are relative to the manifest; labels are 0, 1 or NaN (unknown) in the order of LABELS;
    an excluded row names its reason in `exclusion`."""

    case_id: str
    volume: str
    patient: str
    scan: str
    split: str
    spacing_mm: tuple[float, float, float]
    regions: str = ""
    lobes: str = ""
    lesions: dict[str, str] = field(default_factory=dict)
    labels: tuple[float, ...] = (float("nan"),) * len(LABELS)
    report: str = ""
    reasoning: Reasoning | None = None
    exclusion: str = ""

    def __post_init__(self) -> None:
        if len(self.labels) != len(LABELS):
            raise ValueError(f"{self.case_id}: {len(self.labels)} labels instead of {len(LABELS)}")
