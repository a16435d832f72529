"""Sides, lobes and sizes of a clause, each given to the nearest finding."""

import re
from dataclasses import dataclass

from rect_eval.labeler import place_words as words
from rect_eval.labeler.found import Found

_NAMES = "|".join(sorted({*words.SIDES, *words.PLACES, *words.ABBREVIATED}, key=len, reverse=True))
_PLACE = re.compile(rf"\b(?:{_NAMES})\b(?!{words.NOT_A_PLACE})")
_JOINED = re.compile(words.JOINED)
_BEFORE_NOUN = re.compile(
    r"(?: (?!(?:in|is|are|was|were|has|have|and|with|of|on|at|to|by|which|that)\b)[a-z-]+){0,4} ?"
)
_EMPHASIS = re.compile(
    r"(?:prominent|predominan\w+|mainly|especially|mostly|marked|dominant|pronounced)(?: (?:in|on|at"
    r"|the))* $"
)
_NUMBER = r"\d{1,3}(?:[.,]\d+)?"
_UNIT = r"(?:mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b"
_SIZE = re.compile(
    rf"(?<![\d.,]){_NUMBER}(?: ?{_UNIT})?(?: ?(?:x|\*|by|-|to"
    rf"|and) ?{_NUMBER}(?: ?{_UNIT})?){{0,2}}(?<=[a-z])"
)
_EACH = re.compile(rf"({_NUMBER})(?: ?({_UNIT}))?")


@dataclass(frozen=True, slots=True)
class Place:
    """Words of one place: where they stand and what they name."""

    start: int
    end: int
    sides: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """Where a size stands, and its axes in millimetres."""

    start: int
    end: int
    mm: tuple[float, ...]


def places(clause: str) -> list[Place]:
    """The places of a clause; "upper and middle lobes of the right lung" is one."""
    groups: list[list[re.Match[str]]] = []
    for match in _PLACE.finditer(clause):
        if groups and _JOINED.fullmatch(clause, groups[-1][-1].end(), match.start()):
            groups[-1].append(match)
        else:
            groups.append([match])
    return [_place(clause, group) for group in groups]


def _place(clause: str, group: list[re.Match[str]]) -> Place:
    sides: list[str] = []
    names: list[str] = []
    for word in (match[0] for match in group):
        side, name = words.ABBREVIATED.get(word, (words.SIDES.get(word, ""), words.PLACES.get(word, "")))
        sides += [side] if side else []
        names += [name] if name else []
    if not sides:
        sides = [words.IMPLIED_SIDE[name] for name in names if name in words.IMPLIED_SIDE]
        sides += ["right"] if names == ["middle"] and clause.startswith(" lobe", group[-1].end()) else []
    return Place(group[0].start(), group[-1].end(), tuple(dict.fromkeys(sides)), tuple(dict.fromkeys(names)))


def sizes(clause: str) -> list[Size]:
    """The sizes of a clause in millimetres: "5x4 mm", "1,2 cm", "3-5 mm"."""
    return [Size(m.start(), m.end(), _millimetres(m[0])) for m in _SIZE.finditer(clause)]


def _millimetres(text: str) -> tuple[float, ...]:
    axes: list[float] = []
    factor = 1.0
    for number, unit in reversed(_EACH.findall(text)):
        factor = (10.0 if unit.startswith("c") else 1.0) if unit else factor
        axes.append(round(float(number.replace(",", ".")) * factor, 3))
    return tuple(axes[::-1])


def owners(start: int, end: int, found: list[Found], clause: str) -> list[int]:
    """Which findings words at start..end describe: the noun they stand before, else the one before them, else the next.

    More than one where the same words state several findings: a ground-glass nodule.
    """
    following = next((i for i, f in enumerate(found) if f.start >= end), None)
    before = [i for i, f in enumerate(found) if f.start < start]
    index = following if following is not None else 0
    if before and not (following is not None and _BEFORE_NOUN.fullmatch(clause, end, found[following].start)):
        index = before[-1]
    one = found[index]
    return [i for i, f in enumerate(found) if f.start < one.end and one.start < f.end]


def placed(clause: str, found: list[Found]) -> list[list[Place]]:
    """The places of each finding; one without any takes the nearest, unless that stands before a later finding."""
    own: list[list[Place]] = [[] for _ in found]
    all_places = places(clause)
    for place in all_places:
        emphasis = _EMPHASIS.search(clause[max(0, place.start - 40) : place.start]) is not None
        for index in owners(place.start, place.end, found, clause):
            if not (emphasis and own[index]):
                own[index].append(place)
    for index, finding in enumerate(found):
        shared = [p for p in all_places if p.start < finding.start or _after_all(p, index, found)]
        if not own[index] and shared:
            own[index] = [min(shared, key=lambda p: max(p.start - finding.end, finding.start - p.end))]
    return own


def _after_all(place: Place, index: int, found: list[Found]) -> bool:
    """Whether a place follows this finding and every later one: "consolidation and nodules in the right lung"."""
    return all(place.start >= f.end for f in found[index:])
