"""`rect-eval fit-thresholds PRED TRUTH`: calibration and cuts, for scoring other cases with."""

import argparse
import os
import secrets
from pathlib import Path

import numpy as np

from rect_core.errors import DataError
from rect_core.types import OperatingPoints
from rect_eval.cli.common import Command, add_cases, choice
from rect_eval.cli.progress import progress
from rect_eval.cli.score import add_inputs
from rect_eval.cli.terminal import columns, show
from rect_eval.run import Options, load, split_parts


def add(parser: argparse.ArgumentParser) -> None:
    """Predictions of cases that are not scored afterwards."""
    add_inputs(parser)
    methods = "platt", "temperature", "isotonic", "none"
    parser.add_argument(
        "--method",
        type=choice(*methods),
        default="platt",
        metavar="|".join(methods),
        help="calibration (default: platt)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("operating_points.json"), metavar="FILE", help="default: operating_points.json"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_cases(parser)


def run(options: argparse.Namespace) -> int:
    """Fits, writes and shows; cases without a prediction are left out."""
    _check_place(options.out, force=options.force)
    chosen = Options(split=options.split, allow_missing=options.allow_missing, only=("classification",))
    with progress(quiet=options.quiet) as tell:
        pairs = split_parts(load(options.predictions, options.truth, chosen, {}, progress=tell).pairs, chosen).found[
            "classification"
        ]
        tell("fitting", 0, 0)
    from rect_eval.calibration import fit_with_warnings
    from rect_eval.run.decide import logits_of

    rows = [n for n, p in enumerate(pairs.predictions) if p is not None]
    found = [p for p in pairs.predictions if p is not None]
    source = options.truth.absolute().name + (f", split {options.split}" if options.split else "")
    points, warnings = fit_with_warnings(
        pairs.labels[rows],
        np.stack([logits_of(p) for p in found]),
        method=options.method,
        patients=pairs.patients[rows],
        fitted_on=source,
    )
    _save(points, options.out)
    lines = _lines(points)
    without = sum(p.logits is None for p in found)
    if without:
        lines.append(
            f"note: {without} of {len(found)} predictions have no logits; their probabilities were turned into some"
        )
    if pairs.missing:
        lines.append(f"note: {len(pairs.missing)} cases have no prediction and were left out")
    lines += [f"warning: {warning}" for warning in warnings]
    lines.append(
        f"{options.out} holds {', '.join(points.thresholds)}; score other cases with --thresholds {options.out}:f1"
    )
    show(lines)
    return 1 if pairs.missing else 0


def _check_place(path: Path, *, force: bool) -> None:
    if path.is_dir():
        raise DataError(f"--out {path.name!r} is a folder: give a file")
    if path.exists() and not force:
        raise DataError(f"--out {path.name!r} exists: give --force to replace it, or another --out")
    if not path.absolute().parent.is_dir():
        raise DataError(f"--out: there is no folder {path.absolute().parent.name!r}: make it first")


def _save(points: OperatingPoints, path: Path) -> None:
    """Whole or not at all."""
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        points.save(scratch)
        os.replace(scratch, path)  # noqa: PTH105
    finally:
        scratch.unlink(missing_ok=True)


def _lines(points: OperatingPoints) -> list[str]:
    names = list(points.thresholds)
    rows = [["label", "scale", "bias", *names]]
    for k, label in enumerate(points.labels):
        cuts = [f"{points.thresholds[name][k]:.3f}" for name in names]
        curve = "knots" if label in points.isotonic else f"{points.scale[k]:.3f}"
        rows.append([label, curve, f"{points.bias[k]:.3f}".replace("-0.000", "0.000"), *cuts])
    return columns(rows)


COMMAND = Command(
    about="Fits calibration and cuts of the 18 labels. Fit them on patients that are not scored afterwards.",
    add=add,
    run=run,
)
