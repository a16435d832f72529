"""Where a clause holds words that say how its findings are meant."""

import re
from dataclasses import dataclass

from rect_eval.labeler import cue_words as words

_KINDS = tuple(kind for kind, _ in words.CUES)
_CUES = re.compile(
    r"(?<![a-z])(?:" + "|".join(f"(?P<k{i}>{pattern})" for i, (_, pattern) in enumerate(words.CUES)) + ")"
)


@dataclass(frozen=True, slots=True)
class Cue:
    """Words that say how a finding is meant."""

    kind: str
    start: int
    end: int


def cues(blank: str) -> list[Cue]:
    """The cues of a clause whose findings are blanked out."""
    return [Cue(_KINDS[int((m.lastgroup or "k0")[1:])], m.start(), m.end()) for m in _CUES.finditer(blank)]
