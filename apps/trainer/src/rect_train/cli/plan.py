"""`rect-train plan`: prints what a run would need, as tables on a terminal and as lines elsewhere."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rect_train.cli.args import config_from, plan_parser
from rect_train.plan.gpus import parse_fleet
from rect_train.plan.make import Plan, make_plan
from rect_train.plan.tables import Table, headline, tables, verdict

if TYPE_CHECKING:
    from rich.table import Table as Grid


def plan(words: Sequence[str]) -> int:
    """0, and with --check 1 where the run does not fit."""
    options = plan_parser().parse_args(words)
    config = config_from(options)
    made = make_plan(config, parse_fleet(options.gpus), mfu=options.mfu, cases=options.cases)
    if options.json:
        print(json.dumps(made.to_json(), indent=2, allow_nan=False))
    elif sys.stdout.isatty():
        _show(made)
    else:
        print("\n".join(lines(made)))
    return 1 if options.check and not made.fits else 0


def lines(made: Plan) -> list[str]:
    """The plan as text without colours or rules."""
    found = [headline(made)]
    for table in tables(made):
        found += ["", *_lines(table)]
    return [*found, "", *verdict(made)]


def _lines(table: Table) -> list[str]:
    shown = [(table.title, *table.columns[1:]), *table.rows]
    widths = [max(len(row[i]) for row in shown) for i in range(len(table.columns))]
    text = ["  ".join(_set(table, i, cell, widths[i]) for i, cell in enumerate(row)) for row in shown]
    return [line.rstrip() for line in text] + ([f"({table.note})"] if table.note else [])


def _set(table: Table, column: int, cell: str, width: int) -> str:
    return cell.rjust(width) if 1 <= column <= table.numbers else cell.ljust(width)


def _show(made: Plan) -> None:
    """Tables with rules; the verdict is green or red."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    console.print(Text(f" {headline(made)}\n", style="bold"))
    for table in tables(made):
        console.print(_grid(table))
        if table.note:
            console.print(Text(f" {table.note}", style="dim"))
        console.print()
    first, *more = verdict(made)
    console.print(Text(f" {first}", style="bold green" if made.fits else "bold red"))
    for line in more:
        console.print(Text(f" {line}"))


def _grid(table: Table) -> "Grid":
    from rich import box
    from rich.table import Table as Grid

    grid = Grid(box=box.SIMPLE_HEAD, header_style="cyan", show_edge=False)
    grid.add_column(table.title, header_style="bold cyan", no_wrap=True)
    for i, column in enumerate(table.columns[1:], start=1):
        number = i <= table.numbers
        grid.add_column(column, justify="right" if number else "left", no_wrap=number, style="" if number else "dim")
    for i, row in enumerate(table.rows):
        grid.add_row(*row, style="bold" if table.total and i == len(table.rows) - 1 else "")
    return grid
