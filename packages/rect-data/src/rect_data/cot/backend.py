"""What all language models have in common, wherever they run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rect_data.cot.prompt import Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a model wrote. revision: which version of the model wrote it; cut: whether it ran out of tokens."""

    text: str
    revision: str
    cut: bool = False


class Unanswered(Exception):  # noqa: N818 (not always an error: a busy server)
    """No answer came. retry: whether asking again may help; wait_s: how long the server wants to be left alone.

    fatal: every other question would end the same way (a wrong key, an unknown model).
    """

    def __init__(self, reason: str, *, retry: bool = True, wait_s: float = 0.0, fatal: bool = False) -> None:
        super().__init__(reason)
        self.retry = retry and not fatal
        self.wait_s = wait_s
        self.fatal = fatal


@runtime_checkable
class Backend(Protocol):
    """A chat model. name goes into every record, and so does settings: what else decides the answer. `ask` raises
    Unanswered; it is called by as many threads as the run has workers."""

    name: str
    settings: dict[str, float | int | str]

    def ask(self, messages: Sequence[Message]) -> Reply:
        """The model's next message."""
        ...
