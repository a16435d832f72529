"""Whom a run tells how it goes: the command line shows it, a library call hears nothing."""

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
