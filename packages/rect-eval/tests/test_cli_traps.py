"""The `rect-eval` command where it could mislead: two systems, audits, narrow terminals, names that are commands."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rect_core.findings import LABELS
from rect_eval.cases import Pairs, Predicted, Truth
from rect_eval.cli import audit, compare, main, score
from rect_eval.run import Options, split_parts

CASES = 24
FAST = ["--quiet", "--resamples", "20"]
Run = Callable[..., tuple[int, str, str]]


def table(path: Path, names: list[str], values: np.ndarray) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["VolumeName", *LABELS])
        writer.writerows([name, *row] for name, row in zip(names, values.tolist(), strict=True))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """truth.csv, good.csv, blind.csv, and few.csv, which lacks two of good.csv's cases."""
    root = tmp_path_factory.mktemp("tables")
    rng = np.random.default_rng(3)
    names = [f"valid_{k}_a_1.nii.gz" for k in range(CASES)]
    labels = ((np.arange(18) + np.arange(CASES)[:, None]) % 3 == 0).astype(int)
    good = np.clip(0.2 + 0.5 * labels + rng.uniform(-0.15, 0.15, labels.shape), 0, 1)
    table(root / "truth.csv", names, labels)
    table(root / "good.csv", names, good)
    table(root / "few.csv", names[:-2], good[:-2])
    table(root / "blind.csv", names, rng.uniform(0.05, 0.95, labels.shape))
    return root


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs one command line: exit code, standard output, standard error. Pictures are left out, they take time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    def command(*words: str | Path) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return command


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    for module in (score, audit, compare):
        monkeypatch.setattr(module, "width", lambda: 80)


@pytest.mark.parametrize(("first", "second", "letter"), [("few", "good", "A"), ("good", "few", "B")])
def test_what_either_system_lacks_is_counted(tables: Path, run: Run, first: str, second: str, letter: str) -> None:
    words = tables / f"{first}.csv", tables / f"{second}.csv", tables / "truth.csv", "--allow-missing"
    code, shown, _ = run("compare", *words, "--out", "out", *FAST)
    assert code == 1
    assert f"2 of {CASES} cases have no prediction of few.csv and count as failures." in shown
    missing = json.loads(Path("out/comparison.json").read_text())["cohort"]["missing"]
    assert missing == [f"valid_22_a_1 ({letter})", f"valid_23_a_1 ({letter})"]


def test_without_resamples_a_comparison_has_no_p_values(tables: Path, run: Run) -> None:
    words = tables / "blind.csv", tables / "good.csv", tables / "truth.csv"
    code, shown, _ = run("compare", *words, "--quiet", "--resamples", "0", "--json")
    assert code == 0
    found = json.loads(shown)
    assert {row["p"] for row in found["differences"]} == {None}
    assert any("no p-values" in note for note in found["notes"])


def test_swapped_systems_give_the_same_difference_with_the_other_sign(tables: Path, run: Run) -> None:
    names = [tables / "blind.csv", tables / "good.csv"]
    found = [
        json.loads(run("compare", *pair, tables / "truth.csv", *FAST, "--json")[1]) for pair in (names, names[::-1])
    ]
    for one, other in zip(*(data["differences"] for data in found), strict=True):
        for key, mirrored in (("difference", "difference"), ("low", "high"), ("high", "low")):
            assert one[key] == (None if other[mirrored] is None else pytest.approx(-other[mirrored], abs=1e-9))
        assert one["p"] == other["p"]


def test_an_audit_of_a_part_without_controls_is_refused(tables: Path, run: Run) -> None:
    code, shown, problems = run("audit", tables / "good.csv", tables / "truth.csv", "--only", "localization", *FAST)
    assert (code, shown) == (2, "")
    assert "localization has no controls" in problems


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    "words", [["blind.csv", "--out", "out"], ["audit", "blind.csv"], ["compare", "blind.csv", "good.csv"]]
)
def test_everything_fits_a_terminal_of_80_columns(tables: Path, run: Run, words: list[str]) -> None:
    known = [str(tables / word) if word.endswith(".csv") else word for word in words]
    at = next((k for k, word in enumerate(known) if word == "--out"), len(known))
    _, shown, _ = run(*known[:at], tables / "truth.csv", *known[at:], *FAST)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert any("Macro AUROC" in line for line in lines)


@pytest.mark.usefixtures("narrow")
def test_a_narrow_comparison_says_who_is_better_with_a_letter(tables: Path, run: Run) -> None:
    _, shown, _ = run("compare", tables / "blind.csv", tables / "good.csv", tables / "truth.csv", *FAST)
    assert next(line for line in shown.splitlines() if "Macro AUROC" in line).endswith("  B")


def test_a_name_cannot_command_the_terminal(tables: Path, run: Run, tmp_path: Path) -> None:
    names = ["\x1b[31mred", "\x9b2Jwiped", "plain"]
    table(tmp_path / "truth.csv", names, np.eye(3, 18, dtype=int))
    table(tmp_path / "some.csv", names[2:], np.full((1, 18), 0.5))
    code, shown, problems = run("some.csv", "truth.csv", "--out", "out", *FAST)
    assert code == 2
    assert "\ufffd[31mred" in problems
    code, shown, problems = run("some.csv", "truth.csv", "--out", "out", "--allow-missing", *FAST)
    assert code == 1
    assert "\ufffd[31mred" in shown
    assert not {"\x1b", "\x9b"} & set(shown + problems)


def test_the_masks_of_a_store_are_refused_with_what_to_give_instead(tmp_path: Path) -> None:
    """They lie on the grid of the model; labels and reports of the same manifest are scored."""
    lesions = {"lung_nodule": tmp_path / "lesions.b2nd"}
    labels = (1.0, *(0.0,) * 17)
    truth = Truth(case_id="c", patient="p", scan="s", labels=labels, report="Nodule.", lesions=lesions)
    said = Predicted(case_id="c", prob=(0.5,) * 18, report="Nodule.", assessed=("lung_nodule",))
    pairs = Pairs(truths=(truth,), predictions=(said,))
    for options in (Options(), Options(only=("localization",))):
        with pytest.raises(ValueError, match=r"case 'c': lesions.b2nd lies in a store.*--manifest-only.*--only class"):
            split_parts(pairs, options)
    assert set(split_parts(pairs, Options(only=("classification", "reports"))).found) == {"classification", "reports"}
