"""One HTML page of one or several runs, which fetches nothing and runs nothing."""

import secrets
import time
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from rect_eval.output.html.text import facts, isolated, safe, tag
from rect_eval.output.words import number
from rect_train.watch import figures
from rect_train.watch.chart import Curve, chart
from rect_train.watch.log import Log
from rect_train.watch.points import Points, memory, smooth
from rect_train.watch.scale import Scale
from rect_train.watch.tables import config_part, differences_table, events_part, runs_table, scores_table, skipped_part

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_MOST_CHARTS: Final = 24
_FROM_ZERO: Final = ("rate", "gradient_norm", "seconds", "wait", "cases_per_second", "tflops", "mfu", "memory_gb")


def write_page(logs: Sequence[Log], path: Path) -> None:
    """Writes the page, whole or not at all.

    Raises ValueError for a name that does not end in .html, so that no other file is written over, and OSError where it
    cannot be written.
    """
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise ValueError(f"{path.name!r} is no name for a page: give a file that ends in .html")
    text = page(logs)
    scratch = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(text, encoding="utf-8", errors="backslashreplace")
        scratch.replace(path)
    except OSError as error:
        raise OSError(f"{path.name} cannot be written ({error.strerror}): give another place") from error
    finally:
        if path.parent.is_dir():
            scratch.unlink(missing_ok=True)


def page(logs: Sequence[Log]) -> str:
    """The whole page."""
    style = files("rect_train.watch").joinpath("style.css").read_text(encoding="utf-8")
    steps = Scale(low=0, high=1.01 * max(1, *(log.step for log in logs), 0))
    parts = (
        _losses(logs, steps),
        _scores(logs, steps),
        _figures(logs, steps),
        skipped_part(logs),
        events_part(logs),
        config_part(logs),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{safe(", ".join(log.name for log in logs))}: rect-train</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n{_header(logs)}\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</body>\n</html>\n"
    )


def _header(logs: Sequence[Log]) -> str:
    said: dict[str, list[str]] = {}
    for log in logs:
        for text in figures.warnings(log):
            said.setdefault(text, []).append(isolated(log.name))
    warned = "".join(
        tag("p", (f"{', '.join(names)}: " if len(logs) > 1 else "") + safe(text), kind="warning", role="note")
        for text, names in said.items()
    )
    written = time.strftime("%Y-%m-%d %H:%M")
    if len(logs) > 1:
        title, body = f"{len(logs)} runs", runs_table(logs) + differences_table(logs)
    else:
        title = isolated(logs[0].name)
        body = tag("p", safe(figures.headline(logs[0]).capitalize()), kind="lead") + warned + facts(_now(logs[0]))
        warned = ""
    kicker = tag("p", f"rect-train, as of {written}", kind="kicker")
    return tag("header", kicker + tag("h1", title) + warned + body)


def _now(log: Log) -> dict[str, str]:
    found = {"Loss": figures.short(figures.loss(log))} | figures.told(log)
    return {name: safe(value) for name, value in found.items()}


def _losses(logs: Sequence[Log], steps: Scale) -> str:
    names = _names(figures.losses(log) for log in logs)
    if not names:
        return _section("Loss", "No step has been logged yet.", "")
    spans = sorted({memory(points) for log in logs if (points := log.taken("loss"))} - {1})
    thick = f"Thick: the mean of the last {' or '.join(map(str, spans))} steps. " if spans else ""
    about = f"Thin: each step. {thick}Marks at the foot: steps that were skipped, which the lines leave out."
    charts = [_loss(logs, steps, name) for name in names]
    first = charts.pop(0) if names[0] == "loss" else ""
    return _section("Loss", about, first + _grid(charts))


def _loss(logs: Sequence[Log], steps: Scale, name: str) -> str:
    curves = [
        Curve(
            run=run,
            name=log.name,
            now=figures.short(means.last),
            points=means,
            raw=points,
            skipped=tuple(skip.step for skip in log.skipped) if name == "loss" else (),
        )
        for run, log in enumerate(logs)
        if (points := log.taken(name)) and (means := smooth(points))
    ]
    whole = name == "loss"
    return chart("Loss, weighted sum" if whole else figures.words(name), curves, steps, kind="wide" if whole else "")


def _scores(logs: Sequence[Log], steps: Scale) -> str:
    names = _names(figures.own_scores(log) for log in logs)
    drawn = [name for name in names if any(log.scores[name].known.size for log in logs if name in log.scores)]
    if not names:
        return ""
    about = (
        "Of the averaged weights on the validation split. Bands: 95 % intervals by patient. Dashed: what another "
        "patient's scores get; where that reaches a band, the score does not show that the model looks at the scan."
    )
    return _section("Validation", about, _grid([_score(logs, steps, name) for name in drawn]) + scores_table(logs))


def _score(logs: Sequence[Log], steps: Scale, name: str) -> str:
    curves = [
        Curve(
            run=run,
            name=log.name,
            now=number(points.last),
            points=points,
            dots=True,
            low=log.scores.get(f"{name}_low", Points()),
            high=log.scores.get(f"{name}_high", Points()),
            control=log.scores.get(f"{name}_mismatched", Points()),
        )
        for run, log in enumerate(logs)
        if (points := figures.own_scores(log).get(name))
    ]
    return chart(figures.words(name), curves, steps)


def _figures(logs: Sequence[Log], steps: Scale) -> str:
    found = [figures.figures(log) for log in logs]
    names = _names(found)
    about = "The learning rate is the schedule's factor times optim.lr; time a step includes waiting for data."
    charts = [_figure(logs, found, steps, name) for name in names]
    return _section("Optimizer and speed", about, _grid(charts)) if charts else ""


def _figure(logs: Sequence[Log], found: Sequence[dict[str, Points]], steps: Scale, name: str) -> str:
    plain = name in ("rate", "memory_gb")
    curves = [
        Curve(
            run=run,
            name=log.name,
            now=figures.now(name, each[name]),
            points=each[name] if plain else smooth(each[name]),
            raw=Points() if plain else each[name],
        )
        for run, (log, each) in enumerate(zip(logs, found, strict=True))
        if name in each
    ]
    return chart(figures.words(name), curves, steps, zero=name in _FROM_ZERO)


def _names(found: Iterable[Iterable[str]]) -> list[str]:
    """Names of any run, in their order."""
    return list(dict.fromkeys(name for names in found for name in names))


def _grid(charts: Sequence[str]) -> str:
    """Charts side by side; those that are too many are counted."""
    left = len(charts) - _MOST_CHARTS
    rest = tag("p", f"{left:,} more are in metrics.jsonl.", kind="quiet") if left > 0 else ""
    return tag("div", "".join(charts[:_MOST_CHARTS]), kind="grid") + rest if charts else ""


def _section(title: str, about: str, body: str) -> str:
    return tag("section", tag("h2", title) + tag("p", safe(about), kind="about") + body)
