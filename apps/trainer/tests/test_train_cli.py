"""The command: its exit codes, its one-line errors, and data that no run survives."""

import io
import json
import multiprocessing
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rect_core.config import to_yaml
from rect_core.types import ManifestRow
from rect_train.cli import main, one_line
from rect_train.config import TrainConfig
from rect_train.run import METRICS, read_rows


@pytest.fixture
def file(config: TrainConfig, tmp_path: Path) -> str:
    path = tmp_path / "run.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    return str(path)


def error(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> str:
    """The one line that a command line ends with."""
    assert main(words) == code
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if line.startswith("rect-train")]
    assert len(lines) == 1, err
    assert "Traceback" not in err
    assert out == ""
    return lines[0]


def test_a_run_from_the_shell_to_the_weights(
    file: str, config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "cls")
    words = ("--config", file, "--phase", "1.1", "--tasks", "classification", "--epochs", "1", "--output-dir", out)
    assert main([*words, "optim.lr=2e-3"]) == 0
    told = capsys.readouterr().err
    assert "beginning a run of 2 steps" in told
    assert "step 1/2: loss" in told
    assert "finished after 2 steps" in told
    assert next(row["rate"] for row in read_rows(tmp_path / "cls" / METRICS) if "rate" in row) == 1.0
    assert main(["--resume", "--output-dir", out, "epochs=2", "--allow-change", "epochs"]) == 0, "the run's own config"
    assert "going on from step-00000002 of 4 steps" in capsys.readouterr().err
    assert main(["export", out, str(tmp_path / "weights")]) == 0
    assert capsys.readouterr().out.endswith("weights: encoder, classifier\n")
    header = json.loads((tmp_path / "weights" / "classifier" / "config.json").read_text("utf-8"))
    assert header["weights_status"] == "synthetic"


def test_bad_usage_is_one_line_and_exit_code_two(
    file: str, config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> str:
        return error(capsys, 2, "--config", file, *words)

    assert "did you mean 'lr'" in refused("optim.lrr=1")
    assert "phase 1.3 cannot be trained yet" in refused("--phase", "1.3")
    assert "did you mean 'localization'" in refused("--tasks", "localisation")
    assert "holds no run" in refused("--resume")
    assert "would freeze a random encoder" in refused("--freeze-vision")
    assert "there is no GPU here" in refused("device=cuda")
    assert "give auto, cpu or cuda" in refused("device=tpu")
    assert "batch_size 9 is larger than the 8 cases" in refused("--batch-size", "9")
    assert "give one of macro_auroc, macro_dice" in refused("save.best=auroc")
    assert "none of 12 cases in split 'test'" in refused("data.train=test")
    assert "none of 12 cases in split 'test'" in refused("data.valid=test")
    assert "no store.json" in refused(f"data.store={tmp_path}")
    assert "prepare the store for this preset" in refused("model=null")
    assert error(capsys, 2, "--config", str(tmp_path / "none.yaml")) == (
        "rect-train: error: none.yaml: No such file or directory"
    )
    assert not config.output_dir.exists(), "nothing was begun"
    with pytest.raises(SystemExit) as stopped:
        main(["--epochs", "many"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_folder_that_holds_a_run_is_not_trained_over(
    file: str, config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", file, "steps=1"]) == 0
    capsys.readouterr()
    assert "run holds a run already: give --resume" in error(capsys, 2, "--config", file)
    assert "steps 1 -> 2" in error(capsys, 2, "--config", file, "--resume", "steps=2")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_case_that_turns_out_damaged_ends_a_run_with_code_one(
    file: str, config: TrainConfig, tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Path(shutil.copytree(config.data.store, tmp_path / "store"))
    (store / "cases" / "case03" / "hu.b2nd").unlink()
    words = ("--config", file, f"data.store={store}", "data.balance=0", f"data.workers={workers}")
    said = error(capsys, 1, *words)
    assert said.startswith("rect-train: error: case03/hu.b2nd: cannot be read"), said
    assert not multiprocessing.active_children(), "workers that hear no signal keep their process from ending"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: replace(row, labels=(0.0,) * 18), "none of the 144 known labels in split 'train' is positive"),
        (lambda row: replace(row, labels=(float("nan"),) * 18), "has a label that is 0 or 1"),
        (lambda row: replace(row, patient=row.split), "split 'valid' has one patient"),
    ],
)
def test_rows_that_teach_nothing_are_refused(
    file: str,
    tmp_path: Path,
    rows: list[ManifestRow],
    build_store: Callable[[Path, list[ManifestRow]], Path],
    change: Callable[[ManifestRow], ManifestRow],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = build_store(tmp_path / "poor", [change(row) for row in rows])
    assert message in error(capsys, 2, "--config", file, f"data.store={store}")


def test_labels_without_a_positive_case_are_named(
    file: str,
    tmp_path: Path,
    rows: list[ManifestRow],
    build_store: Callable[[Path, list[ManifestRow]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    poor = [replace(row, labels=(0.0, *row.labels[1:])) for row in rows]
    store = build_store(tmp_path / "poor", poor)
    assert main(["--config", file, f"data.store={store}", "steps=1"]) == 0
    assert "labels without a positive case, of which only no is learned: Medical material\n" in capsys.readouterr().err


def test_an_error_from_a_worker_is_told_by_its_last_line() -> None:
    text = "Caught DataError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  ...\n"
    assert one_line(ValueError(text + "rect_core.errors.DataError: case: gone: do this\n")) == "case: gone: do this"


class Terminal(io.StringIO):
    """Text that is shown to somebody."""

    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", shown)
    assert main(["--config", file, "steps=1"]) == 0
    assert "1/1" in shown.getvalue()
    assert "\x1b[" in shown.getvalue(), "it moves"
    assert "finished after 1 steps" in shown.getvalue()
