"""`rect-eval PRED TRUTH --out DIR`: scores, tables and a report."""

import argparse
import json
import sys
from pathlib import Path

from rect_core.errors import DataError
from rect_core.folders import check_place
from rect_eval.cli.common import Command, add_evaluation, options_of
from rect_eval.cli.progress import progress
from rect_eval.cli.terminal import evaluation_lines, show, width, wrapped
from rect_eval.output import is_ours, to_json, write
from rect_eval.run import evaluate


def add(parser: argparse.ArgumentParser) -> None:
    """What is scored against what, and where the files go."""
    add_inputs(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="where metrics.json, CSV and report.html go"
    )
    parser.add_argument("--force", action="store_true", help="replace an earlier evaluation in DIR")
    parser.add_argument("--json", action="store_true", help="print metrics.json instead of a table")
    add_controls(parser)
    add_evaluation(parser)


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Predictions and truth."""
    parser.add_argument(
        "predictions", type=Path, metavar="PRED", help="folder of `rect predict`, VLM3D .json, .csv, .parquet"
    )
    parser.add_argument(
        "truth", type=Path, metavar="TRUTH", help="manifest, labels or reports .csv, or a folder of these"
    )


def add_controls(parser: argparse.ArgumentParser) -> None:
    """Reports of others that stand beside those of the predictions."""
    parser.add_argument(
        "--control",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help='reports to score beside these; "second report" and "reference-label round trip" are ceilings; repeatable',
    )


def run(options: argparse.Namespace) -> int:
    """Scores, writes and tells; 1 when predictions were missing."""
    check_place(options.out, force=options.force, ours=is_ours)
    chosen = options_of(options)
    with progress(quiet=options.quiet) as tell:
        found = evaluate(options.predictions, options.truth, chosen, controls_of(options.control), progress=tell)
        tell("writing", 0, 0)
        write(found, options.out, force=options.force)
    if options.json:
        json.dump(to_json(found), sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        names = ", ".join(sorted(path.name for path in options.out.iterdir()))
        show([*evaluation_lines(found, width()), "", f"Files: {options.out}/", wrapped(names, width(), "  ")])
    return 1 if found.cohort.failures else 0


def controls_of(given: list[str]) -> dict[str, Path]:
    """NAME=PATH pairs as a mapping."""
    found: dict[str, Path] = {}
    for text in given:
        name, mark, path = text.partition("=")
        if not (name.strip() and mark and path):
            raise DataError(f"--control {text!r} is not NAME=PATH: give a name and a folder or file of predictions")
        if name.strip() in found:
            raise DataError(f"--control {name.strip()!r} is given twice: give every control a name of its own")
        found[name.strip()] = Path(path)
    return found


COMMAND = Command(
    about="Scores predictions against a truth, with intervals and the controls that say what a score is worth.",
    add=add,
    run=run,
)
