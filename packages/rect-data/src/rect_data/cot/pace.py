"""How often and how patiently to ask."""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Final

_MINUTE: Final = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """attempts: how often one case is asked about. The wait after a failure doubles from first_wait_s to longest_wait_s
    (less up to half by chance); a server's Retry-After counts where longer, and above longest_pause_s ends the run.
    per_minute: requests a minute over all workers, 0 for no limit. silent: so many cases in a row without any answer
    from the server end the run.
    """

    attempts: int = 5
    first_wait_s: float = 1.0
    longest_wait_s: float = 60.0
    longest_pause_s: float = 600.0
    per_minute: float = 0.0
    silent: int = 5

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.silent < 1:
            raise ValueError(f"attempts {self.attempts} and silent {self.silent} must be at least 1")
        waits = (self.first_wait_s, self.longest_wait_s, self.longest_pause_s, self.per_minute)
        if not all(0 <= value < float("inf") for value in waits):
            raise ValueError(f"waits and rate must be 0 or more: {waits}")

    def wait_s(self, attempt: int, asked_s: float) -> float:
        """Seconds between attempt 1, 2, ... and the next."""
        backoff = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempt - 1, 30))
        return max(asked_s, backoff * random.uniform(0.5, 1.0))


class Turnstile:
    """Lets callers of any thread through one by one, at most per_minute of them a minute (0: all)."""

    def __init__(self, per_minute: float, sleep: Callable[[float], object]) -> None:
        self._gap = _MINUTE / per_minute if per_minute else 0.0
        self._sleep = sleep
        self._lock = Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Returns when it is the caller's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap
        if turn > now:
            self._sleep(turn - now)


def retry_after_s(value: str | None) -> float:
    """Seconds that a Retry-After header (RFC 9110: seconds or a date) asks for; 0 without one that can be read."""
    text = (value or "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d*)?", text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0
