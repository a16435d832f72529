"""One case: its masks are read, cropped and scored finding by finding; only small rows leave the process."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rect_core.anatomy import RegionMap, regions
from rect_core.errors import DataError, ScanError
from rect_core.findings import REGIONS
from rect_core.frame import Frame, GridConfig
from rect_core.masks import read_mask
from rect_core.preprocess import Preprocess
from rect_core.read import read_volume
from rect_core.types import MaskCrop
from rect_core.volume import Volume
from rect_eval.cases import Predicted, Truth
from rect_eval.localization.masks import nothing_on, read_ids, scan_grid
from rect_eval.localization.score import Result, score_finding


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A case and the findings to score; predicted None: the prediction is missing."""

    truth: Truth
    predicted: Predicted | None
    findings: tuple[str, ...]
    grid: GridConfig | None = None


def score_case(job: Job) -> tuple[Result, ...]:
    """One result a finding. Raises DataError that names the case for a mask that cannot be used."""
    truth, predicted = job.truth, job.predicted
    volume = _grid(truth)
    frame = _frame(job, volume)
    found = []
    for finding in job.findings:
        here = _read(truth.lesions[finding], volume, truth.case_id, f"true {finding}")
        there = nothing_on(volume)
        if predicted is not None and finding in predicted.lesions:
            there = _read(predicted.lesions[finding], volume, truth.case_id, f"predicted {finding}")
        found.append(
            score_finding(
                finding,
                here,
                there,
                volume,
                frame,
                partial=finding in truth.partial,
                missing=predicted is None,
                prob=_prob(predicted, finding),
            )
        )
    return tuple(found)


def has_volume(truth: Truth) -> bool:
    """Whether the scan itself can be asked for its grid; otherwise the grid of the true masks is taken for it."""
    return truth.volume is not None and truth.volume.exists()


def _grid(truth: Truth) -> Volume:
    first = next(iter(truth.lesions.values()))
    own = first.with_name(first.name.partition("#")[0])
    source = truth.volume if truth.volume is not None and has_volume(truth) else own
    try:
        return scan_grid(source, truth.case_id)
    except ScanError as error:
        raise DataError(f"case {truth.case_id!r}: {error}") from error


def _read(source: Path, volume: Volume, case_id: str, what: str) -> MaskCrop:
    try:
        return read_ids(source, volume)
    except ScanError as error:
        raise DataError(f"case {case_id!r}, {what}: {error}") from error


def _prob(predicted: Predicted | None, finding: str) -> dict[int, float]:
    measured = () if predicted is None else predicted.measured
    return {lesion.instance: lesion.prob for lesion in measured if lesion.finding == finding}


def _frame(job: Job, volume: Volume) -> Frame | None:
    """Where the model grid lay: by the regions that the prediction used, else the true ones, else those that the
    classical route finds in the scan. None where no grid is asked for, or no lung is known."""
    if job.grid is None:
        return None
    try:
        found = _regions(job, volume)
        return None if found is None else Preprocess(job.grid).frame(volume, found)
    except ScanError as error:
        if error.check == "mask":
            raise DataError(f"case {job.truth.case_id!r}, regions: {error}") from error
        return None


def _regions(job: Job, volume: Volume) -> RegionMap | None:
    folder = None if job.predicted is None else job.predicted.folder
    given = [None if folder is None else folder / "regions.nii.gz", job.truth.regions]
    for path in given:
        if path is not None and path.is_file():
            labels = read_mask(path, volume)
            if int(labels.max()) <= len(REGIONS):
                return RegionMap(labels=np.ascontiguousarray(labels, np.uint8), origin="given")
    if job.truth.volume is None or not has_volume(job.truth):
        return None
    return regions(read_volume(job.truth.volume), job.truth.regions)
