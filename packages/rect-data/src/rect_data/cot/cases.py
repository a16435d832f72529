"""What a language model is asked about: described findings (OmniAbnorm-style JSON lines), reports, manifest rows."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_core.findings import LABELS, slug
from rect_core.types import ManifestRow
from rect_data import ct_rate
from rect_data.cot.lines import read_lines
from rect_data.readers.tables import REPORT_COLUMNS, read_table

FINDING_KEYS: Final = ("case_id", "image", "mask", "region", "category", "text")
NO_TEXT: Final = ("", "not given.", "not given")
"""What stands where there is no text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CotCase:
    """One question. text: all that the model is shown (never the case's name); evidence: the ids it may cite; images:
    the files that it is about, which are not opened."""

    case_id: str
    text: str
    evidence: tuple[str, ...] = ()
    images: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what is asked; reconstructions of one scan share a report and so a question."""
        return hashlib.sha256(json.dumps([self.text, self.evidence]).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """The questions of a run, the files they came from, and the cases without anything to ask about, with why."""

    cases: tuple[CotCase, ...]
    files: tuple[Path, ...]
    skipped: tuple[tuple[str, str], ...] = ()


def read_inputs(place: Path) -> Inputs:
    """The questions of a file or folder.

    A folder with a manifest gives the rows of that (`manifest.parquet`, else `manifest.csv`); a CT-RATE root its report
    tables; any other folder its `*.jsonl` and `*reports*.csv` files. Raises DataError for a folder without any of them,
    for a missing column or key (file and line), and for a case that is given twice.
    """
    files = _files(place)
    cases: dict[str, CotCase] = {}
    skipped: list[tuple[str, str]] = []
    for file in files:
        for case in _read(file):
            if case.case_id in cases:
                raise DataError(f"{file.name}: case {case.case_id!r} is given a second time: keep one of the two")
            if isinstance(case, _Empty):
                skipped.append((case.case_id, case.text))
            else:
                cases[case.case_id] = case
    return Inputs(cases=tuple(cases.values()), files=files, skipped=tuple(skipped))


class _Empty(CotCase):
    """A case with nothing to ask about; `text` is the reason."""

    __slots__ = ()


def _files(place: Path) -> tuple[Path, ...]:
    if place.is_file():
        return (place,)
    for name in ("manifest.parquet", "manifest.csv"):
        if (place / name).is_file():
            return (place / name,)
    found = [place / path for path in ct_rate.REPORTS.values() if (place / path).is_file()]
    found = found or sorted([*place.glob("*.jsonl"), *place.glob("*reports*.csv")])
    if not found:
        raise DataError(f"{place.name}: holds no manifest.parquet, manifest.csv, *.jsonl or *reports*.csv: give one")
    return tuple(found)


def _read(file: Path) -> Iterator[CotCase]:
    if file.suffix == ".jsonl":
        return finding_cases(file)
    if file.stem == "manifest" or file.suffix == ".parquet":
        from rect_core.manifest import read_manifest

        return manifest_cases(read_manifest(file))
    return report_cases(file)


def finding_cases(path: Path) -> Iterator[CotCase]:
    """One question a case of an OmniAbnorm-style file: all of its findings, each with the id of its mask if it has one.

    Lines are {case_id, image, mask, region, category, text}; image and mask are not opened.
    """
    by_case: dict[str, list[dict[str, str]]] = {}
    for number, line in read_lines(path):
        finding = _finding(line, f"{path.name}, line {number}")
        mine = by_case.setdefault(finding["case_id"], [])
        if finding in mine:
            raise DataError(
                f"{path.name}, line {number}: case {finding['case_id']!r} has this finding before: remove it"
            )
        mine.append(finding)
    for case_id, findings in by_case.items():
        yield _described(case_id, [finding for finding in findings if finding["text"].lower() not in NO_TEXT])


def _finding(line: Mapping[str, Any], where: str) -> dict[str, str]:
    for key in FINDING_KEYS:
        value = line.get(key)
        if not isinstance(value, str):
            raise DataError(f"{where}: {key} is {value!r}: give text (its keys are {', '.join(FINDING_KEYS)})")
    if not line["case_id"].strip():
        raise DataError(f"{where}: case_id is empty: give the name of the case")
    finding = {key: line[key].strip() for key in FINDING_KEYS}
    return {**finding, "case_id": finding["case_id"].removesuffix(".nii.gz")}


def _described(case_id: str, findings: Sequence[Mapping[str, str]]) -> CotCase:
    counts: Counter[str] = Counter()
    lines, evidence = [], []
    for number, finding in enumerate(findings, 1):
        about = [f"{key}: {finding[key]}" for key in ("region", "category") if finding[key]]
        if finding["mask"]:
            kind = re.sub(r"[^a-z0-9]+", "_", finding["category"].lower()).strip("_") or "lesion"
            counts[kind] += 1
            evidence.append(f"lesion:{kind}-{counts[kind]}")
            about.append(f"evidence: {evidence[-1]}")
        lines.append(f"Finding {number} ({'; '.join(about)}): {finding['text']}")
    if not lines:
        return _Empty(case_id=case_id, text="no finding has a text")
    images = tuple(sorted({finding["image"] for finding in findings}))
    return CotCase(case_id=case_id, text="\n".join(lines), evidence=tuple(evidence), images=images)


def report_cases(path: Path) -> Iterator[CotCase]:
    """One question a row of a report table with CT-RATE's columns."""
    for case_id, line in read_table(path, REPORT_COLUMNS).items():
        if line.report:
            yield CotCase(case_id=case_id, text=line.report)
        else:
            yield _Empty(case_id=case_id, text="no report")


def manifest_cases(rows: Sequence[ManifestRow]) -> Iterator[CotCase]:
    """One question a manifest row with a report; its known labels are shown and may be cited as score:<label slug>."""
    for row in rows:
        if row.exclusion or row.report.strip().lower() in NO_TEXT:
            yield _Empty(case_id=row.case_id, text=f"excluded: {row.exclusion}" if row.exclusion else "no report")
            continue
        known = [(slug(label), value) for label, value in zip(LABELS, row.labels, strict=True) if not isnan(value)]
        lines = [f"- score:{name}: {'present' if value else 'absent'}" for name, value in known]
        labels = "\n\nLabels:\n" + "\n".join(lines) if lines else ""
        evidence = tuple(f"score:{name}" for name, _ in known)
        text = row.report.strip() + labels
        yield CotCase(case_id=row.case_id, text=text, evidence=evidence, images=(row.volume,))
