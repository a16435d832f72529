"""The `rect-eval` command: from files to scores, what it prints, what it writes, and its exit codes."""

import csv
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rect_core.findings import LABELS
from rect_core.manifest import write_manifest
from rect_core.masks import save_mask, save_volume
from rect_core.types import FindingScores, ManifestRow, OperatingPoints, PredictionRecord, Report, Sentence
from rect_core.volume import StoredGrid, Volume
from rect_eval.cli import main
from rect_eval.output import load
from rect_eval.output.pictures import groups
from rect_eval.run import Options, Thresholds, compare, evaluate

SHAPE = (8, 10, 12)
PATIENTS = 8
FAST = ["--quiet", "--resamples", "20"]
Run = Callable[..., tuple[int, str, str]]


def volume(case: str) -> Volume:
    affine = np.array([[0, 0, -1.0, 5], [0, -1.0, 0, 5], [2.0, 0, 0, 0], [0, 0, 0, 1]])
    grid = StoredGrid(shape=SHAPE, affine=affine)
    return Volume(hu=np.zeros(SHAPE, np.int16), affine=grid.house_affine, stored=grid, case_id=case)


def sentences(present: np.ndarray) -> list[str]:
    return [f"There is {x.lower()}." if there else f"No {x.lower()}." for x, there in zip(LABELS, present, strict=True)]


def truth_row(root: Path, k: int, labels: np.ndarray) -> ManifestRow:
    """Patient k with one scan and one reconstruction; a nodule mask where the label says so."""
    case = f"valid_{k}_a_1"
    save_volume(root / f"{case}.nii.gz", volume(case), description="test")
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:5, 2:6, 2:6] = int(labels[9])
    save_mask(root / f"{case}_nodule.nii.gz", mask, volume(case), description="test")
    return ManifestRow(
        case_id=case,
        volume=f"{case}.nii.gz",
        patient=f"valid_{k}",
        scan="a",
        split="valid",
        spacing_mm=(2.0, 1.0, 1.0),
        regions="",
        lobes="",
        lesions={"lung_nodule": f"{case}_nodule.nii.gz"},
        labels=tuple(labels.tolist()),
        report=" ".join(sentences(labels == 1)),
        reasoning=None,
        exclusion="",
    )


def prediction(root: Path, case: str, prob: np.ndarray, shift: int, mask: np.ndarray) -> None:
    """One folder as `rect predict` writes it."""
    folder = root / case
    (folder / "lesions").mkdir(parents=True)
    logits = np.log(prob / (1 - prob))
    scores = FindingScores(
        labels=LABELS, logits=tuple(logits.tolist()), prob=tuple(prob.tolist()), threshold=(0.5,) * len(LABELS)
    )
    record = PredictionRecord(
        case_id=case, weights_status="untrained", scores=scores, assessed_masks=("lung_nodule",), lesions=()
    )
    (folder / "findings.json").write_text(json.dumps(record.to_json()))
    (folder / "run.json").write_text("{}")
    save_mask(folder / "lesions" / "lung_nodule.nii.gz", np.roll(mask, shift, 1), volume(case), description="test")
    said = tuple(Sentence(text=text, section="findings", evidence=("scope",)) for text in sentences(prob > 0.5))
    (folder / "report.json").write_text(json.dumps(Report(sentences=said).to_json()))
    (folder / "report.txt").write_text("\n".join(x.text for x in said))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """truth.csv, a good system, and one that never looked at the scan. Nothing may change them."""
    root = tmp_path_factory.mktemp("world")
    rng = np.random.default_rng(5)
    rows = []
    for k in range(PATIENTS):
        labels = ((np.arange(18) + k) % 3 == 0).astype(np.float64)
        rows.append(truth_row(root, k, labels))
        mask = np.zeros(SHAPE, np.uint8)
        mask[2:5, 2:6, 2:6] = int(labels[9])
        good = np.clip(0.15 + 0.6 * labels + rng.uniform(-0.12, 0.12, 18), 0.01, 0.99)
        prediction(root / "good", rows[-1].case_id, good, 0, mask)
        prediction(root / "blind", rows[-1].case_id, rng.uniform(0.05, 0.95, 18), 3, mask)
    write_manifest(root / "truth.csv", rows)
    return root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs one command line: exit code, standard output, standard error. Pictures are left out, they take time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    def command(*words: str | Path) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as stop:
            code = int(stop.code or 0)
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return command


def test_an_evaluation_prints_scores_with_their_controls_and_writes_the_folder(world: Path, run: Run) -> None:
    code, shown, problems = run(world / "good", world / "truth.csv", "--out", "out", *FAST)
    assert (code, problems) == (0, "")
    assert "good scored against truth.csv" in shown
    assert "8 patients, 8 scans" in shown
    assert "come from untrained weights" in shown
    heads = [line for line in shown.splitlines() if "95 % interval" in line and "value" in line]
    assert [line.split()[0] for line in heads] == ["Classification", "Localization", "Reports"]
    assert "mismatched scan" in heads[2]
    found = load(Path("out/metrics.json"))
    assert [section.name for section in found.sections] == ["classification", "localization", "reports"]
    assert found.sections[0].scores["macro_auroc"].value == 1.0
    assert "8 patients, 8 scans" in Path("out/report.html").read_text(encoding="utf-8")
    with Path("out/classification_cases.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == PATIENTS


def test_the_sections_of_a_real_evaluation_give_every_picture(world: Path) -> None:
    found = evaluate(world / "good", world / "truth.csv", Options(resamples=5))
    titles = [group.title for section in found.sections for group in groups(section)]
    wanted = {"ROC", "Precision and recall", "Reliability", "Which findings stand together", "Dice by finding"}
    assert wanted | {"Scores on one axis", "AUROC by class", "F1 by class", "Dice against volume"} <= set(titles)


def test_columns_of_the_printed_table_are_aligned(world: Path, run: Run) -> None:
    _, shown, _ = run(world / "good", world / "truth.csv", "--out", "out", "--only", "classification", *FAST)
    lines = shown.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("Classification"))
    end = lines[start].index("value") + len("value")
    rows = [line for line in lines[start + 1 :] if line.startswith("  Macro")]
    assert len(rows) > 4
    assert all(line[end - 1].isdigit() and line[end : end + 2] == "  " for line in rows)


def test_json_is_metrics_json_and_nothing_else(world: Path, run: Run) -> None:
    words = "--only", "classification", "--json"
    code, shown, _ = run(world / "good", world / "truth.csv", "--out", "out", *words, *FAST)
    assert code == 0
    assert json.loads(shown) == json.loads(Path("out/metrics.json").read_text())


def test_missing_predictions_are_an_error_or_are_counted(world: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(world / "good", tmp_path / "some", ignore=shutil.ignore_patterns("valid_3_a_1"))
    words = "some", world / "truth.csv", "--out", "out", "--only", "classification"
    code, _, problems = run(*words, *FAST)
    assert code == 2
    assert "valid_3_a_1" in problems
    assert "--allow-missing" in problems
    assert not Path("out").exists()
    code, shown, _ = run(*words, "--allow-missing", *FAST)
    assert code == 1
    assert "1 of 8 cases have no prediction" in shown
    assert load(Path("out/metrics.json")).cohort.missing == ("valid_3_a_1",)


def test_a_prediction_that_lacks_a_part_is_an_error_or_is_counted(world: Path, run: Run, tmp_path: Path) -> None:
    shutil.copytree(world / "good", tmp_path / "some")
    for name in ("report.json", "report.txt"):
        (tmp_path / "some" / "valid_2_a_1" / name).unlink()
    words = "some", world / "truth.csv", "--out", "out", "--only", "reports"
    code, _, problems = run(*words, *FAST)
    assert code == 2
    assert "reports: 1 of 8 predictions have no reports (valid_2_a_1)" in problems
    code, _, _ = run(*words, "--allow-missing", *FAST)
    assert code == 1
    assert load(Path("out/metrics.json")).cohort.silent == ("valid_2_a_1 (reports)",)


def test_parts_that_cannot_be_scored_are_told(world: Path, run: Run, tmp_path: Path) -> None:
    table = tmp_path / "scores.csv"
    rows = [["VolumeName", *LABELS], *([f"valid_{k}_a_1.nii.gz", *(["0.3"] * 18)] for k in range(PATIENTS))]
    table.write_text("\n".join(",".join(row) for row in rows))
    code, _, _ = run(table, world / "truth.csv", "--out", "out", *FAST)
    assert code == 0
    notes = load(Path("out/metrics.json")).notes
    assert "Not scored: localization (no prediction has masks)." in notes
    assert "Not scored: reports (no prediction has reports)." in notes
    code, _, problems = run(table, world / "truth.csv", "--out", "other", "--only", "reports", *FAST)
    assert code == 2
    assert "reports cannot be scored: no prediction has reports" in problems


def test_controls_come_in_as_predictions(world: Path, run: Run) -> None:
    words = "--only", "reports", "--control", f"second report={world / 'good'}", "--control", f"other={world / 'blind'}"
    code, shown, _ = run(world / "good", world / "truth.csv", "--out", "out", *words, *FAST)
    assert code == 0
    assert "second report (ceiling)" in shown
    kinds = {control.name: control.kind for control in load(Path("out/metrics.json")).sections[0].controls}
    assert kinds["second report"] == "ceiling"
    assert kinds["other"] == "floor"
    code, _, problems = run(
        world / "good",
        world / "truth.csv",
        "--out",
        "x",
        "--only",
        "classification",
        "--control",
        f"a={world / 'good'}",
    )
    assert code == 2
    assert "no report is scored" in problems


def test_an_audit_exits_with_1_and_says_which_score_a_control_reaches(world: Path, run: Run) -> None:
    code, shown, _ = run("audit", world / "blind", world / "truth.csv", *FAST)
    assert code == 1
    assert "! Macro AUROC" in shown
    assert "Not distinguishable from the control" in shown
    assert "reached by a control" in shown.splitlines()[-1]
    assert "Localization" not in shown
    code, shown, _ = run("audit", world / "good", world / "truth.csv", "--only", "classification", *FAST)
    assert code == 0
    assert shown.splitlines()[-1] == "No score is reached by a control."


def test_an_audit_as_json_has_flags_and_controls(world: Path, run: Run) -> None:
    code, shown, _ = run("audit", world / "blind", world / "truth.csv", "--json", *FAST)
    data = json.loads(shown)
    assert code == 1
    assert "macro_auroc" in data["classification"]["flags"]
    assert "mismatched scan" in data["reports"]["controls"]


def test_a_comparison_says_which_system_is_better_and_writes_its_table(world: Path, run: Run) -> None:
    words = world / "blind", world / "good", world / "truth.csv"
    code, shown, _ = run("compare", *words, "--out", "out", *FAST, "--resamples", "60")
    assert code == 0
    assert shown.startswith("good (B) minus blind (A)")
    line = next(line for line in shown.splitlines() if line.startswith("  Macro AUROC"))
    assert line.endswith("B is better")
    with Path("out/comparison.csv").open(encoding="utf-8") as file:
        rows = {(row["part"], row["score"]): row for row in csv.DictReader(file)}
    assert float(rows["classification", "macro_auroc"]["p"]) < 0.1
    assert {part for part, _ in rows} == {"classification", "localization", "reports"}
    data = json.loads(Path("out/comparison.json").read_text())
    assert data["schema"] == "rect-eval comparison"
    assert run("compare", *words, "--out", "out", *FAST)[0] == 2


def test_both_sides_of_a_comparison_are_the_scores_of_an_evaluation(world: Path) -> None:
    options = Options(resamples=5)
    found = compare(world / "blind", world / "good", world / "truth.csv", options)
    for system in ("blind", "good"):
        alone = evaluate(world / system, world / "truth.csv", options)
        scores = {(part.name, name): score.value for part in alone.sections for name, score in part.scores.items()}
        both = {(x.part, x.score): x.a if system == "blind" else x.b for x in found.differences}
        assert len(both) > 50
        for name, value in both.items():
            assert value == pytest.approx(scores[name], nan_ok=True), name


def test_a_system_does_not_differ_from_itself(world: Path) -> None:
    found = compare(world / "blind", world / "blind", world / "truth.csv", Options(resamples=20))
    assert {x.difference.value for x in found.differences} == {0.0}
    assert {x.p for x in found.differences} == {1.0}


def test_fitted_operating_points_are_written_and_used(world: Path, run: Run) -> None:
    code, shown, problems = run("fit-thresholds", world / "good", world / "truth.csv", "--method", "temperature")
    assert code == 0
    assert "Lung nodule" in shown
    assert "fitting" in problems
    points = OperatingPoints.load("operating_points.json")
    assert points.fitted_on.startswith("truth.csv: 8 cases")
    again = run("fit-thresholds", world / "good", world / "truth.csv", "--method", "none")
    assert again[0] == 2
    assert "--force" in again[2]
    words = "--only", "classification", "--thresholds"
    code, _, problems = run(world / "good", world / "truth.csv", "--out", "x", *words, "operating_points.json", *FAST)
    assert code == 2
    assert "which cuts? It has f1" in problems
    named = "operating_points.json:youden"
    code, _, _ = run(world / "good", world / "truth.csv", "--out", "out", *words, named, *FAST)
    assert code == 0
    assert "youden of operating_points.json" in str(load(Path("out/metrics.json")).settings["thresholds"])


def test_the_calibration_of_operating_points_is_applied_before_their_cuts(world: Path) -> None:
    points = OperatingPoints(bias=(-100.0,) * 18, thresholds={"f1": (0.5,) * 18}, fitted_on="elsewhere")
    options = Options(only=("classification",), resamples=0, thresholds=Thresholds(points=points, objective="f1"))
    found = evaluate(world / "good", world / "truth.csv", options)
    assert found.sections[0].scores["macro_recall"].value == 0.0


def test_thresholds_fitted_on_the_scored_cases_are_called_so(world: Path, run: Run) -> None:
    words = "--only", "classification", "--fit-on-scored", "f1"
    code, shown, _ = run(world / "good", world / "truth.csv", "--out", "out", *words, *FAST)
    assert code == 0
    assert "Thresholds were fitted (f1) on the cases that are scored" in " ".join(shown.split())
    assert "optimistic" in shown


def test_a_report_is_read_from_a_file_or_from_standard_input(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("There is a 12 mm nodule in the right upper lobe. No pleural effusion.", encoding="utf-8")
    code, shown, _ = run("label", path)
    assert code == 0
    line = next(line for line in shown.splitlines() if line.startswith("Lung nodule"))
    assert [word in line for word in ("present", "right", "upper", "12 mm", '"')] == [True] * 5
    assert "not mentioned: Medical material" in shown
    code, shown, _ = run("label", path, "--json")
    assert json.loads(shown)["states"]["Pleural effusion"] == "absent"


@pytest.mark.parametrize(("content", "told"), [(b"\xff\xfe", "not text in UTF-8"), (b"  \n", "is empty")])
def test_a_report_that_cannot_be_read_is_refused_by_name(run: Run, tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "report.txt").write_bytes(content)
    code, _, problems = run("label", "report.txt")
    assert code == 2
    assert problems.startswith("rect-eval label: error: report.txt")
    assert told in problems
    assert problems.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["P", "T", "--out", "o", "--resample", "9"], "did you mean --resamples?"),
        (["comapre", "a", "b", "c"], "did you mean `rect-eval compare`?"),
        (["P", "T", "--out", "o", "--protocol", "vlm3"], "did you mean vlm3d?"),
        (["P", "T", "--out", "o", "--only", "clasification"], "did you mean classification?"),
        (["P", "T", "--out", "o", "--threshold", "2"], "'2' is not a number from 0 to 1"),
        (["P", "T", "--out", "o", "--threshold", "nan"], "not a number from 0 to 1"),
        (["P", "T", "--out", "o", "--workers", "0"], "not a whole number from 1 up"),
        (["P", "T"], "--out"),
        (["P", "T", "--out", "o", "--labeler", "ruels", "--only", "reports"], "did you mean rules?"),
        (["P", "T", "--out", "o", "--fit-on-scored", "f2"], "did you mean f1?"),
        (["P", "T", "--out", "o", "--control", "noname"], "is not NAME=PATH"),
        (["P", "T", "--out", "o", "--control", "a=x", "--control", "a=y"], "given twice"),
        (["P", "T", "--out", "o", "--thresholds", "none.json"], "'none.json' is not a file"),
        (["P", "T", "--out", "o", "--protocol", "vlm3d", "--threshold", "0.3"], "vlm3d decides at 0.5"),
        (["P", "T", "--out", "o", "--only", "reports", "--meteor-jar", "no.jar"], "METEOR"),
        (["P", "nowhere.csv", "--out", "o"], "nowhere.csv"),
        (["nowhere", "T", "--out", "o"], "nowhere"),
        (["fit-thresholds", "P", "T", "--method", "plat"], "did you mean platt?"),
        (["compare", "P", "P", "T", "--out", "T"], "it stays"),
        (["label", "nowhere.txt"], "nowhere.txt"),
    ],
)
def test_bad_usage_and_bad_input_are_one_line_and_exit_2(world: Path, run: Run, words: list[str], told: str) -> None:
    places = {"P": str(world / "good"), "T": str(world / "truth.csv")}
    quiet = ["--quiet"] if words[0] == "P" else []
    code, shown, problems = run(*(places.get(word, word) for word in words), *quiet)
    assert code == 2
    assert shown == ""
    line = problems.strip().splitlines()[-1]
    assert line.startswith("rect-eval")
    assert told in line
    assert "Traceback" not in problems
    assert not Path("o").exists()


def test_a_folder_of_somebody_elses_is_refused_before_any_work(world: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    code, _, problems = run("nowhere", "nowhere", "--out", "out", "--force")
    assert code == 2
    assert "'out' is there and rect did not write all of it" in problems


def test_progress_is_plain_lines_where_there_is_no_terminal(world: Path, run: Run) -> None:
    words = "--only", "localization", "--resamples", "0"
    code, _, problems = run(world / "good", world / "truth.csv", "--out", "out", *words)
    assert code == 0
    assert problems.splitlines()[0] == "reading"
    assert "localization 8/8" in problems


def test_vlm3d_counts_reconstructions_and_says_so(world: Path, run: Run) -> None:
    words = "--protocol", "vlm3d", "--only", "classification"
    code, shown, _ = run(world / "good", world / "truth.csv", "--out", "out", *words, *FAST)
    assert code == 0
    assert "protocol vlm3d; a reconstruction counts once" in shown


def test_help_and_version_name_every_command(run: Run) -> None:
    code, shown, _ = run("--help")
    assert code == 0
    assert all(f"rect-eval {name}" in shown for name in ("compare", "audit", "fit-thresholds", "label"))
    assert run("--version")[1].startswith("rect-eval 0.")
