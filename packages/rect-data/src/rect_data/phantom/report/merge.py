"""Several facts told as one."""

from collections.abc import Sequence
from itertools import groupby
from math import isnan
from typing import Final

from rect_data.phantom.facts import Fact
from rect_data.phantom.parts import LOBES
from rect_data.phantom.report.places import stations

GATHERED: Final = ("Arterial wall calcification", "Coronary artery wall calcification")
"""Labels whose details are places, of which one sentence may list all."""


def by_kind(facts: Sequence[Fact]) -> list[Fact]:
    """One fact a kind, in the order in which the kinds come."""
    kinds = list(dict.fromkeys(fact.kind for fact in facts))
    ordered = sorted(facts, key=lambda fact: kinds.index(fact.kind))
    return [merged(list(group)) for _, group in groupby(ordered, key=lambda fact: fact.kind)]


def merged(facts: Sequence[Fact]) -> Fact:
    """What is true of all of them together: every lobe and place, the largest size, the total number, and the severity
    and details they share."""
    first = facts[0]
    if len(facts) == 1 and first.label != "Lymphadenopathy":
        return first
    severities = {fact.severity for fact in facts}
    return Fact(
        label=first.label,
        kind=first.kind,
        side=_side(facts),
        lobes=tuple(lobe for lobe in LOBES if any(lobe in fact.lobes for fact in facts)),
        size_mm=largest(facts).size_mm,
        number=sum(fact.number for fact in facts),
        severity=first.severity if len(severities) == 1 else "",
        details=_details(facts),
        uncertain=all(fact.uncertain for fact in facts),
    )


def largest(facts: Sequence[Fact]) -> Fact:
    """The first of the largest; one without size where none has any."""
    return max(facts, key=lambda fact: -1.0 if isnan(fact.size_mm) else fact.size_mm)


def _side(facts: Sequence[Fact]) -> str:
    sides = {fact.side for fact in facts} & {"right", "left", "bilateral"}
    if facts[0].label == "Lymphadenopathy":
        return ""  # the names of the stations say it
    return "bilateral" if len(sides) > 1 else "".join(sides)


def _details(facts: Sequence[Fact]) -> tuple[str, ...]:
    if facts[0].label == "Lymphadenopathy":
        return tuple(stations(facts))
    if facts[0].label in GATHERED:
        return tuple(dict.fromkeys(detail for fact in facts for detail in fact.details))
    return tuple(detail for detail in facts[0].details if all(detail in fact.details for fact in facts))
