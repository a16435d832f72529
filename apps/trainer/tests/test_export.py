"""Exports: components that load alone, calibrated classifiers, and cards that say what is known and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from rect_classifier import Classifier, operating_points, to_scores
from rect_core.types import ManifestRow
from rect_data.dataset import StoreDataset, collate
from rect_encoder import VisionEncoder
from rect_localizer import Localizer, outline_points
from rect_train.calibrate import outlines_of
from rect_train.checkpoint import name_of
from rect_train.cli import main
from rect_train.config import DataConfig, TrainConfig
from rect_train.export import export
from rect_train.facts import command_without_folders, facts_of, without_folders
from rect_train.loop import train
from rect_train.provenance import SESSIONS, command_of, commit_of
from rect_train.run import METRICS, config_of, continued, read_rows
from rect_vlm import ReCTVLM


def card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("encoder", "VisionEncoder"),
        pytest.param("classifier", "Classifier", marks=pytest.mark.slow),
        pytest.param("localizer", "Localizer", marks=pytest.mark.slow),
    ],
)
def test_each_component_loads_alone_in_a_process_that_has_not_seen_the_others(
    exported: Path, tmp_path: Path, part: str, name: str
) -> None:
    shutil.copytree(exported / part, tmp_path / "here")
    code = f"""
import sys
from rect_{part} import {name}
print({name}.from_pretrained("here").fingerprint)
foreign = {{"rect_classifier", "rect_localizer", "rect_vlm", "rect_train", "transformers"}} - {{"rect_{part}"}}
assert not [name for name in sys.modules if name.partition(".")[0] in foreign]
"""
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    said = json.loads((exported / part / "config.json").read_text("utf-8"))
    assert done.stdout.strip() == said["fingerprint"]


def test_the_classifier_is_calibrated_on_the_validation_split_and_its_logits_stay_raw(
    exported: Path, store: Path
) -> None:
    head, encoder = Classifier.from_pretrained(exported), VisionEncoder.from_pretrained(exported)
    points = operating_points(head)
    assert points is not None
    assert points.fitted_on.startswith("store store, split valid: 4 cases of 4 patients, calibration: platt.")
    assert {"f1", "youden", "sensitivity_0.9"} <= points.thresholds.keys()
    assert ReCTVLM.from_pretrained(exported).points == points
    dataset = StoreDataset(store)
    batch = collate([dataset[i] for i, row in enumerate(dataset.rows) if row.split == "valid"])
    logits = head(encoder(batch.voxels, batch.regions, batch.valid)).detach()
    scores = to_scores(logits[0], points=points)
    assert scores.calibrated
    assert np.allclose(scores.logits, logits[0].double().numpy())
    fitted = [k for k in range(len(points.labels)) if (points.scale[k], points.bias[k]) != (1.0, 0.0)]
    assert fitted, "some label of a run that learned something can be fitted"
    prob = np.array([to_scores(row, points=points).prob for row in logits])[:, fitted]
    plain = np.array([to_scores(row).prob for row in logits])[:, fitted]
    truth = batch.labels.numpy()[:, fitted]
    assert _loss(prob, truth) < _loss(plain, truth)


def test_the_peaks_of_the_localizer_are_those_that_its_own_outlines_are_best_with(exported: Path, store: Path) -> None:
    head = Localizer.from_pretrained(exported)
    points = outline_points(head)
    assert points is not None
    assert points.findings == head.config.findings
    assert points.fingerprint == head.fingerprint
    assert points.fitted_on.startswith("store store, split valid: 4 cases of 4 patients.")
    assert ReCTVLM.from_pretrained(exported).outline_points == points
    assert "A lesion is outlined from a probability of 0.5 on and counts where it reaches" in card(
        exported / "localizer"
    )


def test_outlines_are_gathered_inside_the_scan_with_the_peaks_that_they_reach_inside_the_body() -> None:
    cells, truth, body = np.zeros((3, 8, 8)), np.zeros((3, 8, 8), bool), np.ones((3, 8, 8), bool)
    assert outlines_of(cells, truth, body, 1).size.shape == (0,)
    cells[0, 0, 0], cells[1, 1, 1] = 0.6, 0.8  # joined by a corner
    cells[2, 5:7, 5:7], cells[0, 7, 7] = 0.7, 0.9
    truth[1, 1, :4] = True
    cells[2, 6, 6], body[2, 6, 6] = 0.95, False
    found = outlines_of(cells, truth, body, 2)
    assert found.truth == 4
    assert (found.size.tolist(), found.hit.tolist(), found.peak.tolist()) == ([4, 2], [0, 1], [0.7, 0.8])
    assert outlines_of(cells, truth, body, 1).size.tolist() == [4, 2, 1]


def _loss(prob: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(np.where(truth == 1, prob, 1 - prob)).mean())


def test_a_card_has_front_matter_that_the_hub_reads(exported: Path) -> None:
    tasks = {
        "encoder": "image-feature-extraction",
        "classifier": "image-classification",
        "localizer": "image-segmentation",
    }
    for part, task in tasks.items():
        data = ModelCard.load(exported / part / "README.md").data
        assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", f"rect_{part}", task)
        assert {"chest-ct", "synthetic"} <= set(data.tags or ())
    whole = ModelCard.load(exported / "README.md")
    assert whole.data.library_name == "rect_vlm"
    assert whole.text.strip().startswith("# ReCT-VLM")


def test_a_card_says_data_training_scores_and_fingerprints(exported: Path, whole_run: Path) -> None:
    text = card(exported)
    model = ReCTVLM.from_pretrained(exported)
    assert "**Trained on synthetic phantoms; not for clinical use.**" in text
    assert "Store `store`, split `train`: 8 scans of 8 patients, trained on." in text
    assert "Licence of the data: the store states none." in text
    assert "Phase 2, tasks classification, localization" in text
    assert "Command: not known; commit: " in text, "the run was started by a test and not by a command"
    assert f"Checkpoint `joint/{name_of(2)}`; averaged weights" in text
    row = next(row for row in read_rows(whole_run / METRICS) if "valid/macro_auroc" in row)
    assert f"| macro_auroc | {row['valid/macro_auroc']:.3f} |" in text
    assert "This checkpoint was chosen by these scores" in text
    for seal in model.fingerprints.values():
        assert seal in text
    assert "macro_dice" not in card(exported / "classifier")
    assert "macro_auroc" not in card(exported / "localizer")
    assert model.fingerprints["encoder"] in card(exported / "localizer")
    assert model.fingerprints["classifier"] not in card(exported / "localizer")


def test_no_card_names_a_folder_of_the_machine(exported: Path, whole_run: Path) -> None:
    for path in exported.rglob("*.*"):
        if path.suffix != ".safetensors" and path.is_file():
            assert str(whole_run.parent) not in path.read_text(encoding="utf-8"), path.name


def test_intervals_and_controls_are_shown_where_the_run_logged_them_and_unknown_keys_do_no_harm(
    whole_run: Path, store: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(whole_run, tmp_path / "run"))
    scores = {
        "macro_auroc": 0.8,
        "macro_auroc_low": 0.7,
        "macro_auroc_high": 0.9,
        "macro_auroc_mismatched": 0.5,
        "macro_dice": None,
        "very_low": 0.25,
    }
    later = {"step": 9, "valid/macro_auroc": 0.1}
    rows = [{"step": 2, "mfu": None, **{f"valid/{name}": value for name, value in scores.items()}}, later]
    (run / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    found = {metric.name: metric for metric in facts_of(run, name_of(2), store).metrics}
    assert set(found) == {"macro_auroc", "macro_dice", "very_low"}, "very_low is a score: there is no `very`"
    assert (found["macro_auroc"].low, found["macro_auroc"].high, found["macro_auroc"].mismatched) == (0.7, 0.9, 0.5)
    export(run, tmp_path / "out")
    assert "| macro_auroc | 0.800 | 0.700 to 0.900 | 0.500 |" in card(tmp_path / "out")
    assert "| macro_dice | undefined | not known | not measured |" in card(tmp_path / "out")


def test_what_is_not_known_is_said_to_be_not_known(whole_run: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole_run, tmp_path / "run"))
    (run / METRICS).write_text("", encoding="utf-8")
    (run / SESSIONS).unlink()
    export(run, tmp_path / "out", store=tmp_path / "gone", calibrated=False)
    text = card(tmp_path / "out" / "classifier")
    assert "Not known: the run has logged no validation" in text
    assert "Command, commit and versions: not known." in text
    assert "how many cases it had is not known" in text
    assert "Licence of the data: not known." in text
    assert "Not calibrated. Its operating points were not asked for." in text
    assert operating_points(Classifier.from_pretrained(tmp_path / "out")) is None


def test_an_export_needs_the_store_that_it_calibrates_on_and_leaves_nothing_behind_without(
    whole_run: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Path(shutil.copytree(whole_run, tmp_path / "run"))
    text = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(text.replace(str(store), str(tmp_path / "gone")), encoding="utf-8")
    assert main(["export", str(run), str(tmp_path / "out")]) == 2
    assert "the store gone, whose split 'valid' calibrates the heads, is not there" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"], "whole or not at all"
    assert main(["export", str(run), str(tmp_path / "out"), "--store", str(store)]) == 0
    assert main(["export", str(run), str(tmp_path / "raw"), "--no-calibration"]) == 0
    assert not list((tmp_path / "raw").rglob("operating_points.json"))


def test_labels_that_nobody_knows_calibrate_nothing(
    whole_run: Path, rows: list[ManifestRow], build_store: Callable[..., Path], tmp_path: Path
) -> None:
    blind = build_store(tmp_path / "blind", [replace(row, labels=(float("nan"),) * 18) for row in rows])
    said: list[str] = []
    export(whole_run, tmp_path / "out", store=blind, say=said.append)
    assert said[0] == "not calibrated: split valid has no known label"
    assert "Split `valid` of its store has no known label." in card(tmp_path / "out" / "classifier")
    assert outline_points(Localizer.from_pretrained(tmp_path / "out")) is not None, "of masks that are known"


def test_the_origin_that_a_store_states_is_the_runs(config: TrainConfig, tmp_path: Path) -> None:
    store = Path(shutil.copytree(config.data.store, tmp_path / "store"))
    said = json.loads((store / "store.json").read_text("utf-8"))
    (store / "store.json").write_text(json.dumps({**said, "origin": "clinical", "licence": "CC-BY-NC-SA-4.0"}))
    told = replace(config, phase="1.1", steps=1, data=DataConfig(store=store, workers=0))
    train(told)
    assert config_of(config.output_dir).data.origin == "clinical"
    assert continued(told).data.origin == "clinical", "a resumed run need not be told again"
    export(config.output_dir, tmp_path / "out")
    data = ModelCard.load(tmp_path / "out" / "classifier" / "README.md").data
    assert (data.license, data.license_name) == ("other", "CC-BY-NC-SA-4.0")
    assert "Trained on clinical data, whose licence applies" in card(tmp_path / "out" / "encoder")
    with pytest.raises(ValueError, match=r"data\.origin phantoms: the store store holds clinical scans: leave it out"):
        train(replace(told, output_dir=tmp_path / "other", data=replace(told.data, origin="phantoms")))


def test_a_run_notes_its_command_and_the_commit_of_a_checkout(tmp_path: Path) -> None:
    assert command_of(["/usr/bin/rect-train", "--phase", "2", "data.store=my store"]) == (
        "rect-train --phase 2 'data.store=my store'"
    )
    assert command_of(["/x/rect_train/cli/__main__.py", "--resume"]) == "rect-train --resume"
    assert command_of(["/usr/bin/pytest", "-q"]) is None
    assert command_of([]) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "code.py").write_text("1\n")
    assert commit_of(tmp_path / "code.py") == (None, None)
    for words in (["init", "-q"], ["add", "code.py"], ["commit", "-q", "-m", "one"]):
        subprocess.run([*git, *words], check=True, capture_output=True)
    commit, modified = commit_of(tmp_path / "code.py")
    assert commit is not None
    assert (len(commit), modified) == (40, False)
    (tmp_path / "installed.py").write_text("not tracked, as in an environment inside a checkout\n")
    assert commit_of(tmp_path / "installed.py") == (None, None)
    (tmp_path / "code.py").write_text("2\n")
    assert commit_of(tmp_path / "code.py") == (commit, True)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0/="), min_size=1), min_size=1, max_size=4))
def test_no_absolute_path_survives_and_all_else_stays(names: list[str]) -> None:
    place = "/" + "/".join(names)
    kept = without_folders({"store": place, "steps": [3, "plain", {"text": "a/b"}], "none": None})
    assert kept == {"store": Path(place).name, "steps": [3, "plain", {"text": "a/b"}], "none": None}


def test_a_command_loses_the_folders_of_its_paths() -> None:
    told = "rect-train --config configs/tiny.yaml --output-dir /scratch/jane/a data.store=/scratch/ct optim.lr=1e-4"
    assert command_without_folders(told) == (
        "rect-train --config configs/tiny.yaml --output-dir a data.store=ct optim.lr=1e-4"
    )
