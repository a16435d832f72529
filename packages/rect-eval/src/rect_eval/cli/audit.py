"""`rect-eval audit PRED TRUTH`: do the scores show that the system looked at the scan?"""

import argparse
import json
import sys
from dataclasses import replace
from math import isnan
from typing import Final

from rect_core.errors import DataError
from rect_eval.cli.common import Command, add_evaluation, options_of
from rect_eval.cli.progress import progress
from rect_eval.cli.score import add_controls, add_inputs, controls_of
from rect_eval.cli.terminal import section_lines, show, width, wrapped
from rect_eval.output.flags import flags, told
from rect_eval.output.words import count
from rect_eval.run import Evaluation, Part, evaluate
from rect_eval.scores import Section

_CONTROLLED: Final[tuple[Part, ...]] = ("classification", "reports")
"""The parts that have controls."""


def add(parser: argparse.ArgumentParser) -> None:
    """As for an evaluation, without a place for files."""
    add_inputs(parser)
    parser.add_argument("--json", action="store_true", help="print flags and controls as JSON")
    add_controls(parser)
    add_evaluation(parser)


def run(options: argparse.Namespace) -> int:
    """Tells which scores a floor reaches; 1 when there is one, or when predictions were missing."""
    chosen = replace(options_of(options), parts=_CONTROLLED)
    if not set(chosen.only) <= set(_CONTROLLED):
        raise DataError("localization has no controls to audit: give --only classification, reports or both")
    with progress(quiet=options.quiet) as tell:
        found = evaluate(options.predictions, options.truth, chosen, controls_of(options.control), progress=tell)
    reached = sum(len(flags(section)) for section in found.sections)
    if options.json:
        json.dump({section.name: _plain(section) for section in found.sections}, sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        show(_lines(found, reached, width()))
    return 1 if reached or found.cohort.failures else 0


def _lines(found: Evaluation, reached: int, across: int) -> list[str]:
    lines = [f"{found.predictions} audited against {found.truth}"]
    lines += [wrapped(f"warning: {text}", across) for text in found.warnings]
    for section in found.sections:
        lines += ["", *section_lines(section, across, controlled=True)]
        lines += [wrapped(f"{control.name}: {control.explained}", across, "  ") for control in section.controls]
    verdict = (
        f"{count(reached, 'score')} {'is' if reached == 1 else 'are'} reached by a control: see the lines with an "
        "exclamation mark. Such a score does not show that the system looked at the scan."
        if reached
        else "No score is reached by a control."
    )
    return [*lines, "", wrapped(verdict, across)]


def _plain(section: Section) -> dict[str, object]:
    return {
        "flags": {name: told(name, controls) for name, controls in flags(section).items()},
        "controls": {
            control.name: {name: None if isnan(s.value) else s.value for name, s in control.scores.items()}
            for control in section.controls
        },
    }


COMMAND = Command(
    about="Tells in words which scores a control reaches, and exits with 1 when there is one.", add=add, run=run
)
