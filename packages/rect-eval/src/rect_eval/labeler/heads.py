"""Nouns that need their neighbours: effusion of which space, calcification of which vessel, thickening of what."""

import re
from dataclasses import dataclass, replace
from itertools import zip_longest

from rect_eval.labeler import organ_words as words
from rect_eval.labeler.found import Found, Part
from rect_eval.labeler.result import State

_EFFUSION, _EFFUSION_OF_ITSELF, _NO_EFFUSION = map(
    re.compile, (words.EFFUSION, words.EFFUSION_OF_ITSELF, words.NO_EFFUSION)
)
_SPACE = re.compile(rf"(?P<pericardial>{words.PERICARDIAL})|(?P<pleural>{words.PLEURAL})")
_AND = re.compile(
    r"(?:[ ,/&-]|\d[\d.,]* ?[cm]m|\b(?:and|or|nor|in|no|the|as well as|bilateral|both|right|left"
    r"|spaces?)\b)*"
)
_CALCIFICATION, _PLAQUE = re.compile(words.CALCIFICATION), re.compile(words.PLAQUE)
_CORONARY, _ARTERIAL, _SOME_ARTERY = map(re.compile, (words.CORONARY, words.ARTERIAL, words.SOME_ARTERY))
_NO_ARTERY = re.compile(words.NO_ARTERY)
_THICKENING = re.compile(words.THICKENING)
_THICKNESS = re.compile(rf"(?P<a>{words.THICKNESS})(?: [a-z]+){{1,4}}? (?P<b>(?P<large>increas\w+)|normal|natural)\b")
_PERIBRONCHIAL, _SEPTAL = re.compile(words.PERIBRONCHIAL), re.compile(words.SEPTAL)


@dataclass(frozen=True, slots=True)
class _Head:
    """A noun that needs its neighbours: the words before it (up to another finding) and after it (up to the next)."""

    match: re.Match[str]
    before: str
    after: str

    @property
    def part(self) -> Part:
        return self.match.span()


def _heads(pattern: re.Pattern[str], text: str) -> list[_Head]:
    matches = list(pattern.finditer(text))
    heads: list[_Head] = []
    left = 0
    for match, following in zip_longest(matches, matches[1:]):
        before = text[left : match.start()].rpartition("\0")[2]
        after = text[match.end() : following.start() if following else None]
        if following:  # what stands right before the next noun belongs to that one
            after = max((after.rpartition(s)[0] for s in (",", " and ", " or ", " with ")), key=len)
        heads.append(_Head(match, before, after))
        left = match.end()
    return heads


def effusions(text: str, sentence: str) -> list[Found]:
    """Pleural and pericardial effusions of a clause; one whose space is not named is pleural."""
    found: list[Found] = []
    for head in _heads(_EFFUSION, text):
        spaces = _spaces(head)
        if not spaces and _EFFUSION_OF_ITSELF.search(head.match[0]) and not _NO_EFFUSION.search(text):
            pericardial = "pericardi" in head.match[0] or ("pericardi" in sentence and "pleura" not in sentence)
            spaces = {"pericardial"} if pericardial else {"pleural"}
        for space in sorted(spaces):
            name = f"{space}_effusion"
            found.append(Found(f"{space.capitalize()} effusion", (head.part,), name))
    return [_with_space(f, text) for f in found]


def _spaces(head: _Head) -> set[str]:
    """The spaces that "effusion" is said of: the nearest one and those joined to it by a list."""
    before = list(_SPACE.finditer(head.before))[::-1]
    after = [m for m in _SPACE.finditer(head.after) if not head.after[m.end() :].startswith(" thicken")]
    chain, text = (before, head.before) if before else (after, head.after)
    spaces: set[str] = set()
    for last, match in zip([None, *chain], chain, strict=False):
        if last is not None:
            first, second = sorted((last, match), key=lambda m: m.start())
            if not _AND.fullmatch(text, first.end(), second.start()):
                break
        spaces.add(match.lastgroup or "")
    return spaces


def _with_space(found: Found, text: str) -> Found:
    """The finding with the adjective right before it as part of its words: "pleural effusion"."""
    adjective = re.search(r"(?:pleural|pericardial) $", text[: found.start])
    return replace(found, parts=((adjective.start(), found.end),)) if adjective else found


def calcifications(text: str) -> list[Found]:
    """Calcified walls of the coronary and of other arteries."""
    found: list[Found] = []
    if not ("calcif" in text or "athero" in text or "plaque" in text):
        return found
    for head in _heads(_CALCIFICATION, text):
        labels = _arteries(head.before) or _arteries(head.after)
        if not labels:
            anywhere = _SOME_ARTERY.search(head.before) or _SOME_ARTERY.search(head.after)
            if anywhere or (_PLAQUE.search(head.match[0]) and not _NO_ARTERY.search(text)):
                labels = ["Arterial wall calcification"]
        found += [Found(label, (head.part,)) for label in labels]
    return found


def _arteries(text: str) -> list[str]:
    pairs = (("Arterial wall calcification", _ARTERIAL), ("Coronary artery wall calcification", _CORONARY))
    return [label for label, pattern in pairs if pattern.search(text)]


def thickenings(text: str) -> list[Found]:
    """Peribronchial and interlobular septal thickening; walls of normal thickness are a denial."""
    found: list[Found] = []
    if not ("bronch" in text or "lobular" in text or "sept" in text):
        return found
    for head in _heads(_THICKENING, text):
        labels = _thickened(head.before + head.match[0]) or _thickened(head.after)
        found += [Found(label, (head.part,)) for label in labels]
    taken = [f.parts[0] for f in found]
    for match in _THICKNESS.finditer(text):
        if any(start < match.end() and match.start() < end for start, end in taken):
            continue
        forced: State | None = None if match["large"] else "absent"
        labels = _thickened(text[: match.end("a")].rpartition("\0")[2])
        found += [Found(label, (match.span("a"), match.span("b")), forced=forced) for label in labels]
    return found


def _thickened(text: str) -> list[str]:
    pairs = (("Peribronchial thickening", _PERIBRONCHIAL), ("Interlobular septal thickening", _SEPTAL))
    return [label for label, pattern in pairs if pattern.search(text)]
