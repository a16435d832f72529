"""`rect-eval label FILE`: what the rules read in a report."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rect_core.errors import DataError
from rect_eval.cli.common import Command
from rect_eval.cli.terminal import columns, show, width

if TYPE_CHECKING:
    from rect_eval.labeler import Labelled, Mention


def add(parser: argparse.ArgumentParser) -> None:
    """A report."""
    parser.add_argument("report", metavar="FILE|-", help="a report as text in UTF-8; - reads standard input")
    parser.add_argument("--json", action="store_true", help="print states and mentions as JSON")


def run(options: argparse.Namespace) -> int:
    """Prints a line a mention, and which labels are not mentioned."""
    from rect_eval.labeler import label

    found = label(_text(options.report))
    if options.json:
        mentions = [asdict(mention) for mention in found.mentions]
        json.dump({"states": dict(found.states), "mentions": mentions}, sys.stdout, indent=2)
        print()
    else:
        show(lines(found, width()))
    return 0


def lines(found: "Labelled", across: int) -> list[str]:
    """Finding, state, side, place, size and the words themselves."""
    silent = [name for name, state in found.states.items() if state == "not mentioned"]
    table: list[str] = []
    if found.mentions:
        head = ["finding", "state", "side", "place", "size", "quoted"]
        table = columns([head, *(_row(mention) for mention in found.mentions)], left=6)
    table = [line if len(line) <= across else line[: across - 1] + "…" for line in table]
    rest = f"not mentioned: {', '.join(silent)}" if silent else "every label is mentioned"
    return [*table, rest] if table else ["no finding is mentioned", rest]


def _row(mention: "Mention") -> list[str]:
    sizes = " x ".join(f"{size:g}" for size in mention.sizes_mm)
    remarks = [mention.comparison, "past" if mention.historical else ""]
    state = ", ".join([mention.state, *(remark for remark in remarks if remark)])
    quoted = f'"{" ".join(mention.text.split())}"'
    name = mention.finding.replace("_", " ") if mention.finding else mention.label
    return [
        name[:1].upper() + name[1:],
        state,
        ", ".join(mention.sides),
        ", ".join(mention.places),
        sizes and f"{sizes} mm",
        quoted,
    ]


def _text(name: str) -> str:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{Path(name).name}: not text in UTF-8 (byte {error.start}): save it as UTF-8") from error
    if not text.strip():
        raise DataError(f"{'standard input' if name == '-' else Path(name).name} is empty: give a report")
    return text


COMMAND = Command(about="Prints what the rule-based labeler reads in a report.", add=add, run=run)
