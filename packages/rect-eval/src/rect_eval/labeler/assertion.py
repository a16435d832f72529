"""What a clause says of each of its findings: stated, denied or doubted; compared; past."""

import re
from dataclasses import dataclass
from itertools import pairwise

from rect_eval.labeler import cue_words as words
from rect_eval.labeler.found import Found
from rect_eval.labeler.result import State

_KINDS = tuple(kind for kind, _ in words.CUES)
_CUES = re.compile(
    r"(?<![a-z])(?:" + "|".join(f"(?P<k{i}>{pattern})" for i, (_, pattern) in enumerate(words.CUES)) + ")"
)
_END_OF_DENIAL, _END_OF_DOUBT = re.compile(words.END_OF_DENIAL), re.compile(words.END_OF_DOUBT)
_SEEN_NOW, _PRESENT_TENSE = re.compile(words.SEEN_NOW), re.compile(words.PRESENT_TENSE)
_VERB = re.compile(words.FINITE)
_SEPARATOR = re.compile(r",| and ")
_ADJACENT = re.compile(
    r"(?: (?!(?:is|are|was|were|has|have|and|but|with|after|following|since|by|due)\b)[a-z0-9.\0-]+){0,4} ?"
)
_AUXILIARY = re.compile(r"(?:is|are|was|were|has|have|been|remains?|appears?|shows?)(?: \w+ly)? $")
_STATUS_POST = re.compile(r"s/p|status|post")
_COMPARISONS = frozenset({"new", "stable", "increased", "decreased", "resolved"})


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that say how a finding is meant."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Asserted:
    """How a finding is meant."""

    state: State
    comparison: str
    historical: bool


def cues(blank: str) -> list[Cue]:
    """The cues of a clause whose findings are blanked out."""
    return [Cue(_KINDS[int((m.lastgroup or "k0")[1:])], m.start(), m.end()) for m in _CUES.finditer(blank)]


def assertions(found: list[Found], blank: str) -> list[Asserted]:
    """How each finding of a clause is meant."""
    marks = cues(blank)
    compared = _compared(found, marks, blank)
    past = _past(marks, blank)
    result: list[Asserted] = []
    for finding, comparison in zip(found, compared, strict=True):
        state = finding.forced or _state(finding, found, marks, blank)
        earlier = any(cue.kind == "prior" for cue in marks)
        if earlier and state == "absent" and not past and not comparison and any(c.kind == "neg after" for c in marks):
            comparison = "resolved"
        if comparison == "resolved":
            state = "absent"
        gone = state == "absent" and any(_denies_the_past(cue, other) for cue, other in pairwise(marks))
        result.append(Asserted(state, comparison, (past and not gone) or _history(finding, marks, blank)))
    return result


def _state(finding: Found, found: list[Found], marks: list[Cue], blank: str) -> State:
    if any(cue.kind == "doubt after" and _reaches_back(cue, finding, blank) for cue in marks):
        return "uncertain"
    denial = next((cue for cue in marks if _denies(cue, finding, blank)), None)
    doubt = next((cue for cue in marks[::-1] if _doubts(cue, finding, found, blank)), None)
    if denial and doubt and denial.kind == "neg before" and "," in blank[denial.end : doubt.start]:
        denial = None  # "no nodule, possible consolidation"
    if denial:
        return "absent"
    asked = "?" in blank[finding.end :]
    return "uncertain" if doubt or asked else "present"


def _denies(cue: Cue, finding: Found, blank: str) -> bool:
    if cue.kind == "neg after":
        return _reaches_back(cue, finding, blank)
    if cue.kind != "neg before":
        return False
    if cue.end > finding.parts[-1][0]:
        return False
    part = next(p for p in finding.parts if p[0] >= cue.end)
    between = blank[cue.end : part[0]]
    if _END_OF_DENIAL.search(between):
        return False
    without = blank[cue.start : cue.end] in ("without", "free of", "free from")
    return not (without and "," in between and _VERB.search(blank, cue.end))


def _reaches_back(cue: Cue, finding: Found, blank: str) -> bool:
    return cue.start >= finding.parts[0][1] and not _SEEN_NOW.search(blank, finding.end, cue.start)


def _doubts(cue: Cue, finding: Found, found: list[Found], blank: str) -> bool:
    if cue.kind == "doubt before" and cue.end <= finding.parts[-1][0]:
        part = next(p for p in finding.parts if p[0] >= cue.end)
        return _END_OF_DOUBT.search(blank, cue.end, part[0]) is None
    if cue.kind == "versus":
        first, second = sorted(((cue.start, cue.end), (finding.start, finding.end)))
        return _SEPARATOR.search(blank, first[1], second[0]) is None
    if cue.kind != "doubt next":
        return False
    ahead = [f for f in found if f.start >= cue.end and not _SEPARATOR.search(blank, cue.end, f.start)]
    if ahead:
        return finding in ahead
    adverb = blank[cue.end - 2 : cue.end] == "ly" and blank[cue.start : cue.end] != "likely"
    return not adverb and finding.end <= cue.start and not _SEEN_NOW.search(blank, finding.end, cue.start)


def _compared(found: list[Found], marks: list[Cue], blank: str) -> list[str]:
    """The comparison of each finding: the cue before its noun, else the cue after it."""
    compared = [""] * len(found)
    comparing = [cue for cue in marks if cue.kind in _COMPARISONS]
    for position, cue in enumerate(comparing):
        left = comparing[position - 1].end if position else 0
        right = comparing[position + 1].start if position + 1 < len(comparing) else len(blank)
        behind = [i for i, f in enumerate(found) if left <= f.start and f.parts[0][1] <= cue.start]
        ahead = [i for i, f in enumerate(found) if cue.end <= f.start < right]
        for index in _described(cue, behind, ahead, found, blank):
            compared[index] = compared[index] or cue.kind
    return compared


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


def _past(marks: list[Cue], blank: str) -> bool:
    """Whether a clause tells of an earlier examination only: nothing in it is said of today."""
    if not any(cue.kind == "prior" for cue in marks):
        return False
    today = any(cue.kind in _COMPARISONS or cue.kind == "current" for cue in marks)
    return not today and not _PRESENT_TENSE.search(blank) and not any(cue.kind == "neg after" for cue in marks)


def _denies_the_past(cue: Cue, following: Cue) -> bool:
    """Whether it is denied today: "no evidence of the previously seen catheter"."""
    return cue.kind == "neg before" and following.kind == "prior" and following.start - cue.end < 20


def _history(finding: Found, marks: list[Cue], blank: str) -> bool:
    """Whether a finding is a past disease, or only what was looked for."""
    for cue in marks:
        if cue.kind in ("history", "asked") and cue.end <= finding.start and "," not in blank[cue.end : finding.start]:
            left_behind = finding.label == "Medical material" and _STATUS_POST.match(blank, cue.start)
            return not left_behind
    return False
