"""What one scan gives: scores, lesions with masks, a report, and how all of it came to be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from rect_core.anatomy import RegionMap
from rect_core.preprocess import Frame
from rect_core.types import FindingScores, Lesion, Lesions, PredictionRecord, Report
from rect_core.volume import Volume


class Masks(Mapping[str, Bool[np.ndarray, "i j k"]]):
    """Finding -> boolean mask in the axes and on the grid the scan was given in; each array is made when asked for."""

    def __init__(self, lesions: Lesions, volume: Volume) -> None:
        self._lesions = lesions
        self._volume = volume

    def __getitem__(self, finding: str) -> Bool[np.ndarray, "i j k"]:
        if finding not in self._lesions.crops:
            raise KeyError(f"{finding!r} was not looked for; asked were {', '.join(self._lesions.crops)}")
        return self._volume.stored.to_stored(self._lesions.crops[finding].dense() > 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lesions.crops)

    def __len__(self) -> int:
        return len(self._lesions.crops)


@dataclass(frozen=True, slots=True)
class Localization:
    """Lesions and their masks; `localization["masks"]` works as well as `localization.masks`."""

    lesions: tuple[Lesion, ...]
    masks: Masks

    def __getitem__(self, key: str) -> Any:
        return {"lesions": self.lesions, "masks": self.masks}[key]


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """Everything about one scan. `save(folder)` writes the files that docs/OUTPUTS.md describes.

    prob_maps: [k gd gh gw] on the model grid, one for each asked finding; frame leads back to the scan's voxels.
    run: versions, fingerprints, timings and checks, as run.json holds them.
    """

    record: PredictionRecord
    lesions: Lesions
    report: Report | None
    volume: Volume
    regions: RegionMap
    frame: Frame
    prob_maps: Float[Tensor, "k gd gh gw"]
    run: Mapping[str, Any]

    @property
    def classification(self) -> FindingScores:
        """The 18 scores."""
        return self.record.scores

    @property
    def localization(self) -> Localization:
        """Lesions and masks."""
        return Localization(self.lesions.items, Masks(self.lesions, self.volume))

    @property
    def reports(self) -> tuple[str, ...]:
        """The report's text; empty when no report was asked for."""
        return (self.report.text,) if self.report else ()

    def __getitem__(self, key: str) -> Any:
        """`out["classification"]["disease_names"]`, for callers who keep to keys."""
        faces = {"classification", "localization", "reports", "report", "record", "lesions", "run"}
        if key not in faces:
            raise KeyError(f"{key!r}: a prediction has {', '.join(sorted(faces))}")
        return {
            "classification": self.classification,
            "localization": self.localization,
            "reports": self.reports,
            "report": self.report,
            "record": self.record,
            "lesions": self.lesions,
            "run": self.run,
        }[key]

    def prob_map(self, finding: str) -> Shaped[np.ndarray, "d h w"]:
        """Probability of one asked finding on the scan's voxels in (d, h, w) order; 0 outside the model grid.

        A finding that was not asked for raises KeyError.
        """
        if finding not in self.lesions.asked:
            raise KeyError(f"{finding!r} was not looked for; asked were {', '.join(self.lesions.asked)}")
        return self.frame.restore_soft(self.prob_maps[self.lesions.asked.index(finding)])

    def save(self, folder: str | Path, *, force: bool = False, prob_maps: bool = False) -> Path:
        """Writes `<folder>/<case_id>/` whole or not at all and returns it; an existing one needs force=True."""
        from rect_vlm.outputs import save_prediction

        return save_prediction(self, Path(folder), force=force, prob_maps=prob_maps)
