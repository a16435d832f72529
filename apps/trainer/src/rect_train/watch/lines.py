"""Runs as plain lines, for where there is no terminal."""

from collections.abc import Sequence
from typing import Final

from rect_eval.output.words import number
from rect_train.watch import figures
from rect_train.watch.log import Log

EVENTS: Final = 5
"""Events that are told, the last ones."""
_CASES: Final = 8


def lines(logs: Sequence[Log]) -> list[str]:
    """All runs, an empty line between two."""
    found = [line for log in logs for line in ("", *_run(log))]
    return found[1:]


def skipped(log: Log) -> str:
    """How many steps were not taken, and the last of them; "" where none was."""
    if not log.skipped:
        return ""
    last = log.skipped[-1]
    more = len(last.case_ids) - _CASES
    cases = ", ".join(last.case_ids[:_CASES]) + (f" and {more} more" if more > 0 else "")
    steps = "1 step" if len(log.skipped) == 1 else f"{len(log.skipped):,} steps"
    return f"{steps} skipped, the last {last.step:,}: {last.why}; cases {cases}"


def clock(at: str) -> str:
    """The time of an event, without its zone."""
    return at.replace("T", " ")[:19]


def _run(log: Log) -> list[str]:
    losses = [f"{figures.words(name)} {figures.short(figures.loss(log, name))}" for name in figures.losses(log)]
    course = figures.sparkline(log.taken("loss"))
    found = [
        ", ".join(losses) + f"  {course}" if losses else "no step has been logged yet",
        *_scores(log),
        ", ".join(f"{name.lower()} {value}" for name, value in figures.told(log).items()),
        skipped(log),
        *(f"warning: {text}" for text in figures.warnings(log)),
        *(f"{clock(event.at)} {event.said}".strip() for event in log.events[-EVENTS:]),
    ]
    return [f"{log.name}: {figures.headline(log)}", *(f"  {text}" for text in found if text)]


def _scores(log: Log) -> list[str]:
    found = []
    for score in figures.scores(log):
        beside = [score.interval, f"mismatched {number(score.control)}" if score.control == score.control else ""]
        beside += [f"best {number(score.best)} at step {score.best_step:,}"] if score.best_step else []
        told = "; ".join(filter(None, beside))
        found.append(f"{figures.words(score.name)} {number(score.last)}" + (f" ({told})" if told else ""))
    return [f"validation at step {figures.scores(log)[0].step:,}:", *(f"  {text}" for text in found)] if found else []
