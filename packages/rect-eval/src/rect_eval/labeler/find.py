"""Where a clause speaks of a finding, and of which one."""

import re

from rect_eval.labeler import findings_words as words
from rect_eval.labeler.found import Found, blanked
from rect_eval.labeler.heads import calcifications, effusions, thickenings
from rect_eval.labeler.subjects import bronchi, hearts, nodes

_WORDS = tuple((word, tuple(word.roots.split()), re.compile(word.pattern)) for word in words.FINDINGS)
_LUNG, _ORGANS = re.compile(words.LUNG), re.compile(words.OTHER_ORGANS)
ROOTS = tuple(
    {root for word in words.FINDINGS for root in word.roots.split()}
    | {"effusion", "fluid", "liquid", "thorax", "cardium", "empyema", "calcif", "athero", "plaque"}
    | {
        "thick",
        "cuffing",
        "lymph",
        "lap",
        "node",
        "adenop",
        "ctr",
        "cti",
        "heart",
        "cardiac",
        "cardio",
        "sept",
        "bronchi",
    }
)


def may_find(text: str) -> bool:
    """Whether a text can mention a finding at all: cheap, and true too often."""
    return _any_of(ROOTS, text)


def _any_of(roots: tuple[str, ...], text: str) -> bool:
    for root in roots:  # noqa: SIM110 - any() with a generator takes five times as long, and this is the hot loop
        if root in text:
            return True
    return False


def find(clause: str, sentence: str) -> tuple[list[Found], str]:
    """The findings of a clause in their order, and the clause with their words blanked out (as NUL)."""
    found = [f for f in _plain(clause) if _of_the_lung(f, clause, sentence)]
    blank = blanked(clause, found)
    for search in (hearts, thickenings, bronchi):
        more = search(blank)
        found += more
        blank = blanked(blank, more)
    found += [*effusions(blank, sentence), *calcifications(blank), *nodes(blank)]
    found.sort(key=lambda f: (f.start, f.label))
    return found, blanked(clause, found)


def _plain(clause: str) -> list[Found]:
    found: list[Found] = []
    for word, roots, pattern in _WORDS:
        if not _any_of(roots, clause):
            continue
        for match in pattern.finditer(clause):
            known = any(f.label == word.label and f.start < match.end() and match.start() < f.end for f in found)
            if not known:
                found.append(Found(word.label, (match.span(),), word.finding))
    return found


_BY_LABEL = {word.label: word.no_organ for word in words.FINDINGS}


def _of_the_lung(found: Found, clause: str, sentence: str) -> bool:
    """Whether the nearest organ of the clause (failing that, of the sentence) is not another one than the lung."""
    if not _BY_LABEL[found.label] or not _ORGANS.search(sentence):
        return True
    lung, other = _nearest(_LUNG, clause, found), _nearest(_ORGANS, clause, found)
    if lung is None and other is None:
        return _LUNG.search(sentence) is not None
    return other is None or (lung is not None and lung <= other)


def _nearest(pattern: re.Pattern[str], text: str, found: Found) -> int | None:
    gaps = [max(m.start() - found.end, found.start - m.end(), 0) for m in pattern.finditer(text)]
    return min(gaps, default=None)
