"""Lower case, single spaces, plain dashes: what the rules read, with the way back to the given text."""

import re
from collections.abc import Sequence

_PLAIN = str.maketrans(
    {"İ": "i", "ı": "i", "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-", "×": "x", "’": "'", "\0": "_"}
)
_WORD = re.compile(r"\S+")


def canonical(text: str) -> str:
    """The text in lower case, with runs of white space as one space; no other character is added or lost."""
    return " ".join(text.translate(_PLAIN).lower().split())


def offsets(text: str, start: int) -> Sequence[int]:
    """For each position of `canonical(text)`, and its end, the position in a text in which `text` begins at `start`."""
    if " ".join(text.split()) == text:
        return range(start, start + len(text) + 1)
    found: list[int] = []
    for word in _WORD.finditer(text):
        if found:
            found.append(start + word.start() - 1)
        found.extend(range(start + word.start(), start + word.end()))
    return [*found, found[-1] + 1] if found else [start]
