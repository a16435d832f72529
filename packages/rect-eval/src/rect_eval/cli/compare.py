"""`rect-eval compare A B TRUTH`: is one system better than another?"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from rect_core.folders import check_place
from rect_eval.cli.common import Command, add_evaluation, options_of
from rect_eval.cli.progress import progress
from rect_eval.cli.terminal import columns, show, width, wrapped
from rect_eval.controls import lower_is_better
from rect_eval.output.comparison import comparison_json, is_comparison, p_text, write_comparison
from rect_eval.output.words import PARTS, count, interval, minor, number, words
from rect_eval.run import PARTS as PART_NAMES
from rect_eval.run import Comparison, Difference, compare

_LEAST: Final = 18
"""So many letters of a name stay, whatever the terminal."""


def add(parser: argparse.ArgumentParser) -> None:
    """Two systems and one truth."""
    parser.add_argument("a", type=Path, metavar="A", help="predictions of one system")
    parser.add_argument("b", type=Path, metavar="B", help="predictions of the other")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="what both are scored against")
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write comparison.json and comparison.csv there")
    parser.add_argument("--force", action="store_true", help="replace an earlier comparison in DIR")
    parser.add_argument("--json", action="store_true", help="print comparison.json instead of a table")
    add_evaluation(parser)


def run(options: argparse.Namespace) -> int:
    """Compares, writes and tells; 1 when predictions were missing."""
    if options.out is not None:
        check_place(options.out, force=options.force, ours=is_comparison)
    chosen = options_of(options)
    with progress(quiet=options.quiet) as tell:
        found = compare(options.a, options.b, options.truth, chosen, progress=tell)
    if options.out is not None:
        write_comparison(found, options.out, force=options.force)
    if options.json:
        json.dump(comparison_json(found), sys.stdout, indent=2, allow_nan=False)
        print()
    else:
        show(comparison_lines(found, width()))
    return 1 if found.cohort.failures else 0


def comparison_lines(found: Comparison, across: int) -> list[str]:
    """Who is compared, and a table a part; on a narrow terminal names are cut and a letter tells who is better."""
    lines = [f"{found.b} (B) minus {found.a} (A), both scored against {found.truth}"]
    lines.append(f"{count(found.cohort.patients, 'patient')}; intervals and p-values draw and swap whole patients")
    for part in PART_NAMES:
        rows = [x for x in found.differences if x.part == part and not minor(x.score)]
        if rows:
            lines += ["", *_table(PARTS[part], list(map(_row, rows)), across)]
    return [*lines, "", *(wrapped(f"note: {note}", across) for note in found.notes)]


def _table(title: str, rows: list[list[str]], across: int) -> list[str]:
    head = [title, "A", "B", "B - A", "95 % interval", "p"]
    wide = columns([[*head, ""], *rows])
    if max(map(len, wide)) <= across:
        return wide
    short = [[*head, "better"], *([*row[:-1], row[-1][:1]] for row in rows)]
    room = across - max(map(len, columns([["", *row[1:]] for row in short])))
    cut = [row[0] if len(row[0]) <= room else row[0][: max(room, _LEAST) - 1] + "…" for row in short]
    return columns([[name, *row[1:]] for name, row in zip(cut, short, strict=True)])


def _row(x: Difference) -> list[str]:
    values = [number(value, x.score) for value in (x.a, x.b, x.difference.value)]
    return [f"  {words(x.score)}", *values, interval(x.difference, x.score), p_text(x.p), _verdict(x)]


def _verdict(x: Difference) -> str:
    """Which system is better, where the interval leaves no doubt."""
    low, high = x.difference.low, x.difference.high
    if not (low > 0 or high < 0):
        return ""
    return "B is better" if (low > 0) != lower_is_better(x.score) else "A is better"


COMMAND = Command(
    about="Differences of two systems on the same cases, with paired intervals and permutation tests.", add=add, run=run
)
