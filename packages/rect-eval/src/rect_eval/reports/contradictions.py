"""Statements of one report that cannot both be true.

Only what no reading can reconcile counts: a finding that differs in side, place, station or time, or that is denied
with a qualification ("no new", "no other", "no suspicious"), is no contradiction.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rect_eval.labeler import Mention
from rect_eval.reports.agreement import sides_of

Kind = Literal["present and absent", "opposite sides", "impression against findings"]

_IMPRESSION: Final = re.compile(r"(?:^|(?<=[\n.]))\s*(?:impressions?|conclusions?|opinion)\s*:", re.IGNORECASE)
_QUALIFIED: Final = re.compile(
    r"\b(?:other|another|additional|further|else|elsewhere|remain\w*|rest|except\w*|apart|beside\w*|new\w*|interval|significant\w*|suspicious|solid|"
    r"large\w*|bigger|massive|marked\w*|prominent|definite\w*|obvious|clear|active|acute|pathologic\w*|patholog\w*|metasta\w*|"
    r"increase\w*|change\w*|progress\w*|residual|diffuse\w*|generali[sz]ed|widespread|focal|than)\b",
    re.IGNORECASE,
)
"""Words that narrow a denial."""
_STATION: Final = re.compile(
    r"mediastin|hilar|hilum|axill|supraclav|infraclav|cervic|subcarin|paratrach|prevascul|aortopulm|mammar|abdom|"
    r"retroperit|parasternal|paracard|diaphragm|ascending|descending|arch|carotid|subclav|abdominal|thorac|celiac|renal|"
    r"splen|coronar|mitral|pulmonary arter",
    re.IGNORECASE,
)
_NORMAL: Final = re.compile(
    r"\W*(?:(?:a )?normal (?:\w+ )?(?:chest|thora\w+|ct|study|examination|scan)\b[\w ]*"
    r"|no (?:abnormality|abnormalities|pathology|abnormal findings?)\b[\w ]*"
    r"|(?:the )?(?:chest|thorax|thoracic|ct)[\w ]*\b(?:is|are) normal)\W*",
    re.IGNORECASE,
)
"""An impression that says nothing but "normal"."""

BROAD: Final = frozenset(
    {
        "Medical material",
        "Arterial wall calcification",
        "Lymphadenopathy",
        "Lung nodule",
        "Lung opacity",
        "Pulmonary fibrotic sequela",
        "Emphysema",
    }
)
"""Labels that stand for several things: only the same words contradict each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contradiction:
    """Two sentences of a report that do not go together. label: "" where all findings are concerned."""

    kind: Kind
    label: str
    first: str
    second: str


def contradictions(mentions: Sequence[Mention], text: str) -> tuple[Contradiction, ...]:
    """At most one contradiction of each kind a label, in the order of the text."""
    start = impression_start(text)
    found: dict[tuple[Kind, str], Contradiction] = {}
    for one in (*_denied(mentions, text, start), *_opposite(mentions, text, start), *_nothing(mentions, text, start)):
        found.setdefault((one.kind, one.label), one)
    return tuple(found.values())


def impression_start(text: str) -> int:
    """Where the impression begins; the text's length where it has none."""
    heading = _IMPRESSION.search(text)
    return heading.end() if heading else len(text)


def _denied(mentions: Sequence[Mention], text: str, start: int) -> list[Contradiction]:
    """Stated in one sentence, denied in another."""
    stated = [m for m in mentions if m.state == "present" and _now(m)]
    absent = [m for m in mentions if m.state == "absent" and _now(m) and not _narrowed(m, text)]
    found = []
    for yes in stated:
        for no in absent:
            if yes.label == no.label and yes.sentence != no.sentence and _same_thing(yes, no, text):
                across = (yes.span[0] < start) != (no.span[0] < start)
                kind: Kind = "impression against findings" if across else "present and absent"
                found.append(_of(kind, *sorted((yes, no), key=lambda m: m.span), text=text))
    return found


def _opposite(mentions: Sequence[Mention], text: str, start: int) -> list[Contradiction]:
    """An impression that names a side which the findings, naming one each time, do not have."""
    found = []
    stated = [m for m in mentions if m.state in ("present", "uncertain") and _now(m)]
    for late in (m for m in stated if m.span[0] >= start and m.sides):
        early = [m for m in stated if m.span[0] < start and m.label == late.label]  # in whatever words: all widen it
        known = frozenset[str]().union(*(sides_of(m) for m in early))
        if early and all(m.sides for m in early) and not sides_of(late) <= known:
            found.append(_of("opposite sides", early[0], late, text=text))
    return found


def _nothing(mentions: Sequence[Mention], text: str, start: int) -> list[Contradiction]:
    """An impression of "normal" under findings that are not."""
    said = re.split(r"\n\s*\n", text[start:].strip(), maxsplit=1)[0]
    early = [m for m in mentions if m.span[0] < start and m.state == "present" and _now(m)]
    if not early or not _NORMAL.fullmatch(said):
        return []
    first = _sentence(early[0], text)
    return [Contradiction(kind="impression against findings", label="", first=first, second=said)]


def _now(mention: Mention) -> bool:
    return not mention.historical and mention.comparison != "resolved"


def _narrowed(absent: Mention, text: str) -> bool:
    """Whether a denial leaves room: "no new", "no nodule larger than 5 mm"."""
    changed = absent.comparison in ("new", "increased", "decreased")
    return changed or bool(absent.sizes_mm) or bool(_QUALIFIED.search(_sentence(absent, text)))


def _same_thing(yes: Mention, no: Mention, text: str) -> bool:
    """Whether the denial covers what is stated: its finding, side, place and station."""
    if (no.finding and yes.finding != no.finding) or not _same_words(yes, no):
        return False
    sides, denied = sides_of(yes), sides_of(no)
    if len(denied) == 1 and not sides & denied:
        return False
    if no.places and not set(no.places) & set(yes.places):
        return False
    stations = set(map(str.lower, _STATION.findall(_sentence(no, text))))
    return (
        not stations
        or yes.label not in BROAD
        or bool(stations & set(map(str.lower, _STATION.findall(_sentence(yes, text)))))
    )


def _same_words(one: Mention, other: Mention) -> bool:
    return one.label not in BROAD or _stem(one.text) == _stem(other.text)


def _stem(words: str) -> str:
    """The last word without its plural: what a phrase is about."""
    last = words.lower().replace("-", " ").split()[-1:] or [""]
    return re.sub(r"(?:ies|y)$", "y", last[0]).removesuffix("s")


def _of(kind: Kind, first: Mention, second: Mention, *, text: str) -> Contradiction:
    return Contradiction(kind=kind, label=first.label, first=_sentence(first, text), second=_sentence(second, text))


def _sentence(mention: Mention, text: str) -> str:
    return " ".join(text[slice(*mention.sentence)].split())
