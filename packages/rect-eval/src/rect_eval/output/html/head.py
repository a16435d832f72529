"""The top of the page: what was scored against what, and what must be known before a number is read."""

from rect_eval.output.flags import flags
from rect_eval.output.html.text import facts, isolated, safe, tag
from rect_eval.output.words import PARTS, count
from rect_eval.run.evaluation import Evaluation

_NAMES = 12


def header(evaluation: Evaluation) -> str:
    """Title, warnings, facts, and links to the sections."""
    title = f"{isolated(evaluation.predictions)} <span>scored against</span> {isolated(evaluation.truth)}"
    return tag(
        "header",
        tag("p", "rect-eval report", kind="kicker")
        + tag("h1", title)
        + tag("p", safe(cohort_line(evaluation)), kind="lead")
        + _warnings(evaluation)
        + facts(_facts(evaluation))
        + _links(evaluation),
    )


def cohort_line(evaluation: Evaluation) -> str:
    """Who was scored, in one line."""
    cohort = evaluation.cohort
    line = f"{count(cohort.patients, 'patient')}, {count(cohort.scans, 'scan')}"
    return f"{line}, {count(cohort.cases, 'reconstruction')}" if cohort.cases != cohort.scans else line


def summary_warnings(evaluation: Evaluation) -> list[str]:
    """Warnings of the whole evaluation, then one for each section whose scores a control reaches."""
    found = list(evaluation.warnings)
    for section in evaluation.sections:
        reached = len(flags(section))
        if reached:
            compared = {name for c in section.controls if c.kind == "floor" for name in c.scores} & set(section.scores)
            verb = "is" if reached == 1 else "are"
            found.append(
                f"{PARTS[section.name]}: {reached} of the {len(compared)} scores that have a control {verb} reached by "
                "it. Such a score does not show that the system looked at the scan."
            )
    return found


def _warnings(evaluation: Evaluation) -> str:
    return "".join(
        tag("p", f"<b>Warning.</b> {safe(text)}", kind="warning", role="note") for text in summary_warnings(evaluation)
    )


def _facts(evaluation: Evaluation) -> dict[str, str]:
    settings, cohort = evaluation.settings, evaluation.cohort
    resamples = settings.get("resamples")
    found = {
        "Date": safe(evaluation.date),
        "Protocol": safe(settings.get("protocol")),
        "What counts once": f"a {safe(settings.get('unit'))}",
        "Split": isolated(settings.get("split") or "all cases of the truth"),
        "Thresholds": isolated(settings.get("thresholds")),
        "Intervals": safe(f"95 %, {settings.get('interval')}, {resamples:,} resamples of patients")
        if resamples
        else "none",
        "Labeler of reports": isolated(settings.get("labeler")),
        "Missing": _listed(cohort.missing, "none"),
    }
    if cohort.extra:
        found["Predictions without a reference"] = _listed(cohort.extra, "none") + " (not scored)"
    return found


def _listed(names: tuple[str, ...], nothing: str) -> str:
    """So many names, the first of them spelled out."""
    if not names:
        return nothing
    first = ", ".join(isolated(name) for name in names[:_NAMES])
    return f"{len(names):,}: {first}" + (", …" if len(names) > _NAMES else "")


def _links(evaluation: Evaluation) -> str:
    links = "".join(tag("a", PARTS[s.name], href=f"#{s.name}") for s in evaluation.sections)
    return tag("nav", links + tag("a", "How it was made", href="#made"), aria_label="Sections")
