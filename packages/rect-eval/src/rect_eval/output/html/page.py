"""report.html: one file that fetches nothing and runs nothing, put together from its sections."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from rect_core.findings import LABELS, slug
from rect_eval.output.flags import other_warnings
from rect_eval.output.html.cases import case_cards
from rect_eval.output.html.classes import class_table
from rect_eval.output.html.head import header
from rect_eval.output.html.overlays import Overlays
from rect_eval.output.html.scores import control_table, tiles
from rect_eval.output.html.text import bullets, facts, isolated, safe, table, tag
from rect_eval.output.pictures import Group, groups
from rect_eval.output.words import PARTS, words
from rect_eval.run.evaluation import Evaluation
from rect_eval.scores import Cell, Section

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_NO_PICTURES: Final = (
    "There are no pictures: they need matplotlib (pip install 'rect-eval[plots]'). The tables are complete."
)
_MOST_WRONG: Final = 8


def page(evaluation: Evaluation) -> str:
    """The whole page."""
    style = files("rect_eval.output.html").joinpath("style.css").read_text(encoding="utf-8")
    overlays = Overlays()
    sections = "\n".join(_section(section, evaluation, overlays) for section in evaluation.sections)
    title = f"{evaluation.predictions} against {evaluation.truth}: rect-eval"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n<meta name="referrer" content="no-referrer">\n'
        f'<link rel="icon" href="data:,">\n<title>{safe(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n'
        f"{header(evaluation)}\n<main>\n{sections}\n{_made(evaluation)}</main>\n</body>\n</html>\n"
    )


def _section(section: Section, evaluation: Evaluation, overlays: Overlays) -> str:
    parts = [
        tag("h2", PARTS[section.name]),
        "".join(tag("p", f"<b>Warning.</b> {safe(text)}", kind="warning") for text in other_warnings(section)),
        tiles(section),
        tag("h3", "Scores and controls" if section.controls else "Scores"),
        control_table(section),
        _pictures(section),
        tag("h3", "By label" if section.name != "localization" else "By finding") if section.classes.rows else "",
        class_table(section),
        _most_wrong(section),
        case_cards(section, evaluation, overlays),
        tag("h3", "Rules that were applied") + bullets(section.notes) if section.notes else "",
    ]
    return tag("section", "\n".join(part for part in parts if part), id=section.name)


def _pictures(section: Section) -> str:
    try:
        found = groups(section)
    except ImportError:
        return tag("p", safe(_NO_PICTURES), kind="quiet")
    return "\n".join(_group(group) for group in found)


def _group(group: Group) -> str:
    figures = []
    for picture in group.pictures:
        caption = tag("b", safe(picture.title)) + (f" {safe(picture.note)}" if picture.note else "")
        figures.append(tag("figure", (tag("figcaption", caption) if picture.title else "") + picture.svg))
    head = tag("h3", safe(group.title)) + tag("p", safe(group.about), kind="about")
    return tag("div", head + tag("div", "".join(figures), kind=group.kind), kind="group")


def _most_wrong(section: Section) -> str:
    """The cases with the most wrong decisions, where a section counts them."""
    columns = section.cases.columns
    if "wrong" not in columns or not section.cases.rows:
        return ""
    cases = [dict(zip(columns, row, strict=True)) for row in section.cases.rows]
    worst = sorted(cases, key=lambda case: (-_wrong(case), str(case["case_id"])))[:_MOST_WRONG]
    rows = [_wrong_row(case) for case in worst if _wrong(case) > 0]
    heads = ["Case", "Wrong", "Missed", "Called, but not there"]
    return tag("h3", "Cases with the most wrong labels") + table(heads, rows, "most", "") if rows else ""


def _wrong(case: Mapping[str, Cell]) -> int:
    cell = case["wrong"]
    return cell if isinstance(cell, int) else 0


def _wrong_row(case: Mapping[str, Cell]) -> str:
    """A case with the names of its wrong labels."""
    status = case.get("status", "scored")
    missed = [x for x in LABELS if case.get(f"label_{slug(x)}") == 1 and case.get(f"decided_{slug(x)}") == 0]
    called = [x for x in LABELS if case.get(f"label_{slug(x)}") == 0 and case.get(f"decided_{slug(x)}") == 1]
    cells = [tag("td", isolated(case["case_id"])), tag("td", str(_wrong(case)))]
    cells += [tag("td", safe(", ".join(found))) for found in (missed, called)]
    note = tag("td", safe("no prediction: every label counts as wrong"), colspan="2")
    return tag("tr", "".join(cells if status == "scored" else [*cells[:2], note]))


def _made(evaluation: Evaluation) -> str:
    settings = {words(key): isolated(value) for key, value in evaluation.settings.items() if value is not None}
    versions = ", ".join(f"{name} {version}" for name, version in evaluation.versions.items())
    about = (
        "The same numbers stand in metrics.json, every label and every case in the CSV files beside this page. "
        "A dash is a score that is not defined for these cases; it counts for nothing and is never taken for 0. "
        "Research software, not a medical device."
    )
    body = tag("h2", "How it was made") + bullets(evaluation.notes) + tag("p", safe(about)) + facts(settings)
    return tag("section", body + tag("p", safe(versions), kind="quiet"), id="made")
