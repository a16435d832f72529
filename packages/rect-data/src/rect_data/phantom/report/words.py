"""Numbers, sizes and lists in English, and the noun phrases of findings."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

import numpy as np

_ONES: Final = "no one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
NUMBERS: Final = (*_ONES.split(), "seventeen", "eighteen", "nineteen", "twenty")


@dataclass(frozen=True, kw_only=True, slots=True)
class Noun:
    """A name of a finding. one: singular, "" for what is only said in the plural; many: plural, "" for what is not
    counted; bare: the singular takes no article ("pleural effusion")."""

    one: str = ""
    many: str = ""
    bare: bool = False

    def plural(self, number: int) -> bool:
        """Whether `number` of these take a plural verb."""
        return not self.one or (number > 1 and bool(self.many))

    def counted(self, number: int, before: str = "", after: str = "") -> str:
        """With article or number: "a solid nodule", "two mild collections of pericardial effusion"."""
        bare = before + (self.many if self.plural(number) else self.one) + after
        if self.plural(number):
            return f"{number_word(number)} {bare}" if self.one else bare
        return bare if self.bare else with_article(bare)


def number_word(number: int) -> str:
    """2 -> "two"; beyond twenty nobody counts."""
    return NUMBERS[number] if number < len(NUMBERS) else "more than twenty"


def with_article(text: str) -> str:
    """ "nodule" -> "a nodule"; "8 mm nodule" -> "an 8 mm nodule"."""
    number = text.partition(" ")[0].partition(".")[0]
    vowel = text[0] in "aeiou" or text[0] == "8" or number in ("11", "18")
    return f"{'an' if vowel else 'a'} {text}"


def size_text(mm: float, rng: np.random.Generator) -> str:
    """A length in mm, with no or one decimal, or in cm from 10 mm; "" where it is NaN."""
    style = rng.random()
    if isnan(mm):
        return ""
    if mm >= 10 and style < 0.2:
        return f"{_plain(mm / 10)} cm"
    return f"{_plain(mm) if style > 0.6 or mm < 1 else round(mm)} mm"


def listed(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def _plain(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
