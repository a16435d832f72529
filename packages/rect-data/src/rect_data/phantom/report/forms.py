"""The forms of sentences about one label."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Forms:
    """Sentences of the findings, of the impressions, and doubts: hedges that may follow a finding."""

    findings: tuple[str, ...]
    impressions: tuple[str, ...]
    doubts: tuple[str, ...]
