"""Numbers, lists and sentences in words."""

import math
from collections.abc import Sequence

from rect_core.types import Lesion
from rect_reporter.phrases import COUNTS


def count(n: int) -> str:
    """A number in words up to twelve, in digits above."""
    return COUNTS[n] if n < len(COUNTS) else str(n)


def counted(n: int, noun: str) -> str:
    """A subject that may open a sentence: "seven lung nodules", "a total of 23 lung nodules"."""
    return f"{count(n)} {noun}" if n < len(COUNTS) else f"a total of {n} {noun}"


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def number(value: float) -> str:
    """One decimal below 10, whole from there: a CT does not measure finer."""
    if value < 0.05:
        return "less than 0.1"
    return f"{value:.1f}" if round(value, 1) < 10 else f"{value:.0f}"


def size(lesion: Lesion) -> str:
    """ "8.2 x 6.0 mm", "8.2 mm", or "" where the longest diameter is undefined."""
    if math.isnan(lesion.diameter_mm):
        return ""
    if math.isnan(lesion.short_axis_mm):
        return f"{number(lesion.diameter_mm)} mm"
    return f"{number(lesion.diameter_mm)} x {number(lesion.short_axis_mm)} mm"


def volume(lesions: Sequence[Lesion]) -> str:
    """The joint volume such as "120 ml", or "" where one of them is undefined."""
    total = sum(lesion.volume_ml for lesion in lesions)
    return "" if math.isnan(total) else f"{number(total)} ml"


def slices(lesion: Lesion) -> str:
    """ "slice 4" or "slices 4-9"."""
    first, last = min(lesion.slices), max(lesion.slices)
    return f"slice {first}" if first == last else f"slices {first}-{last}"


def score(value: float) -> str:
    """A probability or score with two decimals, never rounded to certainty."""
    if 0.0 < value < 0.01:
        return "below 0.01"
    if 0.99 < value < 1.0:
        return "above 0.99"
    return f"{value:.2f}"


def below(value: float, threshold: float) -> str:
    """A score beside the threshold that it misses, with as many decimals as tell them apart."""
    for digits in range(2, 7):
        if (a := f"{value:.{digits}f}") != (b := f"{threshold:.{digits}f}"):
            return f"({a}) is below its threshold ({b})"
    return f"({value:.2f}) is just below its threshold"


def sentence(text: str) -> str:
    """Starts upper-case, ends with one period, single spaces."""
    text = " ".join(text.split()).rstrip(" .;,")
    text = text if text[:1].isalpha() else f"Note: {text}"
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith(("!", "?")) else ".")
