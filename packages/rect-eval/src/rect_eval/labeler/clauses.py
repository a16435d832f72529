"""Clauses of a sentence: how far a denial, a doubt or a comparison reaches."""

import re
from itertools import pairwise

from rect_eval.labeler import cue_words as words
from rect_eval.labeler.find import find
from rect_eval.labeler.place_words import ONLY_A_PLACE

_BREAK, _EXCEPTION, _GOES_ON = re.compile(words.BREAKS), re.compile(words.EXCEPTIONS), re.compile(words.GOES_ON)
_FINITE, _RELATIVE, _LISTS = re.compile(words.FINITE), re.compile(words.RELATIVE), re.compile(words.LISTS_AFTER)
_ANAPHOR, _NEW_SUBJECT, _PLACE = re.compile(words.ANAPHOR), re.compile(words.NEW_SUBJECT), re.compile(ONLY_A_PLACE)
_SEPARATOR = re.compile(r",(?: and)? | and ")
_ONE_VERB = re.compile(r"(?: [a-z]+){0,2} ?")
_DENIED = re.compile(r"\b(?:no|not|without)\b")
_OR = re.compile(r" n?or ")
_COMMA = re.compile(r",(?!\d)")
_AUXILIARY = re.compile(r" (?:been|(?:\w+ly )?\w+ed)\b")


def clauses(sentence: str) -> list[tuple[int, int]]:
    """Start and end of each clause, in order; together they are the sentence."""
    edges = [0, *_hard(sentence), len(sentence)]
    found: list[tuple[int, int]] = []
    for start, end in pairwise(edges):
        cuts = [0, *_soft(sentence[start:end]), end - start]
        found += [(start + a, start + b) for a, b in pairwise(cuts) if a < b]
    return found


def _hard(sentence: str) -> list[int]:
    """Where "but", ";", "except" and the like begin a clause; one without a subject goes on with the clause before."""
    breaks = list(_BREAK.finditer(sentence))
    cuts: list[int] = []
    for index, found in enumerate(breaks):
        following = breaks[index + 1].start() if index + 1 < len(breaks) else len(sentence)
        if not (_GOES_ON.match(sentence, found.end()) and not find(sentence[found.end() : following], sentence)[0]):
            cuts.append(found.start())
        word = found[0].strip(" ,-")
        if (found.start() == 0 and _EXCEPTION.match(word)) or word.startswith("who"):
            comma = _COMMA.search(sentence, found.end(), following)
            cuts += [comma.start()] if comma else []
    return sorted({cut for cut in cuts if cut > 0})


def _soft(text: str) -> list[int]:
    """Commas and "and" between two verbs, each with its subject; and the end of a denial before a new thing."""
    verbs = _verbs(text)
    cuts: list[int] = []
    for (start, end), (after, _) in pairwise(verbs):
        separators = list(_SEPARATOR.finditer(text, end, after))
        chosen = _between(text, separators, lists=_lists_after(text, start, end))
        if chosen and not _GOES_ON.match(text, chosen.end()) and not _ANAPHOR.match(text, chosen.end()):
            cuts.append(chosen.start())
    cuts += [s.start() for s in _SEPARATOR.finditer(text) if _denial_ends(text, s, cuts, verbs)]
    return sorted(set(cuts))


def _verbs(text: str) -> list[tuple[int, int]]:
    """Finite verbs; those of relative clauses left out, "could not be seen" taken as one."""
    verbs: list[tuple[int, int]] = []
    for found in _FINITE.finditer(text):
        if _RELATIVE.search(text[max(0, found.start() - 40) : found.start()]):
            continue
        if verbs and _ONE_VERB.fullmatch(text, verbs[-1][1], found.start()):
            verbs[-1] = (verbs[-1][0], found.end())
        else:
            verbs.append(found.span())
    return verbs


def _lists_after(text: str, start: int, end: int) -> bool:
    """Whether what the verb says follows it: "there is no effusion, nodule or mass"."""
    lists = _LISTS.search(text, max(0, start - 6), end)
    return lists is not None and not _AUXILIARY.match(text, end)


def _between(text: str, separators: list[re.Match[str]], *, lists: bool) -> re.Match[str] | None:
    """The separator at which the second verb's subject begins."""
    if not separators:
        return None
    if lists:
        return [*separators[-1:], *(s for s in separators if s[0] == ", and ")][-1]
    subjects = [s for s in separators if not _PLACE.match(text, s.end())]
    return next((s for s in subjects if s[0] != " and "), (subjects or separators)[0])


def _denial_ends(text: str, separator: re.Match[str], cuts: list[int], verbs: list[tuple[int, int]]) -> bool:
    """Whether "no effusion, a nodule" begins something new here: an article, a number or a size, no "or", no verb."""
    if not _NEW_SUBJECT.match(text, separator.end()):
        return False
    start = max((cut for cut in cuts if cut < separator.start()), default=0)
    denied = _DENIED.search(text, start, separator.start())
    verb_follows = any(begin > separator.end() for begin, _ in verbs)
    return denied is not None and not verb_follows and not _OR.search(text, separator.end())
