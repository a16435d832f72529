"""The scores of a section: tiles for what is read first, and a table of all scores beside their controls."""

from math import isfinite
from typing import Final

from rect_eval.output.flags import flags, told
from rect_eval.output.html.text import isolated, safe, table, tag
from rect_eval.output.words import interval, number, within_unit, words
from rect_eval.scores import Control, Score, Section

_FIRST: Final = {
    "classification": ("macro_auroc", "macro_average_precision", "macro_f1", "crg", "brier", "ece"),
    "localization": ("macro_dice", "oracle_dice", "macro_sensitivity", "hd95_mm", "lesion_f1", "froc"),
    "reports": ("ce_f1", "crg", "ce_f1_per_report", "bleu_mean", "rouge_l", "contradictions"),
}
_TILES: Final = 6


def headline(section: Section) -> list[str]:
    """The scores that are read first: the usual ones of the section, then others in their order."""
    wanted = [
        next((name for name in section.scores if name == first), None)
        or next((name for name in section.scores if first in name), None)
        for first in _FIRST[section.name]
    ]
    found = list(dict.fromkeys(name for name in wanted if name))
    return (found + [name for name in section.scores if name not in found])[:_TILES]


def tiles(section: Section) -> str:
    """A tile a score: value, interval, and where its controls stand on the same axis."""
    flagged = flags(section)
    made = [_tile(name, section, flagged=name in flagged) for name in headline(section)]
    return tag("div", "\n".join(made), kind="tiles")


def _tile(name: str, section: Section, *, flagged: bool) -> str:
    score = section.scores[name]
    controls = [(c, c.scores[name]) for c in section.controls if name in c.scores]
    ends = interval(score, name) or (score.why if not isfinite(score.value) else "no interval")
    parts = [
        tag("div", safe(words(name)), kind="name"),
        tag("div", safe(number(score.value, name)), kind="value"),
        tag("div", safe(ends), kind="range"),
        _track(score, controls),
        tag("div", ", ".join(_control(c, s, name) for c, s in controls), kind="against") if controls else "",
        tag("div", "A control reaches this score.", kind="reached") if flagged else "",
    ]
    return tag("div", "".join(parts), kind="tile flagged" if flagged else "tile")


def _control(control: Control, score: Score, name: str) -> str:
    return tag("span", f"{isolated(control.name)} {safe(number(score.value, name))}", kind=control.kind)


def _track(score: Score, controls: list[tuple[Control, Score]]) -> str:
    """A line from 0 to 1 with the interval, the score, and a mark for each control; nothing outside that range."""
    values = [score.value, score.low, score.high, *(s.value for _, s in controls)]
    if not isfinite(score.value) or not within_unit(values):
        return ""
    marks = []
    if interval(score):
        marks.append(f'<i class="band" style="left:{score.low:.2%};width:{score.high - score.low:.2%}"></i>')
    marks += [f'<i class="mark {c.kind}" style="left:{s.value:.2%}"></i>' for c, s in controls if isfinite(s.value)]
    marks.append(f'<i class="dot" style="left:{score.value:.2%}"></i>')
    return tag("div", "".join(marks), kind="track", aria_hidden="true")


def control_table(section: Section) -> str:
    """Every score with its interval and its controls; a score that a control reaches says so in the row below."""
    flagged = flags(section)
    heads = ["Score", "Value", "95&nbsp;% interval", "n"]
    heads += [f"{isolated(c.name)}<small>{c.kind}</small>" for c in section.controls]
    rows = [_row(name, score, section, flagged.get(name, [])) for name, score in section.scores.items()]
    about = "Every score" + (", beside what its controls reach" if section.controls else "")
    return table(heads, rows, "scores", about) + _explained(section.controls)


def _row(name: str, score: Score, section: Section, reached: list[Control]) -> str:
    why = tag("small", safe(score.why)) if score.why else ""
    cells = [
        tag("th", safe(words(name)) + why, scope="row"),
        tag("td", safe(number(score.value, name)), kind="strong"),
        tag("td", safe(interval(score, name))),
        tag("td", f"{score.n:,}" if score.n else ""),
    ]
    for control in section.controls:
        found = control.scores.get(name)
        cells.append(tag("td", safe(_beside(found, name)) if found else "", kind=control.kind))
    row = tag("tr", "".join(cells), kind="flagged" if reached else "")
    if not reached:
        return row
    below = tag("div", f"<b>Flag.</b> {safe(told(name, reached))}")
    return row + tag("tr", tag("td", below, colspan=str(len(cells))), kind="flag")


def _beside(score: Score, name: str) -> str:
    between = interval(score, name)
    return number(score.value, name) + (f" ({between})" if between else "")


def _explained(controls: tuple[Control, ...]) -> str:
    meaning = {"floor": "does not know the scan", "ceiling": "knows the truth"}
    items = [
        tag("dt", f"{isolated(c.name)} <small>{c.kind}: {meaning[c.kind]}</small>") + tag("dd", safe(c.explained))
        for c in controls
    ]
    return tag("dl", "".join(items), kind="explained") if items else ""
