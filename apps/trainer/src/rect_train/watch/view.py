"""Runs on a terminal."""

import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rect_eval.output.words import number
from rect_train.watch import figures
from rect_train.watch.lines import EVENTS, clock, skipped
from rect_train.watch.log import Log, State
from rect_train.watch.plot import plot
from rect_train.watch.points import smooth

EVERY_S: Final = 2.0
"""Seconds between two looks."""
_STYLES: Final[dict[State, str]] = {"starting": "yellow", "running": "cyan", "stopped": "yellow", "finished": "green"}
_NARROW: Final = 76
_WIDE: Final = 100
_MOST_WIDE: Final = 130
_SCORES: Final = 12


def live(logs: Sequence[Log], console: Console, every: float = EVERY_S) -> None:
    """Shows runs until all of them are over or Ctrl-C is pressed; their last state stays on the terminal."""
    if not _over(logs):
        try:
            with Live(console=console, screen=True, auto_refresh=False) as screen:
                while not _over(logs):
                    screen.update(view(logs, console.size), refresh=True)
                    time.sleep(every)
                    for log in logs:
                        log.update()
        except KeyboardInterrupt:
            pass
    console.print(view(logs, console.size))


def _over(logs: Sequence[Log]) -> bool:
    return all(log.state in ("stopped", "finished") for log in logs)


def view(logs: Sequence[Log], size: ConsoleDimensions) -> RenderableType:
    """One run with all that is known of it, or several in a table."""
    return _one(logs[0], size) if len(logs) == 1 else _table(logs, size.width)


def _one(log: Log, size: ConsoleDimensions) -> RenderableType:
    width = min(size.width, _MOST_WIDE)
    wide = width >= _WIDE
    parts: list[RenderableType] = [_headline(log)]
    if log.total:
        parts += [ProgressBar(log.total, log.step, width=width, complete_style="cyan", finished_style="green"), Text()]
    across, high = (64 * width // 100 if wide else width), min(10, max(4, size.height - 34))
    curve = plot(smooth(log.taken("loss")), across, high)
    course = Group(_losses(log), *([Text("\n".join(curve), "cyan")] if curve else []))
    if wide:
        beside = Table.grid(padding=(0, 4, 0, 0))
        beside.add_row(course, _facts(log, 1))
        parts += [Text(), beside]
    else:
        parts += [Text(), course, _facts(log, 2 if width > 60 else 1)]
    parts += [part for part in (_scores(log, width), _notes(log), _events(log)) if part is not None]
    return Group(*parts)


def _headline(log: Log) -> Text:
    state, _, rest = figures.headline(log).partition(", ")
    return Text.assemble((log.name, "bold"), "  ", (state, _STYLES[log.state]), f", {rest}")


def _losses(log: Log) -> RenderableType:
    if not figures.losses(log):
        return Text("no step has been logged yet", "dim")
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    for name in figures.losses(log):
        style = "bold" if name == "loss" else ""
        value = figures.short(figures.loss(log, name))
        table.add_row(
            Text(figures.words(name), style), Text(value, style), Text(figures.sparkline(log.taken(name)), "cyan")
        )
    return table


def _facts(log: Log, columns: int) -> Table:
    """Names and values, so many pairs beside each other."""
    table = Table.grid(padding=(0, 2, 0, 0))
    pairs = [*figures.told(log).items()]
    for begin in range(0, len(pairs), columns):
        row = [cell for name, value in pairs[begin : begin + columns] for cell in (Text(name, "dim"), Text(value))]
        table.add_row(*row)
    return table


def _scores(log: Log, width: int) -> RenderableType | None:
    found = figures.scores(log)
    if not found:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column(f"validation at step {found[0].step:,}", overflow="ellipsis", no_wrap=True)
    narrow = width < _NARROW
    for head in (
        ("last", "mismatched", "best") if narrow else ("last", "95 % interval", "mismatched", "best", "at step")
    ):
        table.add_column(head, justify="right", no_wrap=True)
    for score in found[:_SCORES]:
        control = Text(number(score.control), "red" if score.reached else "")
        cells = (Text(number(score.last), "bold"), score.interval, control, number(score.best), _step(score))
        table.add_row(Text(figures.words(score.name)), *(cells[:1] + cells[2:4] if narrow else cells))
    rest = len(found) - _SCORES
    return Group(Text(), table, *([Text(f"{rest} more in metrics.jsonl", "dim")] if rest > 0 else []))


def _step(score: figures.Score) -> str:
    return f"{score.best_step:,}" if score.best_step else ""


def _notes(log: Log) -> RenderableType | None:
    found = [Text(f"warning: {text}", "yellow") for text in figures.warnings(log)]
    found += [Text(text, "yellow")] if (text := skipped(log)) else []
    return Group(Text(), *found) if found else None


def _events(log: Log) -> RenderableType | None:
    table = Table.grid(padding=(0, 2, 0, 0))
    for event in log.events[-EVENTS:]:
        table.add_row(Text(clock(event.at), "dim", no_wrap=True), Text(event.said))
    return Group(Text(), table) if log.events else None


def _table(logs: Sequence[Log], width: int) -> RenderableType:
    """A row a run; on a narrow terminal without the course of the loss and what was skipped."""
    wide = width >= _WIDE
    first = [next(iter(figures.scores(log)), None) for log in logs]
    name = next((score.name for score in first if score), "")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    heads = ("run", "state", "step", "loss", figures.words(name) or "validation", "best", "s a step", "left")
    for head in (*heads, *(("skipped", "course of the loss") if wide else ())):
        left = head in ("run", "state", "course of the loss")
        table.add_column(Text(head), justify="left" if left else "right", no_wrap=True)
    for log, score in zip(logs, first, strict=True):
        table.add_row(*_row(log, score, name), *(_rest(log) if wide else ()))
    notes = [Text(f"{log.name}: {text}", "yellow") for log in logs for text in figures.warnings(log)]
    return Group(table, *([Text(), *notes] if notes else []))


def _row(log: Log, score: figures.Score | None, name: str) -> tuple[RenderableType, ...]:
    """name: of the score that the column is of; another is named beside its value."""
    value, best = (number(score.last), number(score.best)) if score else (figures.NONE, figures.NONE)
    return (
        Text(log.name, "bold"),
        Text(log.state, _STYLES[log.state]),
        f"{log.step:,}" + (f" of {log.total:,}" if log.total else ""),
        figures.short(figures.loss(log)),
        Text(value if score is None or score.name == name else f"{figures.words(score.name)} {value}"),
        best,
        figures.short(figures.seconds(log), 3),
        figures.duration(figures.seconds_left(log)),
    )


def _rest(log: Log) -> tuple[RenderableType, ...]:
    return f"{len(log.skipped):,}", Text(figures.sparkline(log.taken("loss"), 16), "cyan")
