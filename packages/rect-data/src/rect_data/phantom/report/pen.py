"""Chooses sentences and fills them: the only place where a report's chance lives."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeVar

import numpy as np

from rect_data.phantom.report.words import sentence

T = TypeVar("T")

STATES: Final = {"where": ("where", "place", "side"), "size": ("size", "sized"), "number": ("a", "n", "count")}
"""What a sentence may say of a finding, and the slots that say it."""


@dataclass(slots=True)
class Slots:
    """The words of one finding. plural: whether its verbs are; also: whole sentences that may follow it."""

    words: dict[str, str]
    plural: bool = False
    also: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Pen:
    """Writes with a generator; a sentence form is not used twice in a report while others fit.

    In a form, {slot} is a word of the finding, [one|many] depends on its number and <a|b> is free choice.
    """

    rng: np.random.Generator
    used: list[str] = field(default_factory=list)

    def pick(self, options: Sequence[T]) -> T:
        """One of these."""
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < probability)

    def shuffled(self, items: Sequence[str]) -> list[str]:
        """The same in another order."""
        return [items[i] for i in self.rng.permutation(len(items))]

    def write(self, forms: Sequence[str], slots: Slots, must: Sequence[str] = ()) -> str:
        """A sentence from one of the forms whose slots are all filled, among those that say most of `must`."""
        fits = [form for form in forms if fields(form, slots.plural) <= slots.words.keys()]
        said = [_said(fields(form, slots.plural), must) for form in fits]
        best = [form for form, count in zip(fits, said, strict=True) if count == max(said)]
        form = self.pick([form for form in best if form not in self.used] or best)
        self.used.append(form)
        return sentence(self.free(agreed(form, slots.plural)).format_map(slots.words))

    def free(self, form: str) -> str:
        """Takes one of the words of each <a|b>."""
        return re.sub(r"<([^>]*)>", lambda match: self.pick(match.group(1).split("|")), form)


@cache
def agreed(form: str, plural: bool) -> str:
    """A form with the number of its [one|many] settled."""
    return re.sub(r"\[([^|\]]*)\|([^\]]*)\]", lambda match: match.group(2 if plural else 1), form)


@cache
def fields(form: str, plural: bool) -> frozenset[str]:
    """Slots that a form needs."""
    return frozenset(re.findall(r"\{(\w+)\}", agreed(form, plural)))


def _said(have: frozenset[str], must: Sequence[str]) -> int:
    return sum(any(slot in have for slot in STATES[what]) for what in must)
