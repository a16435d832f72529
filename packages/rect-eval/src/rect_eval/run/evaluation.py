"""The result of a whole evaluation."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rect_eval.cases import Pairs
from rect_eval.run.options import Plain
from rect_eval.scores import Section

Settings = Mapping[str, Plain]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """Who was scored.

    cases: reconstructions of the truth; missing: those without a prediction; silent: predictions that lack a part that
    is scored, with its name; extra: predictions without a reference, which count for nothing.
    """

    cases: int
    scans: int
    patients: int
    missing: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def failures(self) -> int:
        """How many predictions, or parts of one, are missing and count as failures."""
        return len(self.missing) + len(self.silent)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Everything that is written: predictions, truth: names of what was scored against what; date: ISO 8601, UTC;
    warnings: of the whole, the first thing to read; pairs: texts and pictures of the cases, empty when read back."""

    predictions: str
    truth: str
    date: str
    cohort: Cohort
    settings: Settings
    versions: Mapping[str, str]
    sections: tuple[Section, ...]
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    pairs: Pairs = field(default_factory=lambda: Pairs(truths=(), predictions=()))
