"""`rect predict`: scans in, a folder of files for each out."""

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rect_core.config import from_yaml
from rect_core.errors import ScanError
from rect_core.folders import check_place, check_root
from rect_vlm.cases import Case, find_cases
from rect_vlm.cli.common import Commands, add_model, add_scans, load_model, stderr, stdout, threshold
from rect_vlm.cli.show import show_prediction
from rect_vlm.model import ReCTVLM
from rect_vlm.outputs import is_prediction, read_record
from rect_vlm.prediction import Prediction
from rect_vlm.settings import PredictSettings
from rect_vlm.tables import write_tables


def add_parser(commands: Commands) -> None:
    """Adds the command and its options."""
    command = commands.add_parser("predict", help="findings, lesions and a report for one scan or many")
    add_scans(command)
    add_model(command)
    command.add_argument(
        "--out", metavar="DIR", default="predictions", help="where the case folders go (default: predictions)"
    )
    command.add_argument("--config", metavar="FILE", help="YAML of these settings, as in configs/; flags win over it")
    command.add_argument(
        "--threshold", type=threshold, help="cut for all 18 findings (default: the weights' operating points)"
    )
    command.add_argument(
        "--localization-threshold", type=threshold, help="cut for the masks (default: the weights' operating points)"
    )
    command.add_argument("--no-report", dest="report", action="store_false", default=None, help="leave the report out")
    command.add_argument("--prob-maps", action="store_true", default=None, help="also write the masks' probabilities")
    command.add_argument("--anonymous-ids", action="store_true", help="name cases case-0001, ... instead of by file")
    command.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    existing = command.add_mutually_exclusive_group()
    existing.add_argument("--skip-existing", action="store_true", help="leave cases alone that are there already")
    existing.add_argument("--force", action="store_true", help="replace cases that are there already")
    command.set_defaults(run=run)


@dataclass
class Batch:
    """How far a run has come."""

    done: list[Case] = field(default_factory=list)
    skipped: list[Case] = field(default_factory=list)
    failed: list[tuple[Case, str]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    shown: Prediction | None = None  # of a single scan only: a batch must not hold on to volumes


def run(options: argparse.Namespace) -> int:
    """Predicts every case; a scan that is refused does not stop the rest."""
    options = _with_settings(options)
    if options.anonymous_ids and options.skip_existing:
        raise ValueError("--anonymous-ids numbers cases anew each time, so --skip-existing cannot know them: drop one")
    regions = Path(options.regions) if options.regions else None
    cases = find_cases(options.scans, regions=regions, anonymous=options.anonymous_ids)
    out = Path(options.out)
    batch = Batch(skipped=[c for c in cases if options.skip_existing and is_prediction(out / c.case_id)])
    todo = [case for case in cases if case not in batch.skipped]
    for case in batch.skipped:
        read_record(out / case.case_id)
    _refuse_existing(todo, out, force=options.force)
    model = load_model(options) if todo else None
    start = time.perf_counter()
    if model:
        _predict_all(model, todo, options, batch)
    present = [case.case_id for case in cases if case in batch.done or case in batch.skipped]
    if len(cases) > 1 and present:
        write_tables(out, present)
    _tell(options, cases, batch, time.perf_counter() - start)
    return 1 if batch.failed else 0


def _with_settings(options: argparse.Namespace) -> argparse.Namespace:
    """The options with what the command line left open filled in from --config, or else the defaults."""
    settings = PredictSettings() if options.config is None else _read_settings(Path(options.config))
    given = {name: value for name, value in vars(options).items() if value is not None}
    return argparse.Namespace(**{**vars(options), **asdict(settings), **given})


def _read_settings(path: Path) -> PredictSettings:
    if not path.is_file():
        raise ValueError(f"--config {path.name!r} is not a file: give a YAML of settings, as in configs/")
    try:
        return from_yaml(PredictSettings, path)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _refuse_existing(todo: list[Case], out: Path, *, force: bool) -> None:
    check_root(out)
    there = [case.case_id for case in todo if is_prediction(out / case.case_id)]
    if there and not force:
        raise ScanError(
            "output",
            f"{out.name}/{there[0]} exists ({len(there)} of {len(todo)}): give --force to replace or --skip-existing",
        )
    for case in todo:
        check_place(out / case.case_id, force=force, ours=is_prediction)


def _predict_all(model: ReCTVLM, todo: list[Case], options: argparse.Namespace, batch: Batch) -> None:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = stderr()
    with Progress(*columns, console=console, disable=not console.is_terminal or len(todo) == 1) as progress:
        task = progress.add_task("scans", total=len(todo))
        for case in todo:
            progress.update(task, description=case.case_id)
            _predict_one(model, case, options, batch, single=len(todo) == 1)
            progress.advance(task)
            if not console.is_terminal and len(todo) > 1:
                console.print(f"{len(batch.done) + len(batch.failed)}/{len(todo)} {case.case_id}", markup=False)


def _predict_one(model: ReCTVLM, case: Case, options: argparse.Namespace, batch: Batch, *, single: bool) -> None:
    try:
        prediction = model.predict(
            case.path,
            case.regions,
            case_id=case.case_id,
            generate_report=options.report,
            classification_threshold=options.threshold,
            localization_threshold=options.localization_threshold,
            allow_tilt=options.allow_tilt,
        )
        prediction.save(options.out, force=options.force, prob_maps=options.prob_maps)
    except ScanError as error:
        batch.failed.append((case, str(error)))
        return
    except (MemoryError, torch.OutOfMemoryError):
        batch.failed.append((case, f"{case.path.name}: out of memory: use a machine or device with more of it"))
        return
    batch.done.append(case)
    if single:
        batch.shown = prediction
    if options.json:
        report = prediction.report.to_json() if prediction.report else None
        batch.records.append({**prediction.record.to_json(), "report": report})


def _tell(options: argparse.Namespace, cases: list[Case], batch: Batch, seconds: float) -> None:
    out = Path(options.out)
    if options.json:
        failed = [{"case_id": case.case_id, "error": why} for case, why in batch.failed]
        skipped = [case.case_id for case in batch.skipped]
        json.dump({"cases": batch.records, "failed": failed, "skipped": skipped}, sys.stdout, indent=2)
        print()
    elif len(cases) == 1 and batch.shown:
        show_prediction(batch.shown, out / cases[0].case_id, stdout())
    console = stderr()
    if len(cases) > 1:
        console.print(
            f"{len(batch.done)} done, {len(batch.skipped)} skipped, {len(batch.failed)} failed in {seconds:.1f} s; "
            f"files are in {out}",
            markup=False,
        )
        if options.anonymous_ids:
            console.print("\n".join(f"{case.case_id} = {case.path.name}" for case in cases), markup=False)
    for case, why in batch.failed:
        console.print(f"failed: {case.case_id}: {why}", style="red", markup=False)
