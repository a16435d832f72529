"""A score beside its control, in words."""

from math import isnan
from typing import Final

from rect_eval.scores import Score

LOWER_IS_BETTER: Final = ("brier", "ece", "hd95", "error", "contradictions", "false", "missing")
"""Parts of the names of scores of which less is better."""


def lower_is_better(name: str) -> bool:
    """Whether less of this score is better."""
    return any(part in name for part in LOWER_IS_BETTER)


def flag(score_name: str, real: Score, control_name: str, control: Score) -> str:
    """One sentence where a control reaches the interval of the real score (without an interval: the score itself);
    "" where it does not, or where one of them is undefined."""
    if isnan(real.value) or isnan(control.value):
        return ""
    worst = _worst_end(real, lower=lower_is_better(score_name))
    reached = control.value <= worst if lower_is_better(score_name) else control.value >= worst
    if not reached:
        return ""
    return (
        f"{score_name} {real.value:.3f}{_interval(real)} is not distinguishable from the {control_name} control "
        f"({control.value:.3f}): this score does not show that the system looked at the scan."
    )


def _worst_end(real: Score, *, lower: bool) -> float:
    end = real.high if lower else real.low
    return real.value if isnan(end) else end


def _interval(real: Score) -> str:
    return "" if isnan(real.low) or isnan(real.high) else f" (95 % interval {real.low:.3f} to {real.high:.3f})"
