"""What can be chosen about an evaluation."""

from dataclasses import dataclass, field
from typing import Final, Literal

from rect_core.findings import LABELS
from rect_core.frame import GridConfig
from rect_core.types import OperatingPoints

Part = Literal["classification", "localization", "reports"]
PARTS: Final[tuple[Part, ...]] = ("classification", "localization", "reports")

Plain = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """How probabilities become decisions; with none of these the predictions' own cuts, and 0.5 where they have none.

    cut: one cut for all labels. points: fitted operating points, whose calibration is applied too, and the objective
    whose cuts are taken; source: the name of their file. fit_here: an objective whose cuts are fitted on the very
    cases that are scored, which flatters and is labelled so.
    """

    cut: float | None = None
    points: OperatingPoints | None = None
    objective: str = ""
    source: str = ""
    fit_here: str = ""

    def __post_init__(self) -> None:
        given = [self.cut is not None, self.points is not None, bool(self.fit_here)]
        if sum(given) > 1:
            raise ValueError("thresholds: give one cut, or operating points, or an objective to fit here, not several")
        if self.points is not None and self.points.labels != LABELS:
            raise ValueError("operating points are of other labels, or in another order: fit them again with rect-eval")
        if self.points is not None and self.objective not in self.points.thresholds:
            known = ", ".join(sorted(self.points.thresholds)) or "none"
            raise ValueError(f"operating points have no thresholds for {self.objective!r}: they have {known}")

    def __str__(self) -> str:
        if self.cut is not None:
            return f"{self.cut:g} for every label"
        if self.points is not None:
            return f"{self.objective} of {self.source or 'operating points'} (fitted on {self.points.fitted_on or '?'})"
        if self.fit_here:
            return f"{self.fit_here}, fitted on the scored cases themselves"
        return "the predictions' own, else 0.5"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Settings of one evaluation.

    protocol: "vlm3d" follows the challenge's rules exactly: reconstructions, a cut of 0.5, zero for undefined.
    unit: what counts once, a scan (mean over its reconstructions) or a reconstruction. only: parts that must be scored;
    where empty, those of `parts` that truth and predictions allow. labeler: "rules", a file of TextClassifier or a
    folder of RadBERT weights. reference: what generated reports are compared with. grid: of the model, for the oracle
    Dice. meteor: its jar, a folder with it, or "pycocoevalcap".
    """

    protocol: Literal["rect", "vlm3d"] = "rect"
    unit: Literal["scan", "reconstruction"] = "scan"
    split: str = ""
    only: tuple[Part, ...] = ()
    parts: tuple[Part, ...] = PARTS
    thresholds: Thresholds = field(default_factory=Thresholds)
    allow_missing: bool = False
    labeler: str = "rules"
    reference: Literal["report", "labels"] = "report"
    resamples: int = 1000
    interval: Literal["percentile", "bca"] = "percentile"
    seed: int = 0
    workers: int = 1
    grid: GridConfig | None = None
    grid_name: str = ""
    meteor: str = ""

    def __post_init__(self) -> None:
        if self.resamples < 0:
            raise ValueError(f"resamples {self.resamples} is below 0: give 0 (no intervals) or more")
        if self.workers < 1:
            raise ValueError(f"workers {self.workers} is below 1")
        if self.protocol == "vlm3d" and str(self.thresholds) != str(Thresholds()):
            raise ValueError("protocol vlm3d decides at 0.5: drop the thresholds, or use protocol rect")

    @property
    def counted(self) -> Literal["scan", "reconstruction"]:
        """What counts once: the challenge knows reconstructions only."""
        return "reconstruction" if self.protocol == "vlm3d" else self.unit

    def plain(self) -> dict[str, Plain]:
        """The settings as text and numbers, without places on this machine."""
        return {
            "protocol": self.protocol,
            "unit": self.counted,
            "split": self.split or None,
            "only": ",".join(self.only) or None,
            "thresholds": "0.5 (vlm3d)" if self.protocol == "vlm3d" else str(self.thresholds),
            "allow_missing": self.allow_missing,
            "labeler": _name(self.labeler),
            "reference": self.reference,
            "resamples": self.resamples,
            "interval": self.interval,
            "seed": self.seed,
            "grid": self.grid_name or (str(self.grid) if self.grid else None),
        }


def _name(labeler: str) -> str:
    return labeler.replace("\\", "/").rstrip("/").rpartition("/")[2]
