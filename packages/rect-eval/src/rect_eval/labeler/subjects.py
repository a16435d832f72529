"""Organs whose size decides: the heart, lymph nodes, bronchi."""

import re
from dataclasses import replace

from rect_eval.labeler import organ_words as words
from rect_eval.labeler.found import Found, Part

_WIDE = re.compile(words.WIDE_BRONCHI)
_NODE, _ADENOPATHY = re.compile(words.LYMPH_NODE), re.compile(words.LYMPHADENOPATHY)
_LARGE, _SMALL = re.compile(words.NODE_LARGE), re.compile(words.NODE_SMALL)
_HEART_LARGE = re.compile(rf"(?P<a>{words.HEART}){words.HEART_GAP}\b(?P<b>{words.HEART_LARGE})")
_HEART_NORMAL = re.compile(rf"(?P<a>{words.HEART}){words.HEART_GAP}\b(?P<b>{words.HEART_NORMAL})")
_LARGE_HEART, _NORMAL_HEART = re.compile(words.LARGE_HEART), re.compile(words.NORMAL_HEART)


def bronchi(text: str) -> list[Found]:
    """Bronchi that are called wide."""
    if "bronch" not in text:
        return []
    return [Found("Bronchiectasis", (m.span("a"), m.span("b"))) for m in _WIDE.finditer(text)]


def hearts(text: str) -> list[Found]:
    """A large heart, or one whose size is called normal, which is a denial."""
    if not any(root in text for root in ("heart", "cardi", "ctr", "cti")):
        return []
    found = [Found("Cardiomegaly", (m.span(),)) for m in _LARGE_HEART.finditer(text)]
    found = found or [Found("Cardiomegaly", (m.span("a"), m.span("b"))) for m in _HEART_LARGE.finditer(text)]
    if found:
        return found
    for match in _NORMAL_HEART.finditer(text):
        return [Found("Cardiomegaly", (match.span(),), forced="absent")]
    for match in _HEART_NORMAL.finditer(text):
        limit = re.search(r"upper (?:limit|border)|borderline|\btop\b", match[0]) is not None
        return [Found("Cardiomegaly", (match.span("a"), match.span("b")), forced="uncertain" if limit else "absent")]
    return []


def nodes(text: str) -> list[Found]:
    """Lymph nodes: large, small, or left to their size."""
    found: list[Found] = []
    for match in _NODE.finditer(text):
        node = Found("Lymphadenopathy", (match.span(),), node=True)
        if _ADENOPATHY.search(match[0]):
            found.append(replace(node, node=False))
            continue
        small, large = _closest(_SMALL, text, match), _closest(_LARGE, text, match)
        if small and (large is None or small[0] <= large[0] or small[1][0] <= large[1][0] < small[1][1]):
            node = replace(node, forced="absent")
        elif large:
            node = replace(node, parts=tuple(sorted((match.span(), large[1]))), node=False)
        found.append(node)
    return found


def _closest(pattern: re.Pattern[str], text: str, node: re.Match[str]) -> tuple[int, Part] | None:
    spans = [m.span() for m in pattern.finditer(text)]
    gaps = [(max(start - node.end(), node.start() - end, 0), (start, end)) for start, end in spans]
    return min(gaps, default=None)
