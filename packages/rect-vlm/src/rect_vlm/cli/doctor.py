"""`rect doctor`: every check of a scan as a table, without any model."""

import argparse
import json
from dataclasses import asdict

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rect_core.read import Examination, examine
from rect_vlm.cases import find_cases
from rect_vlm.cli.common import Commands, stdout

MARKS = {"pass": "[green]pass[/]", "warn": "[yellow]warn[/]", "fail": "[bold red]FAIL[/]", "skip": "[dim]skip[/]"}


def add_parser(commands: Commands) -> None:
    """Adds the command and its options."""
    command = commands.add_parser("doctor", help="check geometry, intensities and coverage of a scan; exit 0 or 1")
    command.add_argument("scans", nargs="+", metavar="SCAN|FOLDER")
    command.add_argument(
        "--allow-tilt", action="store_true", help="resample a gantry-tilted scan instead of refusing it"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints every check of every scan; 1 when one of them fails."""
    rows = []
    for case in find_cases(options.scans):
        one = examine(case.path, case_id=case.case_id, allow_tilt=options.allow_tilt)
        usable = one.volume is not None
        rows.append({"case_id": one.case_id, "usable": usable, "checks": list(map(asdict, one.checks))})
        if not options.json:
            stdout().print(checks_table(one))
    if options.json:
        print(json.dumps({"cases": rows}, indent=2))
    return 0 if all(row["usable"] for row in rows) else 1


def checks_table(one: Examination) -> Table:
    """A row a check."""
    verdict = "usable" if one.volume is not None else "refused"
    table = Table(title=Text(f"{one.case_id}: {verdict}"), title_justify="left", title_style="bold")
    table.add_column("Check")
    table.add_column("Result")
    table.add_column("What was seen", overflow="fold")
    for check in one.checks:
        table.add_row(check.name, MARKS[check.status], escape(check.message))
    return table
