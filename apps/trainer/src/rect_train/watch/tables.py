"""The tables of a page: runs, scores, skipped steps, events, configs."""

import math
from collections.abc import Sequence
from typing import Final

from rect_eval.output.html.text import isolated, safe, table, tag
from rect_eval.output.words import number
from rect_train.watch import figures
from rect_train.watch.log import Log, printable

_MOST_ROWS: Final = 50
_MOST_EVENTS: Final = 30
_MOST_CASES: Final = 12
_MOST_SCORES: Final = 200


def runs_table(logs: Sequence[Log]) -> str:
    """A row a run, which is also the legend of the charts."""
    told = [figures.told(log) for log in logs]
    names = list(dict.fromkeys(name for each in told for name in each))
    rows = [
        tag("th", _named(run, log), scope="row")
        + tag("td", safe(figures.headline(log)), kind="text")
        + tag("td", safe(figures.short(figures.loss(log))))
        + "".join(tag("td", safe(each.get(name, figures.NONE))) for name in names)
        for run, (log, each) in enumerate(zip(logs, told, strict=True))
    ]
    heads = ["Run", "State", "Loss", *map(safe, names)]
    return table(heads, [tag("tr", row) for row in rows], "runs", "")


def scores_table(logs: Sequence[Log]) -> str:
    """The last and the best validation of each run, beside the control."""
    several = len(logs) > 1
    found = [(score, run, log) for run, log in enumerate(logs) for score in figures.scores(log)[:_MOST_SCORES]]
    names = list(dict.fromkeys(score.name for score, _, _ in found))
    rows = [
        tag("th", safe(figures.words(score.name)), scope="row")
        + (tag("td", _named(run, log)) if several else "")
        + _score_cells(score)
        for score, run, log in sorted(found, key=lambda each: names.index(each[0].name))
    ]
    heads = ["Score", *(["Run"] if several else []), "Last", "95 % interval", "Mismatched", "Best", "at step"]
    last = ", ".join(
        f"{f'{log.name} ' if several else ''}step {max(p.steps[-1] for p in log.scores.values()):,}"
        for log in logs
        if log.scores
    )
    return table(heads, [tag("tr", row) for row in rows], "runs" if several else "scores", f"Last validation: {last}")


def skipped_part(logs: Sequence[Log]) -> str:
    """The last steps that were not taken, with their cases."""
    if not any(log.skipped for log in logs):
        return tag("section", tag("h2", "Skipped steps") + tag("p", "None.", kind="about"))
    several = len(logs) > 1
    rows = [
        tag("th", f"{skip.step:,}", scope="row")
        + (tag("td", _named(run, log)) if several else "")
        + tag("td", isolated(skip.why), kind="text")
        + tag("td", _listed(skip.case_ids), kind="text")
        for run, log in enumerate(logs)
        for skip in log.skipped[: -_MOST_ROWS - 1 : -1]
    ]
    heads = ["Step", *(["Run"] if several else []), "Why", "Cases"]
    counts = "; ".join(f"{log.name}: {len(log.skipped):,}" if several else f"{len(log.skipped):,}" for log in logs)
    about = tag("p", safe(f"{counts}. Newest first, at most {_MOST_ROWS} of a run."), kind="about")
    body = table(heads, [tag("tr", row) for row in rows], "left", "")
    return tag("section", tag("h2", "Skipped steps") + about + body)


def events_part(logs: Sequence[Log]) -> str:
    """What was said last."""
    parts = []
    for run, log in enumerate(logs):
        rows = [
            tag(
                "tr",
                tag("th", safe(event.at.replace("T", " ")[:19]), scope="row")
                + tag("td", isolated(event.said), kind="text"),
            )
            for event in log.events[: -_MOST_EVENTS - 1 : -1]
        ]
        if rows:
            head = tag("h3", _named(run, log)) if len(logs) > 1 else ""
            parts.append(head + table(["Time", "Event"], rows, "left", ""))
    return tag("section", tag("h2", "Events") + "".join(parts)) if parts else ""


def differences_table(logs: Sequence[Log]) -> str:
    """In what the configs of the runs differ."""
    found = figures.differences([log.settings for log in logs])
    rows = [
        tag("th", isolated(printable(key)), scope="row") + "".join(_setting(value, values[0]) for value in values)
        for key, values in found.items()
    ]
    if not rows:
        return tag("p", "The runs have the same config.", kind="about")
    heads = ["In the config", *(_named(run, log) for run, log in enumerate(logs))]
    return table(heads, [tag("tr", row) for row in rows], "settings", "")


def config_part(logs: Sequence[Log]) -> str:
    """The config of each run."""
    whole = "".join(
        tag("details", tag("summary", f"config.yaml of {isolated(log.name)}") + tag("pre", safe(log.config)))
        for log in logs
    )
    return tag("section", tag("h2", "Config") + whole)


def _score_cells(score: figures.Score) -> str:
    best = "" if math.isnan(score.best) else f"{score.best_step:,}"
    texts = (number(score.last), score.interval, number(score.control), number(score.best), best)
    return "".join(
        tag("td", safe(text), kind="reached" if place == 2 and score.reached else "")
        for place, text in enumerate(texts)
    )


def _setting(value: object, first: object) -> str:
    return tag("td", isolated(printable(value)), kind="" if value == first else "other")


def _named(run: int, log: Log) -> str:
    """A run with its colour."""
    return tag("i", "", kind=f"r{run}") + isolated(log.name)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(isolated(name) for name in names[:_MOST_CASES])
    return shown + (f" and {len(names) - _MOST_CASES} more" if len(names) > _MOST_CASES else "")
