"""Sentences of a report, and the sections whose words are background, not findings."""

import re
from dataclasses import dataclass
from itertools import pairwise

_BREAK = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)|\.(?=[A-Za-z]{2})|\n")
_ABBREVIATION = re.compile(
    r"(?:\b(?:approx|ca|cf|diam|dr|e\.g|fig|i\.e|im|max|min|no(?=\.\s*\d)|prof|resp|ser|st|vs|[a-z])"
    r"|^\W*\d{1,2})$",
    re.IGNORECASE,
)
_BULLET = re.compile(r"[ \t]*(?:[-*•·][ \t]|\d{1,2}[.)][ \t]|\n)")
_OPEN_ENDED = re.compile(
    r"(?:\b(?:a|an|and|at|by|in|no|not|of|on|or|the|to|with|without|left|right)|,)\s*$", re.IGNORECASE
)
_NEXT = re.compile(r"\s*(\S)")
_HEADING = re.compile(
    r"\W*(?:(?P<background>clinical(?: \w+)?|history|indications?|techniques?|protocol|comparison|reason for \w+"
    r"|limitations?|not (?:assessed|evaluated|scored))"
    r"|(?:\w+ )?(?:findings?|impressions?|conclusions?|results?|opinion|report))\s*:",
    re.IGNORECASE,
)

_LONGEST = 1500


@dataclass(frozen=True, slots=True)
class Sentence:
    """Where a sentence stands in the text; background: it belongs to clinical information, technique and the like."""

    start: int
    end: int
    background: bool


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text, without the white space around them."""
    edges = [0, *_edges(text), len(text)]
    found: list[Sentence] = []
    background = filled = False
    for left, right in pairwise(_short(text, edges)):
        body = text[left:right].strip()
        if not body:
            continue
        start = text.index(body[0], left)
        heading = _HEADING.match(body)
        if heading:
            background, filled = heading["background"] is not None, heading.end() < len(body)
        elif background:
            same_line = "\n" in text and "\n" not in text[found[-1].end : start]
            background = not filled or same_line or _more_headings(text, start)
            filled = True
        found.append(Sentence(start, start + len(body), background))
    return found


def _more_headings(text: str, start: int) -> bool:
    return any(h["background"] is None for h in _HEADING.finditer(text, start))


def _edges(text: str) -> list[int]:
    has_lower = any(c.islower() for c in text)
    last = 0
    edges: list[int] = []
    for found in _BREAK.finditer(text):
        if _ends(text, last, found, has_lower):
            last = found.end()
            edges.append(last)
    return edges


def _short(text: str, edges: list[int]) -> list[int]:
    """The edges, and more where a text has none for very long: the rules take a time that grows with its square."""
    found = edges[:1]
    for edge in edges[1:]:
        while edge - found[-1] > _LONGEST:
            space = text.rfind(" ", found[-1] + 1, found[-1] + _LONGEST)
            found.append(space if space > 0 else found[-1] + _LONGEST)
        found.append(edge)
    return found


def _ends(text: str, last: int, found: re.Match[str], has_lower: bool) -> bool:
    """Whether a full stop or a line's end closes the sentence that began at `last`."""
    before = text[max(last, found.start() - 12) : found.start()]
    if found[0] != "\n":
        return found[0] != "." or _ABBREVIATION.search(before) is None
    if _BULLET.match(text, found.end()) or text[last : found.start()].rstrip().endswith(":"):
        return True
    following = _NEXT.match(text, found.end())
    if following is None:
        return True
    if not has_lower or _OPEN_ENDED.search(before):
        return False
    return following[1].isupper()
