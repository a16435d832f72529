"""Predictions of a model over a split, scored by rect-eval: one folder, which a stopped evaluation goes on in."""

import hashlib
import json
import shutil
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError, ScanError
from rect_core.masks import replacing
from rect_core.types import OperatingPoints, OutlinePoints
from rect_eval.output import write
from rect_eval.run import Evaluation, Options
from rect_eval.run import evaluate as score
from rect_train.changes import changes, shown
from rect_train.evaluate.pictures import draw, drawn
from rect_train.evaluate.scans import Scans
from rect_vlm import ReCTVLM
from rect_vlm.outputs import is_prediction

PREDICTIONS: Final = "predictions"
TRUTH: Final = "truth"
PICTURES: Final = "visualizations"
SETTINGS: Final = "evaluation.json"
_SCORES: Final = ("metrics.json", "report.html", "*_classes.csv", "*_cases.csv")
"""What rect-eval writes."""

Progress = Callable[[int, int, str], None]
"""Called with how many cases are done, of how many, and the last one's name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked of an evaluation. data: name of what it is about; split: of it, "" is all; reports: write and score
    reports; pictures: draw every case beside its truth; workers: processes that read masks; resamples: of patients, for
    the intervals; oracle: also score what the model grid could hold at best."""

    data: str
    split: str
    reports: bool = False
    pictures: bool = False
    workers: int = 1
    resamples: int = 1000
    oracle: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of an evaluation. failed: case -> why it has no prediction."""

    evaluation: Evaluation
    predicted: int
    skipped: int
    failed: dict[str, str]


def evaluate(
    model: ReCTVLM,
    scans: Scans,
    out: Path,
    wanted: Wanted,
    *,
    force: bool = False,
    progress: Progress = lambda done, total, name: None,
) -> Outcome:
    """Writes predictions/, truth/, visualizations/, metrics.json, tables and report.html to `out`.

    Predictions of the same weights and settings that are there are not made again; where others are there, force begins
    again. A scan that is refused counts as a failure and does not stop the rest. Raises DataError (ValueError).
    """
    _claim(out, _settings(model, scans, wanted), force=force)
    done, failed = 0, {}
    for number, row in enumerate(scans.rows):
        if not _is_there(model, out, row.case_id, wanted):
            try:
                _predict(model, scans, number, out, wanted)
                done += 1
            except ScanError as error:
                if error.check == "output":
                    raise
                failed[row.case_id] = str(error)
        progress(number + 1, len(scans.rows), row.case_id)
    if len(failed) == len(scans.rows):
        raise DataError(f"no scan could be predicted; the first: {next(iter(failed.values()))}")
    found = _scored(model, scans, out, wanted, failed=failed)
    _publish(found, out)
    return Outcome(evaluation=found, predicted=done, skipped=len(scans.rows) - done - len(failed), failed=failed)


def _predict(model: ReCTVLM, scans: Scans, number: int, out: Path, wanted: Wanted) -> None:
    row = scans.rows[number]
    prediction = scans.predict(model, row, report=wanted.reports)
    if wanted.pictures:
        draw(prediction, scans.lesions(row, prediction.volume), out / PICTURES)
    prediction.save(out / PREDICTIONS, force=True)


def _is_there(model: ReCTVLM, out: Path, case_id: str, wanted: Wanted) -> bool:
    """Whether a case was predicted with these weights, and drawn where that is wanted."""
    folder = out / PREDICTIONS / case_id
    if not is_prediction(folder):
        return False
    said = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    same: bool = said["fingerprints"] == model.fingerprints
    return same and (not wanted.pictures or drawn(out / PICTURES, case_id))


def _scored(model: ReCTVLM, scans: Scans, out: Path, wanted: Wanted, *, failed: Collection[str]) -> Evaluation:
    truth = scans.write_truth(out / TRUTH, failed)
    grid = model.encoder.config.grid if wanted.oracle and scans.grid == "scan" else None
    options = Options(
        parts=("classification", "localization", *(("reports",) if wanted.reports else ())),
        allow_missing=bool(failed),
        workers=wanted.workers,
        resamples=wanted.resamples,
        grid=grid,
        grid_name=""
        if grid is None
        else "{} x {} x {} cells of {:g} x {:g} x {:g} mm".format(*grid.shape, *grid.spacing_mm),
    )
    found = score(out / PREDICTIONS, truth, options)
    settings = {"checkpoint": model.name, "data": wanted.data, "split": wanted.split or None}
    if scans.grid == "model":
        settings["grid"] = "model"
    return replace(
        found,
        truth=wanted.data,
        settings={**found.settings, **settings},
        warnings=(*([scans.note] if scans.note else []), *found.warnings, *_fitted(model, wanted)),
    )


def _fitted(model: ReCTVLM, wanted: Wanted) -> list[str]:
    """What must be known of operating points that may have been fitted on the very cases that are scored."""
    fitted = (
        ("Calibration and cuts", model.points, "a probability or a decision"),
        ("Peaks of outlines", model.outline_points, "an outline"),
    )
    return [
        f"{what} were fitted on: {points.fitted_on} If that is this very data, every score that rests on {rests} is "
        "flattered."
        for what, points, rests in fitted
        if points is not None and f"split {wanted.split}:" in points.fitted_on
    ]


def _settings(model: ReCTVLM, scans: Scans, wanted: Wanted) -> dict[str, Any]:
    """What predictions depend on."""
    return {
        "fingerprints": model.fingerprints,
        "operating_points": _digest(model.points),
        "outline_points": _digest(model.outline_points),
        "data": wanted.data,
        "split": wanted.split,
        "grid": scans.grid,
        "reports": wanted.reports,
    }


def _digest(points: OperatingPoints | OutlinePoints | None) -> str:
    return "" if points is None else hashlib.sha256(json.dumps(asdict(points)).encode()).hexdigest()


def _claim(out: Path, settings: dict[str, Any], *, force: bool) -> None:
    """Makes `out` the folder of an evaluation with these settings, or goes on in one."""
    if out.exists() and not out.is_dir():
        raise DataError(f"{out.name} is a file: give a folder")
    path = out / SETTINGS
    if not path.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise DataError(f"{out.name} is not empty and holds no evaluation: give a new folder")
    else:
        before = json.loads(path.read_text(encoding="utf-8"))
        differs = changes(before, settings)
        if differs and not force:
            raise DataError(f"{out.name} holds another evaluation ({shown(differs)}): give --force or another folder")
        if force:
            for name in (PREDICTIONS, TRUTH, PICTURES):
                shutil.rmtree(out / name, ignore_errors=True)
            for old in (path for pattern in _SCORES for path in out.glob(pattern)):
                old.unlink()
    out.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write((json.dumps(settings, indent=2) + "\n").encode())


def _publish(found: Evaluation, out: Path) -> None:
    """Puts rect-eval's files beside the predictions, metrics.json last."""
    scratch = out / ".scores"
    shutil.rmtree(scratch, ignore_errors=True)
    write(found, scratch)
    for path in sorted(scratch.iterdir(), key=lambda path: path.name == "metrics.json"):
        path.replace(out / path.name)
    scratch.rmdir()
