"""CT-RATE's tree of phantoms: layout, tables, workers, resuming, checksums."""

import csv
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rect_core.anatomy import lobes_from_totalsegmentator, regions
from rect_core.errors import ScanError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.masks import read_mask
from rect_core.read import examine, read_volume
from rect_data.ct_rate import folder, lesion_path, map_path, split_of, ts_path, volume_path
from rect_data.phantom.config import PhantomConfig
from rect_data.tree.make import make_tree, names, verify
from rect_data.tree.sheet import contact_sheet

SMALL = PhantomConfig(size=(48, 96, 96), spacing_mm=(6.0, 4.0, 4.0))


def files(root: Path) -> dict[str, bytes]:
    """What each file holds, once unpacked: ISA-L may pack the same voxels in other bytes."""
    found = {str(path.relative_to(root)): path for path in sorted(root.rglob("*")) if path.is_file()}
    return {name: (gzip.decompress if name.endswith(".gz") else bytes)(p.read_bytes()) for name, p in found.items()}


@pytest.fixture(scope="module")
def tree(phantom_tree: Path) -> Path:
    """Three training cases and one of valid; nothing here changes a byte of it."""
    return phantom_tree


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_paths_are_ct_rates() -> None:
    assert folder("train_12_b_3") == "train_12/train_12_b"
    assert volume_path("valid_1_a_1") == "dataset/valid_fixed/valid_1/valid_1_a/valid_1_a_1.nii.gz"
    with pytest.raises(ValueError, match="begin with train or valid"):
        split_of("test_1_a_1")


def test_every_volume_passes_the_door(tree: Path) -> None:
    for name in names(3, 1):
        found = examine(tree / volume_path(name))
        assert found.volume is not None, [c.message for c in found.checks if c.status == "fail"]
        assert found.volume.hu.dtype == np.int16


def test_masks_and_maps_lie_on_their_scan(tree: Path) -> None:
    for name in names(3, 1):
        volume = read_volume(tree / volume_path(name))
        own = regions(volume, tree / map_path("regions", name))
        assert own.origin == "given"
        lobes = read_mask(tree / map_path("lobes", name), volume)
        assert np.array_equal(lobes > 0, own.lungs)
        assert np.array_equal(lobes_from_totalsegmentator(volume, tree / ts_path("ts_total", name)), lobes)
        for finding in LOCALIZED:
            assert (tree / lesion_path(name, finding)).is_file()


def test_tables_have_ct_rates_columns(tree: Path) -> None:
    labels = rows(tree / "dataset/multi_abnormality_labels/train_predicted_labels.csv")
    assert list(labels[0]) == ["VolumeName", *LABELS]
    assert [row["VolumeName"] for row in labels] == [f"{name}.nii.gz" for name in names(3, 0)]
    assert {row[label] for row in labels for label in LABELS} <= {"0", "1"}
    reports = rows(tree / "dataset/radiology_text_reports/validation_reports.csv")
    assert list(reports[0])[3:] == ["Findings_EN", "Impressions_EN"]
    assert all(len(row["Findings_EN"]) > 80 for row in reports)
    metadata = rows(tree / "dataset/metadata/train_metadata.csv")
    assert {"Manufacturer", "PatientAge", "XYSpacing", "ZSpacing", "RescaleIntercept"} <= set(metadata[0])
    reasoning = (tree / "dataset/reasoning/valid_reasoning.jsonl").read_text().splitlines()
    assert set(json.loads(reasoning[0])["reasoning"]) == {"steps", "conclusion"}


def test_the_grounding_file_counts_what_the_masks_hold(tree: Path) -> None:
    data = json.loads((tree / "dataset/grounding/dataset.json").read_text())
    assert [len(data[key]) for key in ("train", "val", "test")] == [3, 1, 0]
    for entry in data["train"]:
        assert entry["shape"] == [96, 96, 48]
        assert set(entry["findings"]) == set(entry["pixels"]) == set(entry["entity_counts"]) == set(entry["categories"])
        assert all(count > 0 for count in entry["pixels"].values())


def test_two_workers_and_an_interrupted_run_give_the_same_bytes_as_one(tree: Path, tmp_path: Path) -> None:
    root = tmp_path / "stopped"
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from pathlib import Path; from rect_data.phantom.config import PhantomConfig; "
        "from rect_data.tree import make_tree; "
        f"__name__ == '__main__' and make_tree(Path({str(root)!r}), train=2, valid=0, workers=2, "
        "config=PhantomConfig(size=(48, 96, 96), spacing_mm=(6.0, 4.0, 4.0)))"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True, start_new_session=True)
    for _ in range(1200):
        if any(root.glob("dataset/*_fixed/*/*/*.nii.gz")):
            break
        time.sleep(0.1)
    os.killpg(run.pid, signal.SIGINT)  # as Ctrl-C does: workers and parent alike
    _, said = run.communicate(timeout=120)
    assert said.count("Traceback") == 1, said  # the parent's own KeyboardInterrupt
    assert not list(root.rglob("*.tmp"))
    half = volume_path("train_1_a_1")  # as a case that was killed while it was written: no record yet
    (root / half).write_bytes(b"half")
    (root / "phantoms/train_1_a_1.json").unlink(missing_ok=True)
    records = make_tree(root, train=2, valid=0, config=SMALL)
    mine, others = files(root), files(tree)
    for record in records:
        assert all(mine[name] == others[name] for name in record["files"])
    assert {name: mine[name] for name in mine if name.startswith("phantoms/")}.items() <= others.items()


def test_more_training_cases_change_no_earlier_case() -> None:
    few, many = names(3, 2), names(30, 2)
    assert few.items() <= many.items()


def test_another_seed_in_the_same_folder_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match=r"other settings \(seed\)"):
        make_tree(tree, train=1, valid=0, config=PhantomConfig(seed=8, size=SMALL.size, spacing_mm=SMALL.spacing_mm))


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="is not empty"):
        make_tree(tmp_path, train=1, valid=0, config=SMALL)


def test_no_case_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one case"):
        make_tree(tmp_path / "x", train=0, valid=0, config=SMALL)


def test_a_damaged_file_is_named(tree: Path, tmp_path: Path) -> None:
    root = shutil.copytree(tree, tmp_path / "copy")
    records = make_tree(root, train=3, valid=1, config=SMALL)
    assert verify(root, records) == []
    path = volume_path("train_1_a_1")
    (root / path).write_bytes(b"damaged")
    assert verify(root, records) == [path]


def test_the_contact_sheet_shows_every_case_at_full_resolution(tree: Path, tmp_path: Path) -> None:
    from PIL import Image

    records = make_tree(tree, train=3, valid=1, config=SMALL)
    contact_sheet(tmp_path / "sheet.png", tree, records)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width >= 2 * 3 * 96
        assert sheet.height >= 2 * 96


def test_a_place_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file is a file: give a folder"):
        make_tree(tmp_path / "file", train=1, valid=0, config=SMALL)
    with pytest.raises(ScanError, match="cannot be made: Not a directory: give a folder that can be written"):
        make_tree(tmp_path / "file/sub", train=1, valid=0, config=SMALL)


def test_no_worker_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers 0: give 1 or more"):
        make_tree(tmp_path / "x", train=1, valid=0, config=SMALL, workers=0)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("file", ["phantoms.json", "phantoms/train_1_a_1.json"])
@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff"])
def test_a_damaged_record_is_named(tree_copy: Path, file: str, content: bytes) -> None:
    (tree_copy / file).write_bytes(content)
    with pytest.raises(ValueError, match=f"{file}: is damaged .*: remove it and run again"):
        make_tree(tree_copy, train=3, valid=1, config=SMALL)


@pytest.mark.slow
def test_one_worker_four_workers_and_a_run_killed_outright_give_the_same_bytes(tmp_path: Path) -> None:
    alone, four, killed = tmp_path / "alone", tmp_path / "four", tmp_path / "killed"
    make_tree(alone, train=5, valid=1, config=SMALL)
    make_tree(four, train=5, valid=1, config=SMALL, workers=4)
    code = (
        "from pathlib import Path; from rect_data.phantom.config import PhantomConfig; "
        "from rect_data.tree import make_tree; "
        f"make_tree(Path({str(killed)!r}), train=5, valid=1, config=PhantomConfig(size={SMALL.size}, "
        f"spacing_mm={SMALL.spacing_mm}))"
    )
    run = subprocess.Popen([sys.executable, "-c", code])
    while run.poll() is None and len(list(killed.glob("phantoms/*.json"))) < 2:
        time.sleep(0.05)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert len(list(killed.glob("phantoms/*.json"))) < 6, "killed too late to show anything"
    make_tree(killed, train=5, valid=1, config=SMALL)
    assert files(four) == files(alone)
    assert {name: data for name, data in files(killed).items() if not name.endswith(".tmp")} == files(alone)
