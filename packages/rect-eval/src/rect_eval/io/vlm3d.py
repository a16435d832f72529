"""The JSON of the VLM3D challenge: probabilities, reports, or both.

    {"data": [{"outputs": [{"value": {"predictions": [{"input_image_name": ..., "probabilities": {label: p}}],
                                      "generated_reports": [{"input_image_name": ..., "report": ...}]}}]}]}

The outer list alone and the bare list of entries, which the challenge has used too, are read as well.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.cases import Predicted
from rect_eval.io.cells import probability, text
from rect_eval.io.files import read_json
from rect_eval.io.names import case_of
from rect_eval.io.tables import labels_error

T = TypeVar("T")


def read_vlm3d(path: Path) -> dict[str, Predicted]:
    """Predictions by case. Raises DataError for another shape, a name that occurs twice in one list, a label that is
    missing, a value that is no probability, and an empty report (a file of ours whose reports are all empty has none).
    """
    prob: dict[str, tuple[str, tuple[float, ...]]] = {}
    reports: dict[str, tuple[str, str]] = {}
    for where, entry in _entries(read_json(path), path.name):
        case = _case(where, entry)
        if "probabilities" not in entry and "report" not in entry:
            raise DataError(f"{where}: has neither probabilities nor report: give one")
        if "probabilities" in entry:
            _put(prob, case, where, _probabilities(where, entry["probabilities"]))
        if "report" in entry:
            _put(reports, case, where, _report(where, entry["report"]))
    if not (prob or reports):
        raise DataError(f"{path.name}: holds no prediction and no report: give entries with input_image_name")
    texts = _given(reports, optional=bool(prob))
    return {
        case: Predicted(case_id=case, prob=prob[case][1] if case in prob else None, report=texts.get(case))
        for case in dict.fromkeys((*prob, *texts))
    }


def _put(found: dict[str, tuple[str, T]], case: str, where: str, value: T) -> None:
    if case in found:
        raise DataError(f"{where}: case {case!r} stands already in {found[case][0].rpartition(': ')[2]}: keep one")
    found[case] = where, value


def _given(reports: Mapping[str, tuple[str, str]], *, optional: bool) -> dict[str, str]:
    """The texts of reports. Raises DataError for an empty one; optional: where all are empty there are none."""
    if optional and not any(text for _, text in reports.values()):
        return {}
    for case, (where, said) in reports.items():
        if not said:
            raise DataError(f"{where}: the report of {case!r} is empty: write it, or leave the case out")
    return {case: said for case, (_, said) in reports.items()}


def _entries(data: Any, name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Place and content of every entry, counted from 1 in its list."""
    try:
        items = data["data"] if isinstance(data, dict) and "data" in data else data
        items = [items] if isinstance(items, dict) else items
        bare = all("input_image_name" in item for item in items)
        values = [{"entries": items}] if bare else [output["value"] for item in items for output in item["outputs"]]
        lists = [
            (key, value[key])
            for value in values
            for key in ("entries", "predictions", "generated_reports")
            if key in value
        ]
        found = [(f"{name}: {key} {n}", entry) for key, held in lists for n, entry in enumerate(held, start=1)]
    except (KeyError, TypeError) as error:
        ours = isinstance(data, dict) and "schema_version" in data
        hint = "give the folder of this prediction" if ours else "see the description of the challenge"
        raise DataError(
            f"{name}: not in VLM3D's form, data[].outputs[].value.predictions or .generated_reports: {hint}"
        ) from error
    for where, entry in found:
        if not isinstance(entry, dict):
            raise DataError(f"{where}: is no object: give input_image_name with probabilities or report")
        yield where, entry


def _case(where: str, entry: Mapping[str, Any]) -> str:
    name = entry.get("input_image_name")
    case = case_of(name) if isinstance(name, str) else ""
    if not case:
        raise DataError(f"{where}: input_image_name is {name!r}: give the scan's file name")
    return case


def _probabilities(where: str, given: Any) -> tuple[float, ...]:
    if not isinstance(given, dict):
        raise DataError(f"{where}: probabilities are no object: give {{label: probability}} with the 18 labels")
    if error := labels_error(where, list(given)):
        raise error
    return tuple(probability(given[label], where, label) for label in LABELS)


def _report(where: str, given: Any) -> str:
    if given is not None and not isinstance(given, str):
        raise DataError(f"{where}: report is {type(given).__name__}, not text: give the report as one string")
    return text(given)
