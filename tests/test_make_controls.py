"""tools/make_controls.py: what our writer says of labels is read back as these, by rules that share no word list."""

import csv
import random
import subprocess
import sys
from pathlib import Path

from rect_core.findings import LABELS
from rect_eval import label

TOOL = Path(__file__).resolve().parent.parent / "tools" / "make_controls.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, TOOL, *arguments], capture_output=True, text=True, check=False)


def test_the_labeler_reads_the_writers_labels_back(tmp_path: Path) -> None:
    random.seed(3)
    truth = {f"valid_{i}_a_1": [int(random.random() < 0.3) for _ in LABELS] for i in range(40)}
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["VolumeName", *LABELS], *([f"{n}.nii.gz", *row] for n, row in truth.items())])
    done = run("round-trip", tmp_path / "labels.csv", "--out", tmp_path / "out", "--split", "")
    assert (done.returncode, done.stderr) == (0, "")
    for name, row in truth.items():
        read = label((tmp_path / "out" / name / "report.txt").read_text(encoding="utf-8"))
        assert list(read.states.values()) == ["present" if value else "absent" for value in row]


def test_a_truth_that_is_not_there_and_a_folder_that_is_stop_with_one_line(tmp_path: Path) -> None:
    done = run("round-trip", tmp_path / "none.csv", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith("error: none.csv")
    assert run("second-report", tmp_path, "--out", tmp_path / "out").returncode == 2
