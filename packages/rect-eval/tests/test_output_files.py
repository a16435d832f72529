"""metrics.json, the CSV files, and the folder they appear in."""

import csv
import io
import json
from dataclasses import replace
from math import inf, isnan, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rect_core.errors import DataError, ScanError
from rect_eval.output import from_json, load, to_json, write
from rect_eval.output.tables import csv_bytes
from rect_eval.output.words import interval, number, words
from rect_eval.run import Cohort, Evaluation, Options
from rect_eval.scores import Control, Score, Section, Table

NUMBERS = st.one_of(st.none(), st.floats(), st.integers(-(10**9), 10**9), st.text(max_size=12))


def section(**more: Any) -> Section:
    scores = {
        "macro_auroc": Score(value=0.84, low=0.81, high=0.87, n=360),
        "meteor": Score(value=nan, why="METEOR needs its jar"),
    }
    control = Control(
        name="shuffled rows", kind="floor", scores={"macro_auroc": Score(value=0.5)}, explained="Others'."
    )
    classes = Table(
        columns=("label", "n", "auroc", "note"), rows=(("Lung nodule", 20, nan, None), ("=1+1", 0, 0.5, "x"))
    )
    cases = Table(columns=("case_id", "patient", "wrong"), rows=(("@SUM(A1)", "-7", 1),))
    base = Section(name="classification", scores=scores, classes=classes, cases=cases, controls=(control,))
    return replace(base, **more)


def evaluation(*sections: Section, **more: Any) -> Evaluation:
    base = Evaluation(
        predictions="system",
        truth="manifest.csv",
        date="2026-01-02 03:04 UTC",
        cohort=Cohort(cases=3, scans=2, patients=2, missing=("a",), extra=("b", "c")),
        settings=Options().plain(),
        versions={"python": "3.11"},
        sections=sections or (section(),),
        warnings=("Look here.",),
    )
    return replace(base, **more)


def strict(text: bytes | str) -> Any:
    def refuse(constant: str) -> Any:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_metrics_json_is_strict_and_says_why_a_score_is_null(tmp_path: Path) -> None:
    write(evaluation(), tmp_path / "out")
    data = strict((tmp_path / "out" / "metrics.json").read_bytes())
    assert (data["schema"], data["schema_version"]) == ("rect-eval metrics", 1)
    scores = data["sections"]["classification"]["scores"]
    assert scores["macro_auroc"] == {"value": 0.84, "low": 0.81, "high": 0.87, "n": 360, "why": ""}
    assert scores["meteor"]["value"] is None
    assert scores["meteor"]["why"] == "METEOR needs its jar"


def test_a_null_without_a_reason_gets_one() -> None:
    found = to_json(evaluation(section(scores={"x": Score(value=nan), "y": Score(value=inf)})))
    scores = found["sections"]["classification"]["scores"]
    assert all(scores[name]["value"] is None and scores[name]["why"] for name in "xy")


def test_metrics_json_round_trips(tmp_path: Path) -> None:
    write(evaluation(), tmp_path / "out")
    back = load(tmp_path / "out" / "metrics.json")
    assert to_json(back) == to_json(evaluation())
    row = back.sections[0].classes.rows[0]
    assert isinstance(row[2], float)
    assert isnan(row[2])
    assert row[3] is None
    assert back.cohort.missing == ("a",)


@given(st.floats(), st.lists(st.tuples(NUMBERS, NUMBERS), max_size=4), st.text(max_size=20))
def test_any_numbers_and_texts_round_trip(value: float, cells: list[tuple[Any, Any]], text: str) -> None:
    table = Table(columns=("one", "two"), rows=tuple(cells))
    one = section(scores={text: Score(value=value, why=text)}, classes=table, warnings=(text,))
    data = to_json(evaluation(one, predictions=text))
    assert to_json(from_json(strict(json.dumps(data, allow_nan=False)))) == data


def test_a_newer_or_foreign_metrics_json_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    for content in ('{"schema": "rect-eval metrics", "schema_version": 99}', '{"a": 1}', "[1]", "{", ""):
        path.write_text(content)
        with pytest.raises(DataError, match=r"metrics\.json: .*evaluate again"):
            load(path)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_no_csv_cell_can_be_run_as_a_formula_and_numbers_stay_numbers(cells: list[Any]) -> None:
    table = Table(columns=tuple(f"c{k}" for k in range(len(cells))), rows=(tuple(cells),))
    text = csv_bytes(table).decode()
    row = list(csv.reader(io.StringIO(text, newline="")))[1] if len(cells) > 1 else [None]
    for cell, seen in zip(cells, row, strict=True):
        if seen is None:
            continue
        if isinstance(cell, str):
            assert not seen.startswith(("=", "+", "-", "@", "\t", "\r"))
            plain = cell.replace("\r\n", "\n").replace("\r", "\n")
            assert seen in (plain, f"'{plain}")
        elif isinstance(cell, float) and isnan(cell):
            assert seen == "NaN"
        elif cell is not None:
            assert float(seen) == cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\nx", "＝1"])
def test_dangerous_text_gets_a_quote_before_it(text: str) -> None:
    table = Table(columns=(text,), rows=((text,), (-1.5,)))
    lines = csv_bytes(table).decode()
    assert f"'{text}" in lines.replace('"', "")
    assert "\n-1.5\n" in lines


def test_csv_is_utf_8_even_for_names_that_no_text_can_hold() -> None:
    table = Table(columns=("case_id",), rows=(("Zürich-漢",), ("bad\udc80",)))
    assert csv_bytes(table).decode().splitlines() == ["case_id", "Zürich-漢", "bad\\udc80"]


def test_the_folder_has_all_files_of_all_sections(tmp_path: Path) -> None:
    write(evaluation(section(), replace(section(), name="reports")), tmp_path / "deep" / "out")
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == [
        "classification_cases.csv",
        "classification_classes.csv",
        "metrics.json",
        "report.html",
        "reports_cases.csv",
        "reports_classes.csv",
    ]


def test_an_earlier_evaluation_is_replaced_only_with_force(tmp_path: Path) -> None:
    write(evaluation(), tmp_path / "out")
    with pytest.raises(ScanError, match="--force"):
        write(evaluation(predictions="new"), tmp_path / "out")
    write(evaluation(predictions="new"), tmp_path / "out", force=True)
    assert load(tmp_path / "out" / "metrics.json").predictions == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_something_of_somebody_elses_is_never_replaced(tmp_path: Path) -> None:
    write(evaluation(), tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(ScanError, match="did not write all of it"):
        write(evaluation(), tmp_path / "out", force=True)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "metrics.json").write_text('{"schema": "other"}')
    with pytest.raises(ScanError, match="did not write all of it"):
        write(evaluation(), tmp_path / "foreign", force=True)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(ScanError, match="stays"):
        write(evaluation(), tmp_path / "link", force=True)


def test_an_empty_folder_is_filled_and_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    write(evaluation(), tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ScanError, match="'file' is there"):
        write(evaluation(), tmp_path / "file", force=True)
    with pytest.raises(ScanError, match="'file' is a file, not an output folder"):
        write(evaluation(), tmp_path / "file" / "below")


def test_a_failure_on_the_way_leaves_the_old_folder_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(evaluation(), tmp_path / "out")
    before = (tmp_path / "out" / "metrics.json").read_bytes()

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ScanError, match="No space left"):
        write(evaluation(predictions="new"), tmp_path / "out", force=True)
    assert (tmp_path / "out" / "metrics.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_another_run_removes_meanwhile_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hidden folder can be listed and gone before it is looked at."""
    iterdir = Path.iterdir
    gone = tmp_path / ".out.12345678.partial"
    monkeypatch.setattr(Path, "iterdir", lambda self: [*iterdir(self), *([gone] if self == tmp_path else [])])
    write(evaluation(), tmp_path / "out")
    assert (tmp_path / "out" / "metrics.json").is_file()


def test_a_folder_that_another_run_filled_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def late(path: Path, target: Path) -> Path:
        target.mkdir()
        (target / "theirs").write_text("first")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", late)
    with pytest.raises(ScanError, match="'out' was written by another run meanwhile"):
        write(evaluation(), tmp_path / "out")
    assert (tmp_path / "out" / "theirs").read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("macro_auroc", "Macro AUROC"),
        ("macro_sensitivity_at_90_specificity", "Macro sensitivity at 90 % specificity"),
        ("hd95_mm", "HD95 (mm)"),
        ("macro_nsd_2mm", "Macro NSD at 2 mm"),
        ("bleu_1", "BLEU-1"),
        ("bleu_mean", "BLEU mean"),
        ("rouge_l", "ROUGE-L"),
        ("ce_f1_per_report", "CE F1 per report"),
        ("macro_f1 (optimistic: thresholds were fitted on the scored cases)", "Macro F1 (optimistic)"),
        ("n", "n"),
    ],
)
def test_names_are_written_as_words(name: str, shown: str) -> None:
    assert words(name) == shown


def test_numbers_are_rounded_to_what_their_unit_bears() -> None:
    assert [number(0.12345), number(12.34, "hd95_mm"), number(-3.456, "volume_error_ml")] == ["0.123", "12.3", "−3.46"]
    assert [number(nan), number(-0.0001)] == ["–", "0.000"]
    assert interval(Score(value=0.5, low=0.4, high=0.6)) == "0.400 to 0.600"
    assert interval(Score(value=0.5, low=nan, high=0.6)) == ""
