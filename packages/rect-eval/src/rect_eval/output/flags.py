"""Scores that a control reaches."""

from rect_eval.controls import flag
from rect_eval.output.words import number
from rect_eval.scores import Control, Section

MEANING = "it does not show that the system looked at the scan."


def flags(section: Section) -> dict[str, list[Control]]:
    """Score -> the floors that reach it; scores that no floor reaches are left out."""
    found: dict[str, list[Control]] = {}
    for control in section.controls:
        for name in control.scores:
            if _sentence(section, control, name):
                found.setdefault(name, []).append(control)
    return found


def told(name: str, controls: list[Control]) -> str:
    """In words: which controls reach a score, and what that means."""
    reached = [f"{control.name} ({number(control.scores[name].value, name)})" for control in controls]
    many = "controls" if len(reached) > 1 else "control"
    return f"Not distinguishable from the {many} {' and '.join(reached)}: {MEANING}"


def other_warnings(section: Section) -> list[str]:
    """The warnings of a section that do not only repeat its flags."""
    repeated = {_sentence(section, control, name) for control in section.controls for name in control.scores}
    return [warning for warning in section.warnings if warning not in repeated]


def _sentence(section: Section, control: Control, name: str) -> str:
    if control.kind != "floor" or name not in section.scores:
        return ""
    return flag(name, section.scores[name], control.name, control.scores[name])
