"""Predictions as CSV, parquet and VLM3D JSON: what is read, and the one line that each mistake gets."""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.io import read_predictions
from rect_eval.io.cells import probability
from rect_eval.io.names import case_of, origin_of

PROB = [round(k / 20, 2) for k in range(18)]
Write = Callable[..., Path]


@pytest.fixture
def csv(tmp_path: Path) -> Write:
    """Writes pred.csv from rows of cells; a header of VolumeName and the labels unless another is given."""

    def write(*rows: Sequence[object], header: Sequence[str] = ("VolumeName", *LABELS), end: str = "\n") -> Path:
        path = tmp_path / "pred.csv"
        path.write_bytes((end.join(",".join(map(str, row)) for row in (header, *rows)) + end).encode())
        return path

    return write


@pytest.fixture
def vlm3d(tmp_path: Path) -> Write:
    """Writes pred.json in the challenge's form from predictions and reports."""

    def write(predictions: object = None, reports: object = None) -> Path:
        value = {"predictions": predictions, "generated_reports": reports}
        value = {key: held for key, held in value.items() if held is not None}
        path = tmp_path / "pred.json"
        path.write_text(json.dumps({"data": [{"outputs": [{"value": value}]}]}))
        return path

    return write


def entry(name: str, **changed: Any) -> dict[str, Any]:
    return {"input_image_name": name, "probabilities": {**dict(zip(LABELS, PROB, strict=True)), **changed}}


def refused(path: Path, *parts: str) -> None:
    """The error is one line that holds the file's name and all parts."""
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in (path.name, *parts) if part not in message] == [], message


def test_a_csv_gives_probabilities_by_case(csv: Write) -> None:
    found = read_predictions(csv(["valid_1_a_1.nii.gz", *PROB], ["valid_2_a_1", *PROB]))
    assert list(found) == ["valid_1_a_1", "valid_2_a_1"]
    assert found["valid_1_a_1"].prob == tuple(PROB)
    assert (found["valid_1_a_1"].report, found["valid_1_a_1"].logits, found["valid_1_a_1"].assessed) == (None, None, ())


@pytest.mark.parametrize("name", ["VolumeName", "AccessionNo", "case_id"])
def test_each_name_column_of_the_field_is_known(csv: Write, name: str) -> None:
    assert list(read_predictions(csv(["a.mha", *PROB], header=[name, *LABELS]))) == ["a"]


def test_label_columns_count_by_name_not_by_place(csv: Write) -> None:
    header = ["Manufacturer", *reversed(LABELS), "VolumeName", "notes"]
    found = read_predictions(csv(["x", *reversed(PROB), "a.nii.gz", "y"], header=header))
    assert found["a"].prob == tuple(PROB)


def test_byte_order_mark_crlf_and_blank_lines_do_no_harm(csv: Write) -> None:
    path = csv(["a.nii.gz", *PROB], [], ["b.nii.gz", *PROB], end="\r\n")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(read_predictions(path)) == ["a", "b"]


def test_quoted_line_breaks_and_commas_stay_in_the_report(tmp_path: Path) -> None:
    path = tmp_path / "pred.csv"
    path.write_text(
        'VolumeName,report\na.nii.gz,"Findings:\nA nodule, 6 mm.\n\nSaid ""small""."\nb.nii.gz,None seen.\n'
    )
    found = read_predictions(path)
    assert found["a"].report == 'Findings:\nA nodule, 6 mm.\n\nSaid "small".'
    assert found["b"].report == "None seen."
    assert found["a"].prob is None


def test_rows_are_counted_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "pred.csv"
    path.write_text('VolumeName,report\na,"two\nlines"\nb,""\n')
    refused(path, "row 3", "'b'", "empty")


def test_ct_rates_two_columns_make_one_report(tmp_path: Path) -> None:
    path = tmp_path / "pred.csv"
    path.write_text("VolumeName,Findings_EN,Impressions_EN\na,A nodule.,Follow up.\nb,Not given.,Fine.\n")
    found = read_predictions(path)
    assert found["a"].report == "Findings:\nA nodule.\n\nImpression:\nFollow up."
    assert found["b"].report == "Impression:\nFine."


def test_parquet_gives_the_same_as_csv(csv: Write, tmp_path: Path) -> None:
    columns: dict[str, Any] = {"VolumeName": ["a.nii.gz", "b.nii.gz"], "report": ["One.", "Two."]}
    columns |= {label: [p, p] for label, p in zip(LABELS, PROB, strict=True)}
    pq.write_table(pa.table(columns), tmp_path / "pred.parquet")
    rows = (["a.nii.gz", "One.", *PROB], ["b.nii.gz", "Two.", *PROB])
    expected = read_predictions(csv(*rows, header=["VolumeName", "report", *LABELS]))
    assert read_predictions(tmp_path / "pred.parquet") == expected


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("", ("empty or NaN", "Cardiomegaly")),
        ("NaN", ("empty or NaN",)),
        ("87 %", ("'87 %'", "divide percentages by 100")),
        ("87", ("'87'", "outside 0 to 1", "divide percentages by 100")),
        ("-1.3", ("'-1.3'", "outside 0 to 1", "sigmoid")),
        ("inf", ("'inf'", "outside 0 to 1")),
        ("True", ("'True'", "give a probability from 0 to 1")),
        ("present", ("'present'",)),
        ("0_1", ("'0_1'",)),
        ('"0,5"', ("'0,5'",)),
    ],
)
def test_what_is_no_probability_is_refused_with_row_column_and_value(
    csv: Write, value: str, parts: tuple[str, ...]
) -> None:
    bad = [*PROB[:2], value, *PROB[3:]]
    refused(csv(["a", *PROB], ["b", *bad]), "row 3", "'Cardiomegaly'", *parts)


@pytest.mark.parametrize("value", [None, float("nan"), 1.5])
def test_parquet_values_are_checked_too(tmp_path: Path, value: float | None) -> None:
    columns: dict[str, Any] = {"case_id": ["a", "b"], **{label: [0.5, 0.5] for label in LABELS}}
    pq.write_table(pa.table({**columns, "Emphysema": [0.5, value]}), tmp_path / "pred.parquet")
    refused(tmp_path / "pred.parquet", "row 2", "'Emphysema'")


def test_a_parquet_column_of_truth_values_is_no_probability(tmp_path: Path) -> None:
    columns: dict[str, Any] = {"case_id": ["a"], **{label: [True] for label in LABELS}}
    pq.write_table(pa.table(columns), tmp_path / "pred.parquet")
    refused(tmp_path / "pred.parquet", "row 1", "True")


def test_a_misspelt_label_is_shown_with_the_nearest_column(csv: Write) -> None:
    header = ["VolumeName", *(label.replace("Lung nodule", "Lung nodules") for label in LABELS)]
    refused(csv(["a", *PROB], header=header), "header", "'Lung nodule' is missing", "'Lung nodules'")


def test_labels_in_lower_case_are_not_mistaken_for_no_labels(csv: Write) -> None:
    header = ["VolumeName", "report", *(label.lower().replace(" ", "_") for label in LABELS)]
    refused(csv(["a", "Text.", *PROB], header=header), "'Medical material' is missing", "'medical_material'")


def test_a_missing_label_a_duplicated_column_and_a_missing_name_column_are_refused(csv: Write) -> None:
    refused(csv(["a", *PROB[:-1]], header=["VolumeName", *LABELS[:-1]]), "header", repr(LABELS[-1]))
    refused(csv(["a", *PROB, 0.1], header=["VolumeName", *LABELS, "Emphysema"]), "'Emphysema' is there 2 times")
    refused(csv(["a", *PROB], header=["Volume_Name", *LABELS]), "no column names the case", "'Volume_Name'")
    refused(csv(["a", "b"], header=["VolumeName", "Report"]), "neither", "`report`")


def test_names_that_differ_only_by_suffix_or_folder_are_one_case(csv: Write) -> None:
    refused(csv(["a.nii.gz", *PROB], ["b", *PROB], ["a.mha", *PROB]), "row 4", "'a'", "row 2")
    refused(csv(["x/a.nii.gz", *PROB], ["y\\a.NII.GZ", *PROB]), "row 3", "'a'", "row 2")


def test_excels_semicolons_and_tabs_are_named(csv: Write) -> None:
    path = csv(["a", *PROB])
    text = path.read_text()
    path.write_text(text.replace(",", ";"))
    refused(path, "semicolons", "commas")
    path.write_text(text.replace(",", "\t"))
    refused(path, "tabs")


def test_empty_files_and_headers_without_rows_are_refused(csv: Write, tmp_path: Path) -> None:
    refused(csv(), "no rows")
    for content in ("", "\n\n", "\ufeff"):
        (tmp_path / "pred.csv").write_text(content, encoding="utf-8")
        refused(tmp_path / "pred.csv", "empty")
    (tmp_path / "pred.json").write_text("")
    refused(tmp_path / "pred.json", "empty")
    (tmp_path / "pred.parquet").write_bytes(b"")
    refused(tmp_path / "pred.parquet", "not a parquet file")


def test_another_encoding_is_refused_with_its_line(csv: Write) -> None:
    path = csv(["a", *PROB], ["b", *PROB])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"b,", b"\xfcb,"))
    refused(path, "line 3", "0xfc", "UTF-8")
    path.write_text("VolumeName,report\na,b\n", encoding="utf-16")
    refused(path, "line 1", "UTF-8")


def test_ragged_rows_unnamed_rows_and_open_quotes_are_refused(csv: Write) -> None:
    refused(csv(["a", *PROB], ["b", *PROB, 0.1]), "row 3", "20 cells under 19 columns")
    refused(csv(["a", *PROB], ["", *PROB]), "row 3", "VolumeName is empty")
    refused(csv(["a", *PROB], ['"b', *PROB]), "row 3")


def test_an_empty_report_is_refused_but_an_empty_column_beside_probabilities_is_none(csv: Write) -> None:
    header = ["VolumeName", "report", *LABELS]
    refused(csv(["a", "Text.", *PROB], ["b", " ", *PROB], header=header), "row 3", "report of 'b' is empty")
    assert read_predictions(csv(["a", "", *PROB], header=header))["a"].report is None
    refused(csv(["a", " "], header=["VolumeName", "report"]), "row 2", "empty")


def test_vlm3d_json_gives_probabilities_reports_or_both(vlm3d: Write) -> None:
    said = [{"input_image_name": "a.mha", "report": "A nodule."}]
    both = read_predictions(vlm3d([entry("a.nii.gz"), entry("b.nii.gz")], said))
    assert (both["a"].prob, both["a"].report) == (tuple(PROB), "A nodule.")
    assert (both["b"].prob, both["b"].report) == (tuple(PROB), None)
    assert read_predictions(vlm3d([entry("a")]))["a"].report is None
    assert read_predictions(vlm3d(reports=said))["a"].prob is None


def test_the_other_shapes_that_the_challenge_has_used_are_read(tmp_path: Path) -> None:
    flat = [{"input_image_name": "a", "report": "Text."}, {"input_image_name": "b", "report": "More."}]
    wrapped = [{"outputs": [{"value": {"version": "1.0", "generated_reports": flat[:1]}}]}]
    wrapped.append({"outputs": [{"value": {"version": "1.0", "generated_reports": flat[1:]}}]})
    for data in (flat, wrapped, {"data": wrapped}):
        (tmp_path / "pred.json").write_text(json.dumps(data))
        assert [p.report for p in read_predictions(tmp_path / "pred.json").values()] == ["Text.", "More."]


def test_a_file_of_ours_without_a_reporter_has_no_reports(vlm3d: Write) -> None:
    empty = [{"input_image_name": name, "report": ""} for name in ("a", "b")]
    assert read_predictions(vlm3d([entry("a"), entry("b")], empty))["a"].report is None
    refused(vlm3d(reports=empty), "generated_reports 1", "'a'", "empty")
    half = [{"input_image_name": "a", "report": "Text."}, {"input_image_name": "b", "report": None}]
    refused(vlm3d([entry("a"), entry("b")], half), "generated_reports 2", "'b'", "empty")


@pytest.mark.parametrize(
    ("predictions", "parts"),
    [
        ([entry("a"), entry("a.nii.gz")], ("predictions 2", "'a'", "predictions 1")),
        ([entry("a", Emphysema=87)], ("predictions 1", "'Emphysema'", "87", "percentages")),
        ([entry("a", Emphysema=None)], ("predictions 1", "'Emphysema'", "NaN")),
        ([entry("a", Emphysema=True)], ("predictions 1", "True")),
        ([{"input_image_name": "a", "probabilities": {"Lung nodules": 0.5}}], ("'Medical material' is missing",)),
        ([{"input_image_name": "a", "probabilities": PROB}], ("label: probability",)),
        ([{"input_image_name": "a"}], ("neither probabilities nor report",)),
        ([{"probabilities": {}}], ("input_image_name is None",)),
        (["a"], ("predictions 1", "no object")),
        ([], ("no prediction",)),
        (3, ("VLM3D's form",)),
    ],
)
def test_mistakes_in_vlm3d_json_are_refused_with_their_entry(
    vlm3d: Write, predictions: object, parts: tuple[str, ...]
) -> None:
    refused(vlm3d(predictions), *parts)


def test_json_that_is_damaged_foreign_or_ambiguous_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pred.json"
    for text, part in (
        ('{"data": [\n{"outputs"', "line 2"),
        ("[1, 2]", "VLM3D's form"),
        ("null", "VLM3D's form"),
        ('{"schema_version": 1}', "folder of this prediction"),
        ('[{"input_image_name": "a", "report": "x", "report": "y"}]', "'report' stands 2 times"),
        ('[{"input_image_name": "a", "report": 3}]', "int, not text"),
        ("[" * 100_000, "write it again"),
    ):
        path.write_text(text)
        refused(path, part)
    path.write_bytes(b'[\n{"input_image_name": "\xff"}]')
    refused(path, "line 2", "UTF-8")


def test_a_path_that_is_nothing_we_know_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere.csv", "no such file")
    (tmp_path / "pred.xlsx").write_bytes(b"PK")
    refused(tmp_path / "pred.xlsx", "predictions are")


@given(st.floats(0, 1))
def test_every_number_from_0_to_1_is_a_probability_however_written(p: float) -> None:
    assert probability(p, "x", "y") == probability(repr(p), "x", "y") == probability(f" {p!r} ", "x", "y") == p


@given(st.one_of(st.floats(allow_nan=True), st.text(max_size=8), st.none(), st.booleans()))
def test_whatever_else_a_cell_holds_it_is_a_data_error_and_never_another(value: Any) -> None:
    with suppress(DataError):
        assert 0 <= probability(value, "x", "y") <= 1


def test_case_names_lose_folder_and_suffix_and_nothing_else() -> None:
    assert case_of(" dir/valid_1_a_1.nii.gz ") == "valid_1_a_1"
    assert [case_of(n) for n in ("1.2.840.7", "a.b.NRRD", "scan", "s.npz")] == ["1.2.840.7", "a.b", "scan", "s.npz"]


def test_ct_rates_names_tell_patient_scan_and_split_and_no_other_does() -> None:
    assert origin_of("valid_12_b_3") == ("valid_12", "valid_12_b", "valid")
    assert origin_of("case_12_b_3") == ("case_12_b_3", "case_12_b_3", "")
