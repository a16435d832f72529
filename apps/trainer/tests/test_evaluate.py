"""tools/evaluate.py: predictions over a split of a store or a data set, scored with controls, resumed where stopped."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rect_core.errors import DataError
from rect_core.frame import GridConfig
from rect_core.manifest import read_manifest
from rect_data.phantom.config import PhantomConfig
from rect_data.readers import CtRate
from rect_data.store import StoreConfig, StoreReader
from rect_data.store.prepare import manifest_only, prepare
from rect_data.tree.make import make_tree
from rect_train.config import TrainConfig
from rect_train.evaluate import Wanted, evaluate
from rect_train.evaluate.model import load_model
from rect_train.evaluate.pictures import crop_of
from rect_train.evaluate.scans import FullScans, GridScans, open_scans
from rect_train.loop import train
from rect_train.run import METRICS, read_rows

Tool = Callable[..., tuple[int, str, str]]


def metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text("utf-8"))
    return found


def stamps(folder: Path) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("predictions/*/run.json")}


@pytest.fixture
def ask(store: Path, tmp_path: Path, tool: Tool) -> Callable[..., tuple[int, str, str]]:
    """Evaluates on the store's validation split."""

    def run(checkpoint: str | Path, *words: str | Path) -> tuple[int, str, str]:
        given = ("--checkpoint", checkpoint, "--data-dir", store, "--output-dir", tmp_path / "out", "--resamples", "20")
        return tool("evaluate", *given, *words)

    return run


def test_a_store_without_its_scans_is_scored_on_the_model_grid_and_says_so(
    exported: Path, whole_run: Path, ask: Tool, tmp_path: Path
) -> None:
    code, out, err = ask(exported, "--generate-reports")
    assert (code, err) == (0, "4/4 case11\n"), err
    assert "4 predicted, 0 were there, 0 failed" in out
    found = metrics(tmp_path / "out")
    assert found["settings"]["grid"] == "model"
    assert "Scored on the model grid, since the files of 4 of 4 scans are not there" in str(found["warnings"])
    assert "were fitted on: store store, split valid" in str(found["warnings"]), "the same cases, which flatters"
    sections = found["sections"]
    assert set(sections) == {"classification", "localization"}, "the rows have no reports to compare with"
    controls = [control["name"] for control in sections["classification"]["controls"]]
    assert controls == ["shuffled rows", "prevalence"]
    validated = next(row for row in read_rows(whole_run / METRICS) if "valid/macro_auroc" in row)
    auroc = sections["classification"]["scores"]["macro_auroc"]["value"]
    assert auroc == pytest.approx(validated["valid/macro_auroc"]), "what the run's own validation measured"
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "predictions" / "case08" / "report.txt").is_file()
    run = json.loads((tmp_path / "out" / "predictions" / "case08" / "run.json").read_text("utf-8"))
    assert run["grid"] == "model"


@pytest.fixture(scope="module")
def finished(exported: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation of two cases; nothing may change it."""
    out = tmp_path_factory.mktemp("finished") / "out"
    model = load_model(str(exported), device=torch.device("cpu"))
    evaluate(model, open_scans(store, "valid", limit=2), out, Wanted(data=store.name, split="valid", resamples=0))
    return out


@pytest.fixture
def begun(finished: Path, tmp_path: Path) -> Path:
    """A copy of it where `ask` writes."""
    return Path(shutil.copytree(finished, tmp_path / "out"))


def test_predictions_that_are_there_are_not_made_again(exported: Path, ask: Tool, begun: Path) -> None:
    before = stamps(begun)
    shutil.rmtree(begun / "predictions" / "case09")
    assert "3 predicted, 1 were there" in ask(exported)[1]
    after = stamps(begun)
    assert len(after) == 4
    assert after["case08"] == before["case08"]


def test_other_weights_or_settings_are_never_mixed_with_what_is_there(
    exported: Path, whole_run: Path, ask: Tool, begun: Path
) -> None:
    before = stamps(begun)
    told = "error: out holds another evaluation (reports False -> True): give --force or another folder\n"
    assert ask(exported, "--generate-reports") == (2, "", told)
    code, _, err = ask(whole_run)
    assert code == 2
    assert "operating_points" in err, "a run's own weights are not calibrated"
    assert stamps(begun) == before


@pytest.mark.slow
def test_force_begins_again_and_a_missing_picture_is_drawn(
    exported: Path, whole_run: Path, ask: Tool, begun: Path
) -> None:
    assert "2 predicted, 0 were there" in ask(exported, "--limit", "2", "--save-visualizations")[1], "none was drawn"
    assert len(list((begun / "visualizations").glob("*.png"))) == 4
    assert ask(whole_run, "--force")[0] == 0
    assert not (begun / "visualizations").exists()
    assert metrics(begun)["settings"]["checkpoint"] == "joint/step-00000002"
    assert "were fitted on" not in str(metrics(begun)["warnings"])
    record = json.loads((begun / "predictions" / "case08" / "findings.json").read_text("utf-8"))
    assert record["weights_status"] == "synthetic"


def test_bad_usage_is_one_line(exported: Path, ask: Tool, tool: Tool, tmp_path: Path) -> None:
    def refused(*words: str | Path) -> str:
        code, out, err = ask(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
        return err

    assert "no case of split 'test'; its splits are 'train', 'valid'" in refused(exported, "--split", "test")
    assert "neither a folder here nor an installed package" in refused("nothing")
    assert "is a pickle" in refused(tmp_path / "best_model.pt")
    assert "neither a data set" in refused(exported, "--data-dir", tmp_path)
    assert "there is no such device" in refused(exported, "--device", "cuda:7")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    assert "is not empty and holds no evaluation" in refused(exported, "--force")
    assert (tmp_path / "out" / "thesis.txt").exists()


def test_a_run_of_one_task_is_told_what_it_lacks(config: TrainConfig, ask: Tool) -> None:
    train(replace(config, phase="1.1", steps=1))
    code, _, err = ask(config.output_dir)
    assert code == 2
    assert "run/step-00000001 holds encoder and classifier only: evaluate a run of phase 2" in err


def test_an_empty_mask_is_an_empty_crop() -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    assert crop_of(labels).labels.size == 0
    labels[1, 2, 3] = 7
    crop = crop_of(labels)
    assert (crop.start, crop.labels.tolist(), crop.dense().sum()) == ((1, 2, 3), [[[7]]], 7)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three phantoms."""
    root = tmp_path_factory.mktemp("phantoms") / "tree"
    make_tree(root, train=1, valid=2, config=PhantomConfig(seed=3))
    return root


@pytest.fixture(scope="module")
def prepared(tree: Path) -> Path:
    """Their store, on the tests' grid."""
    grid = GridConfig(shape=(8, 16, 16), spacing_mm=(12.0, 18.0, 18.0))
    prepare(CtRate(tree), tree.parent / "store", StoreConfig(grid=grid))
    return tree.parent / "store"


@pytest.mark.slow
def test_a_store_is_scored_on_its_scans_as_long_as_they_are_there(
    exported: Path, tree: Path, prepared: Path, tool: Tool, tmp_path: Path
) -> None:
    given = ("--checkpoint", exported, "--resamples", "0", "--output-dir")
    assert tool("evaluate", *given, tmp_path / "a", "--data-dir", prepared)[0] == 0
    assert tool("evaluate", *given, tmp_path / "b", "--data-dir", tree)[0] == 0
    one, two = metrics(tmp_path / "a"), metrics(tmp_path / "b")
    assert one["sections"] == two["sections"], "by way of the store or not: the same scans"
    assert "8 x 16 x 16 cells" in str(one["settings"])
    copy = Path(shutil.copytree(prepared, tmp_path / "elsewhere" / "store"))
    assert isinstance(open_scans(copy, "valid"), GridScans)
    assert isinstance(open_scans(copy, "valid", source=tree), FullScans), "told where they are"
    assert tool("evaluate", *given, tmp_path / "c", "--data-dir", copy, "--save-visualizations")[0] == 0
    assert metrics(tmp_path / "c")["settings"]["grid"] == "model"
    moved = tmp_path / "moved"
    shutil.copytree(prepared, moved / "store")
    shutil.copytree(tree, moved / "tree")
    assert isinstance(open_scans(moved / "store", "valid"), FullScans), "both were moved together"
    reader = StoreReader(prepared)
    path = moved / "tree" / reader.record(reader.rows[-1].case_id)["row"]["volume"]
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match="its files have changed since: prepare the store again"):
        open_scans(moved / "store", "valid")


@pytest.mark.slow
def test_a_scan_that_is_refused_counts_as_a_failure_and_the_others_are_scored(
    exported: Path, tree: Path, tool: Tool, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tree, tmp_path / "tree"))
    manifest_only(CtRate(copy), tmp_path / "list")
    rows = [row for row in read_manifest(tmp_path / "list" / "manifest.parquet") if row.split == "valid"]
    (tmp_path / "list" / rows[0].volume).write_bytes(b"no scan")
    code, out, err = tool(
        "evaluate", "--checkpoint", exported, "--data-dir", tmp_path / "list", "--output-dir", tmp_path / "out"
    )
    assert code == 1
    assert f"failed: {rows[0].case_id}: " in err
    assert "1 predicted, 0 were there, 1 failed" in out
    assert metrics(tmp_path / "out")["cohort"]["missing"] == [rows[0].case_id]
