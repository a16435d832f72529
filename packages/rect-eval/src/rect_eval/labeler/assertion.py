"""What a clause says of each of its findings: stated, denied or doubted; compared; past."""

import re
from dataclasses import dataclass
from itertools import pairwise

from rect_eval.labeler import cue_words as words
from rect_eval.labeler.comparison import COMPARISONS, compared
from rect_eval.labeler.cues import Cue, cues
from rect_eval.labeler.found import Found
from rect_eval.labeler.place_words import ONLY_A_PLACE
from rect_eval.labeler.result import State

_END_OF_DENIAL, _END_OF_DOUBT = re.compile(words.END_OF_DENIAL), re.compile(words.END_OF_DOUBT)
_SEEN_NOW, _PRESENT_TENSE = re.compile(words.SEEN_NOW), re.compile(words.PRESENT_TENSE)
_VERB = re.compile(words.FINITE)
_SEPARATOR = re.compile(r",| and ")
_ASIDE = re.compile(rf"\((?=[^)]*[a-z\0])[^)]*$|(?:[,:;]| -) (?!{ONLY_A_PLACE})[a-z][^,\0]*$")
_STATUS_POST = re.compile(r"s/p|status|post")


@dataclass(frozen=True, slots=True)
class Asserted:
    """How a finding is meant."""

    state: State
    comparison: str
    historical: bool


def assertions(found: list[Found], blank: str) -> list[Asserted]:
    """How each finding of a clause is meant."""
    marks = cues(blank)
    comparisons = compared(found, marks, blank)
    past = _past(marks, blank)
    result: list[Asserted] = []
    for finding, comparison in zip(found, comparisons, strict=True):
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
    behind = {cue.kind for cue in marks if _reaches_back(cue, finding, blank)}
    if "doubt after" in behind:
        return "uncertain"
    denial = next((cue for cue in marks if _denies(cue, finding, blank)), None)
    doubt = next((cue for cue in marks[::-1] if _doubts(cue, finding, found, blank)), None)
    if denial and doubt and denial.kind == "neg before" and "," in blank[denial.end : doubt.start]:
        denial = None  # "no nodule, possible consolidation"
    if denial:
        return "absent"  # also "no nodule could be seen"
    return "uncertain" if doubt or "could" in behind or _asked(finding, blank) else "present"


def _asked(finding: Found, blank: str) -> bool:
    """Whether a question mark is said of a finding, not of what stands in brackets or as an afterthought behind it."""
    mark = blank.find("?", finding.end)
    if mark < 0 or _ASIDE.search(blank, finding.end, mark):
        return False
    seen = _SEEN_NOW.search(blank, finding.end, mark)
    return seen is None or "," not in blank[seen.end() : mark]


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
        between = blank[cue.end : next(p[0] for p in finding.parts if p[0] >= cue.end)]
        cause = blank[cue.start : cue.end].endswith(" to") and "," in between  # "likely due to infection, and effusion"
        return _END_OF_DOUBT.search(between) is None and not cause
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


def _past(marks: list[Cue], blank: str) -> bool:
    """Whether a clause tells of an earlier examination only: nothing in it is said of today."""
    if not any(cue.kind == "prior" for cue in marks):
        return False
    today = any(cue.kind in COMPARISONS or cue.kind == "current" for cue in marks)
    return not today and not _PRESENT_TENSE.search(blank) and not any(cue.kind == "neg after" for cue in marks)


def _denies_the_past(cue: Cue, following: Cue) -> bool:
    """Whether it is denied today: "no evidence of the previously seen catheter"."""
    return cue.kind == "neg before" and following.kind == "prior" and following.start - cue.end < 20


def _history(finding: Found, marks: list[Cue], blank: str) -> bool:
    """Whether a finding is a past disease, or only what was looked for."""
    for cue in marks:
        if cue.kind == "unasked" and (_reaches_back(cue, finding, blank) or _heads_list(cue, finding, blank)):
            return True
        if cue.kind in ("history", "asked") and cue.end <= finding.start and "," not in blank[cue.end : finding.start]:
            left_behind = finding.label == "Medical material" and _STATUS_POST.match(blank, cue.start)
            return not left_behind
    return False


def _heads_list(cue: Cue, finding: Found, blank: str) -> bool:
    """ "Not assessed: emphysema", "not examined for emphysema"."""
    return cue.end <= finding.start and (
        blank[cue.start : cue.end].endswith("for") or ":" in blank[cue.end : finding.start]
    )
