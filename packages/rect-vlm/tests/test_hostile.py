"""What a hostile or clumsy user meets: one clear line, the right exit code, and nothing of theirs destroyed."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import ScanError
from rect_core.folders import STALE_SECONDS
from rect_core.volume import Volume
from rect_vlm import Prediction, ReCTVLM, outputs
from rect_vlm.cli import main

TINY = ["--model", "untrained:tiny"]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture(scope="module")
def saved(prediction: Prediction, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prediction.save(tmp_path_factory.mktemp("saved"))


def refusal(line: list[str], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """The one line that a command line is refused with."""
    try:
        ended: object = main(line)
    except SystemExit as stop:
        ended = stop.code
    assert ended == code
    (told,) = [x for x in capsys.readouterr().err.splitlines() if not x.startswith("UNTRAINED")]
    return told


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "COMMAND"),
        (["predict"], "SCAN|FOLDER"),
        (["predict", ""], "empty name"),
        (["predict", "sample:chest", *TINY, "--threshold", "abc"], "'abc' is not a number between 0 and 1"),
        (["predict", "sample:chest", *TINY, "--threshold", "nan"], "'nan'"),
        (["localize", "sample:chest", *TINY, "--threshold", "1"], "'1'"),
        (["render", "x", "--scan", "sample:chest", "--plane", "axial", "--slices", "1,,2"], "slice numbers"),
        (["classify", "sample:chest", *TINY, "--device", "meta"], "no such device"),
        (["classify", "sample:chest", *TINY, "--text-encoder", "x"], "--prompt"),
        (["predict", "sample:chest", "--config", "."], "not a file"),
        (["embed", "sample:chest", *TINY, "--out", "nowhere/v.npz"], "v.npz"),
        (["predict", "sample:chest", *TINY, "--out", "file"], "'file'"),
        (["predict", "sample:chest", *TINY, "--out", "file/below"], "'file'"),
        (["localize", "sample:chest", *TINY, "--out", "file"], "'file'"),
    ],
)
def test_bad_usage_is_one_line_even_from_the_parser(
    line: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    assert message in refusal(line, capsys)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("text", ["model: [a", "threshold: abc", "\x00"])
def test_a_bad_config_is_named(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.yaml").write_text(text)
    line = ["predict", "sample:chest", "--config", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "out")]
    assert "run.yaml" in refusal(line, capsys)


def test_force_never_replaces_a_folder_that_rect_did_not_write(
    volume: Volume,
    dicom_copy: Callable[[Volume, Path], Path],
    saved: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A DICOM folder has the name of its own case, so --out beside it would have deleted the scan."""
    study = dicom_copy(volume, tmp_path / "study")
    slices = sorted(p.name for p in study.iterdir())
    lines = [
        ["predict", str(study), *TINY, "--out", str(tmp_path), "--force"],
        ["predict", str(study), *TINY, "--out", str(tmp_path), "--skip-existing"],
        ["localize", str(study), *TINY, "--out", str(tmp_path), "--force"],
        ["render", str(saved), "--scan", str(study), "--out", str(study), "--force"],
        ["render", str(saved), "--scan", str(study), "--out", str(saved), "--force"],
    ]
    for line in lines:
        assert "did not write all of it" in refusal(line, capsys)
    assert sorted(p.name for p in study.iterdir()) == slices
    assert (saved / "findings.json").exists()


def test_force_replaces_no_file_and_no_link(prediction: Prediction, tmp_path: Path) -> None:
    (tmp_path / "CTChest4").write_text("mine")
    with pytest.raises(ScanError, match="did not write all of it"):
        prediction.save(tmp_path, force=True)
    assert (tmp_path / "CTChest4").read_text() == "mine"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema_version": 1}'])
def test_a_damaged_prediction_is_one_line(
    text: str, saved: Path, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = shutil.copytree(saved, tmp_path / "CTChest4")
    (case / "findings.json").write_text(text)
    assert "CTChest4/findings.json" in refusal(["render", str(case), "--scan", str(sample)], capsys)
    assert not (case / "render").exists()
    line = ["predict", str(sample), str(tmp_path / "b.nrrd"), *TINY, "--out", str(tmp_path), "--skip-existing"]
    assert "CTChest4/findings.json" in refusal(line, capsys)
    assert not (tmp_path / "b").exists()


def test_case_ids_with_brackets_are_not_markup(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scan = tmp_path / "[red]a[bold].nrrd"
    shutil.copy(sample, scan)
    for line in (["doctor", str(scan)], ["classify", str(scan), *TINY], ["localize", str(scan), *TINY]):
        assert main(line) == 0
        assert "[red]a[bold]" in capsys.readouterr().out
    assert (
        main(["predict", str(scan), str(tmp_path / "[x]"), *TINY, "--out", str(tmp_path / "o[z]"), "--no-report"]) == 1
    )
    told = capsys.readouterr().err
    assert "[red]a[bold]" in told
    assert "o[z]" in told


def test_a_case_id_that_the_terminal_cannot_show_ends_no_run(
    sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(sample, tmp_path / "胸.nrrd")
    ascii_terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", ascii_terminal)
    assert main(["doctor", str(tmp_path / "胸.nrrd")]) == 0


def test_a_full_disk_is_told_and_leaves_nothing(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "json_bytes", full)
    with pytest.raises(ScanError, match=r"'CTChest4'.*No space left"):
        prediction.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_removed_once_it_is_old(prediction: Prediction, tmp_path: Path) -> None:
    old, fresh = tmp_path / ".CTChest4.aaaa.partial", tmp_path / ".CTChest4.bbbb.partial"
    old.mkdir()
    fresh.mkdir()
    long_ago = time.time() - 2 * STALE_SECONDS
    os.utime(old, (long_ago, long_ago))
    prediction.save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [fresh.name, "CTChest4"]


def test_sigterm_in_the_middle_of_a_save_leaves_no_half_written_case(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "import rect_vlm.cli as cli\n"
        "from rect_core.folders import whole_folder\n"
        "def run(options):\n"
        "    with whole_folder(Path(sys.argv[1]) / 'case', force=False, ours=lambda p: False):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "cli.info.run.__code__ = run.__code__\n"
        "cli.info.run.__globals__.update(globals())\n"
        "sys.exit(cli.main(['info']))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 128 + signal.SIGINT, ended.stderr
    assert ended.stderr.strip().splitlines() == ["rect info: stopped; finished scans are saved"]
    assert list(tmp_path.iterdir()) == []


def test_a_region_map_that_does_not_fit_is_named(
    prediction: Prediction, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = prediction.volume.stored
    mirrored = np.ascontiguousarray(stored.to_stored(prediction.regions.labels)[::-1])
    nib.save(nib.Nifti1Image(mirrored, stored.affine), tmp_path / "mirrored.nii.gz")
    line = ["predict", str(sample), *TINY, "--out", str(tmp_path / "o"), "--regions", str(tmp_path / "mirrored.nii.gz")]
    told = refusal(line, capsys, code=1)
    assert "mirrored.nii.gz" in told
    assert not (tmp_path / "o").exists()


def test_a_blank_looking_affine_does_not_bring_the_file_name_into_anonymous_files(
    volume: Volume, tmp_path: Path
) -> None:
    """An exactly identical affine is warned about; warnings go to findings.json and run.json."""
    hu = np.ascontiguousarray(np.repeat(np.repeat(volume.stored.to_stored(volume.hu), 2, 0), 2, 1))
    hu = np.repeat(hu, 7, 2)
    nib.save(nib.Nifti1Image(hu, np.eye(4)), tmp_path / "Doe_Jane.nii.gz")
    assert (
        main(["predict", str(tmp_path / "Doe_Jane.nii.gz"), *TINY, "--anonymous-ids", "--out", str(tmp_path / "o")])
        == 0
    )
    run = json.loads((tmp_path / "o" / "case-0001" / "run.json").read_text())
    assert any("identity" in check["message"] for check in run["checks"])
    assert not [p for p in (tmp_path / "o").rglob("*.*") if p.is_file() and b"Doe" in p.read_bytes()]


def test_cuts_of_a_wrong_type_or_size_are_told() -> None:
    """In a process of its own, because the type checker of these tests would speak first."""
    script = (
        "from rect_vlm.pipeline import Request\n"
        "nan = float('nan')\n"
        "bad = [('localization_threshold', x) for x in (0, 1, nan, '0.5', True, {'lung_nodule': 0.5})]\n"
        "bad += [('classification_threshold', x) for x in (nan, 2, True, [0.5] * 18, {'Lung nodule': 'x'})]\n"
        "for name, value in bad:\n"
        "    try:\n"
        "        Request(source='a.nii.gz', **{name: value})\n"
        "    except ValueError as error:\n"
        "        assert str(error).startswith(name)\n"
        "    else:\n"
        "        raise AssertionError((name, value))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_an_affine_may_be_nested_lists_and_words_are_refused(
    model: ReCTVLM, volume: Volume, prediction: Prediction
) -> None:
    array = np.ascontiguousarray(volume.stored.to_stored(volume.hu))
    assert model.classify(array, affine=volume.stored.affine.tolist()).prob == pytest.approx(
        prediction.classification.prob
    )
    with pytest.raises(ScanError, match="not a matrix"):
        model.classify(array, affine="RAS")


def test_a_volume_takes_the_case_id_it_is_given_and_no_other_place(
    model: ReCTVLM, volume: Volume, prediction: Prediction, tmp_path: Path
) -> None:
    assert model.predict(volume, case_id="other").record.case_id == "other"
    with pytest.raises(ScanError, match="affine="):
        model.predict(volume, affine=np.eye(4))
    with pytest.raises(ScanError, match="cannot name an output folder"):
        model.predict(replace(volume, case_id="../escape"))
    escaping = replace(prediction, record=replace(prediction.record, case_id="../escape"))
    with pytest.raises(ScanError, match="cannot name an output folder"):
        escaping.save(tmp_path / "out")
    assert not (tmp_path / "escape").exists()


def test_a_map_that_was_not_asked_for_is_told(prediction: Prediction) -> None:
    with pytest.raises(KeyError, match="was not looked for"):
        prediction.prob_map("fracture")
