"""The worst and the best cases, with their pictures and reports."""

from dataclasses import dataclass
from math import isfinite
from typing import Final

from rect_eval.cases import Predicted, Truth
from rect_eval.output.html.overlays import Overlays
from rect_eval.output.html.reading import differences, marked
from rect_eval.output.html.text import isolated, safe, tag
from rect_eval.output.words import number, words
from rect_eval.run.evaluation import Evaluation
from rect_eval.scores import Section

_EACH: Final = 3
_MARKS: Final = (
    " Marked by the rules of rect_eval.label: "
    + ", ".join(tag("mark", state, kind=state) for state in ("present", "absent", "uncertain"))
    + "."
)
_RANKED_BY: Final = {
    "localization": ("dice",),
    "reports": ("ce_f1",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ranked:
    """A case, by its mean over what was scored; scores: name -> value, for people."""

    case_id: str
    mean: float
    scores: tuple[tuple[str, float], ...]


def case_cards(section: Section, evaluation: Evaluation, overlays: Overlays) -> str:
    """Cards of the three worst and the three best cases. overlays: the pictures of the page."""
    column = next((name for name in _RANKED_BY.get(section.name, ()) if name in section.cases.columns), "")
    ranked = _ranked(section, column) if column else []
    if not ranked or not len(evaluation.pairs):
        return ""
    rows = {t.case_id: (t, p) for t, p in zip(evaluation.pairs.truths, evaluation.pairs.predictions, strict=True)}
    few = len(ranked) <= 2 * _EACH
    heaps = {"All cases, worst first": ranked} if few else {"Worst": ranked[:_EACH], "Best": ranked[: -_EACH - 1 : -1]}
    reports = section.name == "reports"
    about = f"By the {words(column)} of each report.{_MARKS}" if reports else "By the mean Dice of the scored findings."
    made = []
    for title, heap in heaps.items():
        cards = [_card(case, *rows[case.case_id], section.name, overlays) for case in heap if case.case_id in rows]
        made.append(tag("div", "".join([tag("h4", title), *cards])))
    side_by_side = not reports and len(made) > 1
    head = tag("h3", "Worst and best cases") + tag("p", about, kind="about")
    return head + tag("div", "".join(made), kind="heaps" if side_by_side else "")


def _ranked(section: Section, column: str) -> list[_Ranked]:
    columns = section.cases.columns
    found: dict[str, list[tuple[str, float]]] = {}
    for row in section.cases.rows:
        cells = dict(zip(columns, row, strict=True))
        value = cells[column]
        if isinstance(value, int | float) and isfinite(value):
            name = words(str(cells["finding"])) if "finding" in cells else words(column)
            found.setdefault(str(cells["case_id"]), []).append((name, float(value)))
    cases = [
        _Ranked(case_id=case, mean=sum(v for _, v in scores) / len(scores), scores=tuple(scores))
        for case, scores in found.items()
    ]
    return sorted(cases, key=lambda case: (case.mean, case.case_id))


def _card(case: _Ranked, truth: Truth, predicted: Predicted | None, part: str, overlays: Overlays) -> str:
    chips = "".join(tag("span", f"{safe(name)} <b>{number(value)}</b>") for name, value in case.scores)
    head = tag("h5", isolated(case.case_id)) + tag(
        "p", tag("span", f"patient {isolated(truth.patient)}") + chips, kind="chips"
    )
    body = [_texts(truth, predicted)] if part == "reports" else []
    body.append(_picture(case.case_id, predicted, overlays))
    return tag("article", head + "".join(body), kind="card")


def _texts(truth: Truth, predicted: Predicted | None) -> str:
    """Reference and generated report side by side, and how they differ."""
    reference, generated = truth.report, predicted.report if predicted else None
    sides = []
    for title, text in (("Reference", reference), ("Generated", generated)):
        inner = marked(text) if text else tag("i", "no report")
        sides.append(tag("div", tag("h6", title) + tag("p", inner, kind="report")))
    both = differences(reference, generated) if reference and generated else ""
    return tag("div", "".join(sides), kind="sides") + both


def _picture(case_id: str, predicted: Predicted | None, overlays: Overlays) -> str:
    if predicted is None:
        return tag("p", "There is no prediction for this case.", kind="quiet")
    return overlays.picture(case_id, predicted.folder) if predicted.folder else ""
