"""Reports whose sentences point at their evidence, and reasoning in steps."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SECTIONS = ("findings", "impression", "not assessed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentence:
    """One sentence of a report.

    evidence: ids of what it rests on: "score:<label slug>", "lesion:<lesion id>", "search:<finding>" (looked for,
    none found), "check:<name>" (a check of the scan), "scope" (what the system does and does not assess), "weights"
    (where the weights come from). negative: whether it states an absence. uncertain: whether it hedges.
    """

    text: str
    section: str
    evidence: tuple[str, ...]
    negative: bool = False
    uncertain: bool = False

    def __post_init__(self) -> None:
        if self.section not in SECTIONS:
            raise ValueError(f"section {self.section!r} is not one of {', '.join(SECTIONS)}")
        if not self.evidence:
            raise ValueError(f"sentence without evidence: {self.text!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """A report in CT-RATE's two sections and our closing one."""

    sentences: tuple[Sentence, ...]

    def section(self, name: str) -> str:
        """The sentences of one section joined by spaces."""
        return " ".join(s.text for s in self.sentences if s.section == name)

    @property
    def text(self) -> str:
        """The whole report with its headings."""
        return "\n\n".join(f"{name.capitalize()}:\n{self.section(name)}" for name in SECTIONS if self.section(name))

    def __str__(self) -> str:
        return self.text

    def to_json(self) -> dict[str, Any]:
        """A plain dict with the sentences and the joined text."""
        return {"sentences": [asdict(s) for s in self.sentences], "text": self.text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Report":
        """Inverse of `to_json`."""
        return cls(sentences=tuple(Sentence(**{**s, "evidence": tuple(s["evidence"])}) for s in data["sentences"]))


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningStep:
    """One step: where one looks (a region name), what is seen, and what follows from it."""

    region: str
    observation: str
    inference: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoning:
    """Steps and the conclusion they lead to."""

    steps: tuple[ReasoningStep, ...]
    conclusion: str

    def to_json(self) -> dict[str, Any]:
        """A plain dict; `from_json` is the way back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Reasoning":
        """Inverse of `to_json`."""
        steps = (ReasoningStep(**{**s, "evidence": tuple(s["evidence"])}) for s in data["steps"])
        return cls(steps=tuple(steps), conclusion=data["conclusion"])
