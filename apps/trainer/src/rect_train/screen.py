"""Whom a run tells how it goes: the command line shows it, a library call hears nothing."""

from pathlib import Path
from typing import Final, Protocol, runtime_checkable


@runtime_checkable
class Screen(Protocol):
    """What can be told."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def step(self, done: int, total: int, loss: float, seconds: float) -> None:
        """How far the run is, the loss of the last step and the seconds it took."""


class Silent:
    """Tells nobody."""

    def say(self, line: str) -> None:
        """Nothing."""

    def step(self, done: int, total: int, loss: float, seconds: float) -> None:
        """Nothing."""


SILENT: Final = Silent()


def one_line(error: BaseException) -> str:
    """An error as one line: of a worker's the last line of its traceback, of a file's its name without the folder."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    text = str(error)
    if "Original Traceback" in text:
        text = text.strip().splitlines()[-1].partition(": ")[2]
    return " ".join(text.split())
