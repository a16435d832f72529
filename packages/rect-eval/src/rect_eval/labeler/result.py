"""What the labeler gives back: mentions with their spans, and one state a label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rect_core.findings import LABELS

State = Literal["present", "absent", "uncertain", "not mentioned"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mention:
    """One place of a text that speaks of a label.

    finding: the localized finding where the words name one ("ground_glass_opacity"), else "". span, sentence: start
    and end in the given text, `text` being what stands at `span`. sides: "right", "left", "bilateral"; places: lobes,
    zones and segments ("upper", "lingula", "apical"); sizes_mm in the order of the text; comparison: "new", "stable",
    "increased", "decreased", "resolved" or ""; historical: said of the past or only asked for, so that it
    does not count.
    """

    label: str
    state: State
    text: str
    span: tuple[int, int]
    sentence: tuple[int, int]
    finding: str = ""
    sides: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    sizes_mm: tuple[float, ...] = ()
    comparison: str = ""
    historical: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """A text as read: the state of each of the 18 labels, and every mention in the order of the text."""

    states: Mapping[str, State]
    mentions: tuple[Mention, ...] = ()

    def decided(self, *, uncertain: bool = True) -> tuple[bool, ...]:
        """Yes or no a label, in the order of LABELS; `uncertain` says what an uncertain label counts as."""
        return tuple(
            self.states[name] == "present" or (uncertain and self.states[name] == "uncertain") for name in LABELS
        )


_RANK: dict[State, int] = {"not mentioned": 0, "absent": 1, "uncertain": 2, "present": 3}


def merged(mentions: tuple[Mention, ...]) -> Labelled:
    """One state a label: present before uncertain before absent; historical mentions do not count."""
    states: dict[str, State] = dict.fromkeys(LABELS, "not mentioned")
    for mention in mentions:
        if not mention.historical and _RANK[mention.state] > _RANK[states[mention.label]]:
            states[mention.label] = mention.state
    return Labelled(states=states, mentions=mentions)
