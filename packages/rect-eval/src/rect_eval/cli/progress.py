"""How far a run has come: a bar on a terminal, plain lines elsewhere, on standard error."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rect_eval.run import Progress, silent


@contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Something to tell progress to. A bar needs rich (extra `progress`); without it there are lines."""
    if quiet:
        yield silent
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bars
        except ImportError:
            yield Lines()
            return
        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task("reading", total=None)

            def tell(what: str, done: int, total: int) -> None:
                bars.update(task, description=what, completed=done, total=total or None)

            yield tell


class Lines:
    """A line when something begins, and one for each tenth of it."""

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        """Prints a line where there is news."""
        now = (what, 10 * done // total if total else -1)
        if now != self._last and not (total and done == 0):
            print(f"{what} {done}/{total}" if total else what, file=sys.stderr, flush=True)
        self._last = now
