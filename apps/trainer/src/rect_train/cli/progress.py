"""How a run goes: a bar on a terminal, plain lines elsewhere, on standard error."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rect_train.screen import SILENT, Screen

EVERY_S = 10.0
"""Seconds between two lines about steps."""


@contextmanager
def progress() -> Iterator[Screen]:
    """A screen to tell a run's progress to."""
    if int(os.environ.get("RANK", "0")):  # the first process speaks for all
        yield SILENT
        return
    if not sys.stderr.isatty():
        yield Lines()
        return
    columns = MofNCompleteColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn()
    with Progress(BarColumn(), *columns, console=Console(stderr=True)) as bars:
        yield Bar(bars, bars.add_task("", total=None))


class Bar:
    """A bar of steps; lines stay above it."""

    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def say(self, line: str) -> None:
        """One line."""
        self._bars.console.print(line, markup=False, highlight=False)

    def step(self, done: int, total: int, loss: float, seconds: float) -> None:
        """Moves the bar."""
        told = f"loss {loss:.4f}, {seconds:.2f} s a step"
        self._bars.update(self._task, completed=done, total=total, description=told)


class Lines:
    """A line now and then."""

    def __init__(self) -> None:
        self._last = -EVERY_S

    def say(self, line: str) -> None:
        """One line."""
        print(line, file=sys.stderr, flush=True)

    def step(self, done: int, total: int, loss: float, seconds: float) -> None:
        """A line where the last one is long ago."""
        if time.monotonic() - self._last >= EVERY_S or done == total:
            self._last = time.monotonic()
            self.say(f"step {done}/{total}: loss {loss:.4f}, {seconds:.2f} s a step")
