"""One case: its masks are read, cropped and scored finding by finding; only small rows leave the process."""

from dataclasses import dataclass
from pathlib import Path

from rect_core.errors import DataError, ScanError
from rect_core.frame import Frame, GridConfig
from rect_core.preprocess import Preprocess
from rect_core.types import MaskCrop
from rect_core.volume import Volume
from rect_eval.cases import Predicted, Truth
from rect_eval.io.manifest import file_and_part
from rect_eval.localization.masks import nothing_on, read_ids, scan_grid
from rect_eval.localization.regions import regions_of
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
                missing=finding not in looked_for(predicted),
                prob=_prob(predicted, finding),
            )
        )
    return tuple(found)


def looked_for(predicted: Predicted | None) -> set[str]:
    """The findings that a prediction looked for as masks."""
    return set() if predicted is None else {*predicted.assessed, *predicted.lesions}


def has_volume(truth: Truth) -> bool:
    """Whether the scan itself can be asked for its grid; otherwise the grid of the true masks is taken for it."""
    return truth.volume is not None and truth.volume.exists()


def _grid(truth: Truth) -> Volume:
    first = next(iter(truth.lesions.values()))
    own, _ = file_and_part(first)
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
        scan = job.truth.volume if has_volume(job.truth) else None
        found = regions_of(job.truth, job.predicted, volume, scan)
        return None if found is None else Preprocess(job.grid).frame(volume, found)
    except ScanError as error:
        if error.check == "mask":
            raise DataError(f"case {job.truth.case_id!r}, regions: {error}") from error
        return None
