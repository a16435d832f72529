"""Which findings of a clause its comparisons with an earlier examination are said of."""

import re
from typing import Final

from rect_eval.labeler import cue_words as words
from rect_eval.labeler.cues import Cue
from rect_eval.labeler.found import Found

COMPARISONS: Final = frozenset({"new", "stable", "increased", "decreased", "resolved"})
"""The kinds of cues that compare."""

_VERB = re.compile(words.FINITE)
_ADJACENT = re.compile(
    r"(?: (?!(?:is|are|was|were|has|have|and|but|with|after|following|since|by|due)\b)[a-z0-9.\0-]+){0,4} ?"
)
_AUXILIARY = re.compile(r"(?:is|are|was|were|has|have|been|remains?|appears?|shows?)(?: \w+ly)? $")


def compared(found: list[Found], marks: list[Cue], blank: str) -> list[str]:
    """The comparison of each finding: the cue before its noun, else the cue after it."""
    kinds = [""] * len(found)
    comparing = [cue for cue in marks if cue.kind in COMPARISONS]
    for position, cue in enumerate(comparing):
        left = comparing[position - 1].end if position else 0
        right = comparing[position + 1].start if position + 1 < len(comparing) else len(blank)
        behind = [i for i, f in enumerate(found) if left <= f.start and f.parts[0][1] <= cue.start]
        ahead = [i for i, f in enumerate(found) if cue.end <= f.start < right]
        for index in _described(cue, behind, ahead, found, blank):
            kinds[index] = kinds[index] or cue.kind
    return kinds


def _described(cue: Cue, behind: list[int], ahead: list[int], found: list[Found], blank: str) -> list[int]:
    verb = _AUXILIARY.search(blank[max(0, cue.start - 30) : cue.start]) is not None
    adjacent = bool(ahead) and _ADJACENT.fullmatch(blank, cue.end, found[ahead[0]].start) is not None
    if adjacent and not (verb and behind):
        return _listed(ahead, found, blank)
    if cue.kind == "resolved" and not behind:
        return []  # something else has resolved
    return _listed(behind[::-1] or ahead, found, blank)


def _listed(indices: list[int], found: list[Found], blank: str) -> list[int]:
    """The first finding and those that a list without a verb joins to it."""
    joined = indices[:1]
    for index in indices[1:]:
        first, second = sorted((found[joined[-1]], found[index]), key=lambda f: f.start)
        if _VERB.search(blank, first.end, second.start):
            break
        joined.append(index)
    return joined
