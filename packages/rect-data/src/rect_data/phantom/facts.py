"""What is true of a phantom, in words and numbers: the one source of its report and its reasoning."""

from dataclasses import dataclass
from math import nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One finding of a phantom.

    label: one of the 18, or "" for a normal variant that a reader may mention. kind: what it is, in plain words
    ("part-solid nodule", "free effusion"). side: right, left, bilateral, midline or "". lobes: names of parts.LOBES.
    size_mm: longest in-plane diameter of the largest, thickness for effusions, width for nodes; NaN where a size says
    nothing. number: how many. severity: mild, moderate, severe or "". details: further plain words, such as "with air
    bronchograms". finding and instances: the masks of a localized finding; side, lobes, size and number are then
    measured from these masks, whatever was intended.
    """

    label: str
    kind: str
    side: str = ""
    lobes: tuple[str, ...] = ()
    size_mm: float = nan
    number: int = 1
    severity: str = ""
    details: tuple[str, ...] = ()
    uncertain: bool = False
    finding: str = ""
    instances: tuple[int, ...] = ()


def pericardial_severity(thickness_mm: float) -> str:
    """Mild below 10 mm, moderate to 20, severe above (Klein et al. 2013, doi:10.1016/j.echo.2013.06.023)."""
    return "mild" if thickness_mm < 10 else "moderate" if thickness_mm <= 20 else "severe"
