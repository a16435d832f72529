"""SIGTERM and Ctrl-C as a wish: the step in hand is finished, a checkpoint is saved, the run ends well."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Final, TypeVar

T = TypeVar("T")

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Stop:
    """asked: whether the run should end after this step."""

    asked: bool = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        """The first signal is a wish; a second Ctrl-C interrupts."""
        del frame
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def stopping() -> Iterator[Stop]:
    """A `Stop` that listens while the block runs; outside the main thread it never hears anything."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.hear) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def shielded(batches: Iterable[T]) -> Iterator[T]:
    """The batches of a loader whose workers never see these signals, which Slurm and a terminal send to them as well:
    a worker that dies would end the step in hand. Workers begin with the first batch and inherit what is blocked."""
    found = iter(batches)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        first = next(found, None)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if first is not None:
        yield first
        yield from found
