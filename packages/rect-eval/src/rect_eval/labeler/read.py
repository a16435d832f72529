"""`label`: a report in, its mentions and states out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from rect_eval.labeler.assertion import Asserted, assertions
from rect_eval.labeler.canonical import canonical, offsets
from rect_eval.labeler.clauses import clauses
from rect_eval.labeler.find import find, may_find
from rect_eval.labeler.found import Found
from rect_eval.labeler.place_words import SIDED
from rect_eval.labeler.places import owners, placed, sizes
from rect_eval.labeler.result import Labelled, Mention, State, merged
from rect_eval.labeler.sentences import Sentence, sentences

_LARGE_NODE_MM = 10.0


@dataclass(frozen=True, slots=True)
class _Read:
    """A mention in a canonical sentence."""

    found: Found
    asserted: Asserted
    sides: tuple[str, ...]
    places: tuple[str, ...]
    sizes_mm: tuple[float, ...]


def label(text: str) -> Labelled:
    """Reads the 18 labels off a text; any string is read, an empty one mentions nothing."""
    mentions: list[Mention] = []
    for sentence in sentences(text):
        words = text[sentence.start : sentence.end]
        read = _read(canonical(words))
        if read:
            where = offsets(words, sentence.start)
            mentions += [_mention(one, sentence, where, text) for one in read]
    return merged(tuple(mentions))


def _mention(read: _Read, sentence: Sentence, where: Sequence[int], text: str) -> Mention:
    start, end = where[read.found.start], where[read.found.end - 1] + 1
    return Mention(
        label=read.found.label,
        finding=read.found.finding,
        state=read.asserted.state,
        text=text[start:end],
        span=(start, end),
        sentence=(sentence.start, sentence.end),
        sides=read.sides,
        places=read.places,
        sizes_mm=read.sizes_mm,
        comparison=read.asserted.comparison,
        historical=read.asserted.historical or sentence.background,
    )


@lru_cache(maxsize=16384)
def _read(sentence: str) -> tuple[_Read, ...]:
    """The mentions of a canonical sentence; reports repeat their sentences, so they are remembered."""
    if not may_find(sentence):
        return ()
    read: list[_Read] = []
    for start, end in clauses(sentence):
        read += _read_clause(sentence[start:end], sentence, start)
    return tuple(read)


def _read_clause(clause: str, sentence: str, offset: int) -> list[_Read]:
    found, blank = find(clause, sentence)
    if not found:
        return []
    measured: list[tuple[float, ...]] = [()] * len(found)
    for size in sizes(clause):
        for index in owners(size.start, size.end, found, clause):
            measured[index] += size.mm
    read: list[_Read] = []
    for one, asserted, where, mm in zip(found, assertions(found, blank), placed(clause, found), measured, strict=True):
        sides = tuple(dict.fromkeys(s for p in where for s in p.sides)) if one.label in SIDED else ()
        names = tuple(dict.fromkeys(n for p in where for n in p.names)) if one.label in SIDED else ()
        read.append(_Read(_moved(one, offset), _sized(one, asserted, mm), sides, names, mm))
    return read


def _moved(found: Found, offset: int) -> Found:
    parts = tuple((start + offset, end + offset) for start, end in found.parts)
    return Found(found.label, parts, found.finding, found.forced, found.node)


def _sized(found: Found, asserted: Asserted, mm: tuple[float, ...]) -> Asserted:
    """Lymph nodes that nothing calls large or small: their smaller axis decides, and without a size nothing does."""
    if not found.node or found.forced or asserted.state != "present":
        return asserted
    state: State = "uncertain" if not mm else "present" if min(mm) >= _LARGE_NODE_MM else "absent"
    return Asserted(state, asserted.comparison, asserted.historical)
