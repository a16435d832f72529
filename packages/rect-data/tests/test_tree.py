"""CT-RATE's tree of phantoms: layout, tables, workers, resuming, checksums."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rect_core.anatomy import lobes_from_totalsegmentator, regions
from rect_core.findings import LABELS, LOCALIZED
from rect_core.masks import read_mask
from rect_core.read import examine, read_volume
from rect_data.ct_rate import folder, lesion_path, map_path, split_of, ts_path, volume_path
from rect_data.phantom.config import PhantomConfig
from rect_data.tree.make import make_tree, names, verify
from rect_data.tree.sheet import contact_sheet

SMALL = PhantomConfig(size=(48, 96, 96), spacing_mm=(6.0, 4.0, 4.0))


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree") / "phantoms"
    make_tree(root, train=3, valid=1, config=SMALL)
    return root


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


def test_four_workers_and_a_killed_run_give_the_same_bytes_as_one(tree: Path, tmp_path: Path) -> None:
    root = tmp_path / "killed"
    code = (
        "from pathlib import Path; from rect_data.phantom.config import PhantomConfig; "
        "from rect_data.tree import make_tree; "
        f"make_tree(Path({str(root)!r}), train=3, valid=1, config=PhantomConfig(size=(48, 96, 96), "
        "spacing_mm=(6.0, 4.0, 4.0)))"
    )
    run = subprocess.Popen([sys.executable, "-c", code])
    for _ in range(600):
        if any(root.glob("dataset/*_fixed/*/*/*.nii.gz")):
            break
        time.sleep(0.1)
    run.send_signal(signal.SIGKILL)
    run.wait()
    make_tree(root, train=3, valid=1, config=SMALL, workers=4)
    left, right = files(tree), {k: v for k, v in files(root).items() if not k.endswith(".tmp")}
    assert left == right


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
    root = tmp_path / "copy"
    for name, content in files(tree).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
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
