"""A finding as it stands in a clause."""

from dataclasses import dataclass

from rect_eval.labeler.result import State

Part = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """A finding in a clause. parts: the words that state it, in their order (the noun and "enlarged", say); forced: a
    state that the words themselves give ("heart size is normal"); node: lymph nodes whose size decides."""

    label: str
    parts: tuple[Part, ...]
    finding: str = ""
    forced: State | None = None
    node: bool = False

    @property
    def start(self) -> int:
        return self.parts[0][0]

    @property
    def end(self) -> int:
        return self.parts[-1][1]


def blanked(text: str, found: list[Found]) -> str:
    """A text of the same length whose findings are NUL characters."""
    for start, end in (part for f in found for part in f.parts):
        text = text[:start] + "\0" * (end - start) + text[end:]
    return text
