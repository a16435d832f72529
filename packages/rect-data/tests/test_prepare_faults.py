"""What goes wrong around a store: broken sources, stale cases, several runs at once, and how a run ends."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.frame import GridConfig
from rect_core.manifest import read_manifest
from rect_core.read import read_volume
from rect_core.types import ManifestRow
from rect_data import ct_rate
from rect_data.ct_rate import volume_path
from rect_data.readers import CtRate, FolderCt
from rect_data.store import StoreConfig, StoreReader
from rect_data.store.one import Job, prepare_one
from rect_data.store.pool import run_on_ray
from rect_data.store.prepare import Summary, prepare
from rect_data.store.rows import gather
from rect_data.store.sources import stamps, unchanged

CONFIG = StoreConfig(grid=GridConfig(shape=(16, 32, 32), spacing_mm=(16.0, 10.0, 10.0)))
GRID = ["--size", "16", "32", "32", "--spacing", "16", "10", "10"]
TOOL = Path(__file__).resolve().parents[3] / "tools" / "prepare_ct_rate.py"
NAME = "train_1_a_1"

UNGUARDED = """
import sys
from pathlib import Path
from rect_core.frame import GridConfig
from rect_data.readers import CtRate
from rect_data.store import StoreConfig
from rect_data.store.prepare import prepare

config = StoreConfig(grid=GridConfig(shape=(16, 32, 32), spacing_mm=(16.0, 10.0, 10.0)))
prepare(CtRate(Path(sys.argv[1])), Path(sys.argv[2]), config, workers=2)
"""


def run(root: Path, out: Path, *, number: int = 1, **options: object) -> Summary:
    """The first scans of a tree."""
    rows = options.pop("rows", None) or CtRate(root).rows()[:number]
    return prepare(CtRate(root), out, CONFIG, rows=rows, **options)  # type: ignore[arg-type]


def tool(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def listed(out: Path) -> dict[str, str]:
    return {row.case_id: row.exclusion for row in read_manifest(out / "manifest.parquet")}


def row(root: Path, **values: object) -> ManifestRow:
    return replace(CtRate(root).rows()[0], **values)  # type: ignore[arg-type]


def test_a_scan_with_a_broken_header_is_quarantined_and_counted(tree_copy: Path, tmp_path: Path) -> None:
    for name in ("train_1_a_1", "train_2_a_1", "train_3_a_1", "valid_1_a_1"):
        (tree_copy / volume_path(name)).write_bytes(b"not a scan")
    done = tool("--root", tree_copy, "--output-dir", tmp_path / "s", *GRID)
    assert done.returncode == 1, done.stderr
    assert "4 quarantined" in done.stdout
    assert (tmp_path / "s" / "quarantine" / f"{NAME}.json").is_file()
    assert StoreReader(tmp_path / "s").rows == []


def test_an_exclusion_outlives_a_run_that_is_not_given_the_row(phantom_tree: Path, tmp_path: Path) -> None:
    out, rows = tmp_path / "s", CtRate(phantom_tree).rows()[:2]
    run(phantom_tree, out, rows=rows)
    run(phantom_tree, out, rows=[replace(rows[0], exclusion="no chest: a head"), rows[1]])
    run(phantom_tree, out, rows=[rows[1]])
    assert listed(out) == {rows[0].case_id: "no chest: a head", rows[1].case_id: ""}
    run(phantom_tree, out, rows=rows)
    assert set(listed(out).values()) == {""}, "a row that is given again without exclusion is back"


def test_a_case_leaves_the_half_written_folder_of_another_whose_name_goes_on(
    phantom_tree: Path, tmp_path: Path
) -> None:
    other = tmp_path / "s" / "cases" / ".scan.1.00000000.tmp"
    other.mkdir(parents=True)
    prepare_one(
        Job(reader=CtRate(phantom_tree), row=row(phantom_tree, case_id="scan"), out=tmp_path / "s", config=CONFIG)
    )
    assert (tmp_path / "s" / "cases" / "scan" / "case.json").is_file()
    assert other.is_dir()


def test_a_record_that_was_cut_off_is_made_again(phantom_tree: Path, tmp_path: Path) -> None:
    run(phantom_tree, tmp_path / "s")
    (tmp_path / "s" / "cases" / NAME / "case.json").write_text("")
    assert run(phantom_tree, tmp_path / "s").written == 1
    (tmp_path / "s" / "cases" / NAME / "case.json").write_text("")
    with pytest.raises(DataError, match=rf"{NAME}/case\.json: damaged"):
        gather(tmp_path / "s", [], phantom_tree)


def test_a_quarantine_that_another_shard_lifts_meanwhile_stops_no_manifest(
    phantom_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(phantom_tree, tmp_path / "s")
    lifted = tmp_path / "s" / "quarantine" / "train_2_a_1.json"
    lifted.parent.mkdir()
    lifted.symlink_to(tmp_path / "gone")  # listed by glob, and not there when it is read
    assert [found.case_id for found in gather(tmp_path / "s", [], phantom_tree)] == [NAME]


def test_workers_that_cannot_start_empty_no_store(phantom_tree: Path, tmp_path: Path) -> None:
    run(phantom_tree, tmp_path / "s")
    (tmp_path / "unguarded.py").write_text(UNGUARDED)
    command = [sys.executable, str(tmp_path / "unguarded.py"), str(phantom_tree), str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "worker processes cannot be started" in done.stderr
    assert (tmp_path / "s" / "cases" / NAME / "case.json").is_file()
    assert not (tmp_path / "s" / "quarantine").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "0", "8", "8"], "grid shape (0, 8, 8) must be"),
        (["--volume-dir", "x", "--pseudo-lesions"], "--pseudo-lesions and --dataset-version go with --root"),
        (["--output-dir", "/dev/null/s"], "Not a directory"),
    ],
)
def test_what_stops_a_run_is_one_line_and_not_the_exit_code_of_bad_scans(
    phantom_tree: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    source = [] if "--volume-dir" in arguments else ["--root", phantom_tree]
    done = tool("--output-dir", tmp_path / "s", *source, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_an_export_in_another_split_or_of_a_scan_turned_bad_leaves_no_stale_file(
    tree_copy: Path, tmp_path: Path
) -> None:
    out = tmp_path / "n"
    run(tree_copy, out, npz=True)
    run(tree_copy, out, rows=[row(tree_copy, split="valid")], npz=True)
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.npz")] == [f"valid/{NAME}.npz"]
    (tree_copy / volume_path(NAME)).write_bytes(b"not a scan")
    assert list(run(tree_copy, out, npz=True).quarantined) == [NAME]
    assert list(out.rglob("*.npz")) == []


def test_corrected_metadata_of_version_1_make_the_case_again(tree_copy: Path, tmp_path: Path) -> None:
    path, table = tree_copy / volume_path(NAME), tree_copy / ct_rate.METADATA["train"]
    stored = (read_volume(path).hu.astype(np.int32) + 8192).T.astype(np.int16)
    new = tree_copy / volume_path(NAME).replace("_fixed", "")
    new.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(stored, None), new)

    def intercept(value: str) -> None:
        with table.open(newline="") as file:
            cells = list(csv.reader(file))
        for line in cells[1:]:
            line[cells[0].index("RescaleIntercept")] = value
        with table.open("w", newline="") as file:
            csv.writer(file).writerows(cells)

    def prepared() -> Summary:
        reader = CtRate(tree_copy, version=1, splits=("train",))
        rows = [replace(found, lesions={}, regions="") for found in reader.rows()]
        return prepare(reader, tmp_path / "s", CONFIG, rows=rows)

    intercept("-8192")
    assert prepared().written == 1
    assert prepared().current == 1
    intercept("-8152")
    before = StoreReader(tmp_path / "s").read(NAME).hu
    assert prepared().written == 1
    after = StoreReader(tmp_path / "s").read(NAME).hu
    assert np.median((after - before)[(before > -900) & (before < 900)]) == 40


def test_masks_of_a_folder_that_change_places_are_another_source(tmp_path: Path, phantom_tree: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    for name, content in (("left", b"a"), ("right", b"b")):
        (folder / f"{name}.nii.gz").write_bytes(content)
        os.utime(folder / f"{name}.nii.gz", (1, 1))
    (tmp_path / "v.nii.gz").write_bytes(b"v")
    source = row(phantom_tree, volume="v.nii.gz", regions="maps", lesions={})
    before = stamps(tmp_path, source)
    assert unchanged(tmp_path, source, before)
    for old, new in (("left", "x"), ("right", "left"), ("x", "right")):
        (folder / f"{old}.nii.gz").rename(folder / f"{new}.nii.gz")
    assert not unchanged(tmp_path, source, before)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy / "maps")
    shutil.copy(tmp_path / "v.nii.gz", copy)
    assert unchanged(copy, source, stamps(tmp_path, source)), "a copy with other times is the same source"


@pytest.mark.parametrize(
    ("header", "text"), [("v.mhd", "NDims = 3\nElementDataFile = v.raw\n"), ("v.nhdr", "NRRD0004\ndata file: v.raw\n")]
)
def test_the_voxels_beside_a_header_are_a_source_too(
    tmp_path: Path, phantom_tree: Path, header: str, text: str
) -> None:
    (tmp_path / header).write_text(text)
    (tmp_path / "v.raw").write_bytes(b"1234")
    source = row(phantom_tree, volume=header, regions="", lesions={})
    before = stamps(tmp_path, source)
    (tmp_path / "v.raw").write_bytes(b"4321")
    os.utime(tmp_path / "v.raw", (9, 9))
    assert not unchanged(tmp_path, source, before)


def test_a_sharp_in_the_name_of_a_folder_or_scan_leads_to_its_masks(phantom_tree: Path, tmp_path: Path) -> None:
    images, masks = tmp_path / "study #3" / "images", tmp_path / "study #3" / "masks"
    images.mkdir(parents=True)
    masks.mkdir()
    shutil.copy(phantom_tree / volume_path(NAME), images / "ann#1.nii.gz")
    shutil.copy(next(phantom_tree.rglob(f"{NAME}_lung_nodule.nii.gz")), masks / "ann#1_lung_nodule.nii.gz")
    shutil.copy(next((phantom_tree / "dataset/regions").rglob(f"{NAME}.nii.gz")), tmp_path / "ann#1.nii.gz")
    (tmp_path / "maps #2").mkdir()
    (tmp_path / "ann#1.nii.gz").rename(tmp_path / "maps #2" / "ann#1.nii.gz")
    reader = FolderCt(images, masks=masks, regions=tmp_path / "maps #2")
    assert prepare(reader, tmp_path / "s", CONFIG).quarantined == {}
    record = json.loads((tmp_path / "s" / "cases" / "ann#1" / "case.json").read_text())
    assert [stamp["bytes"] > 0 for stamp in record["sources"].values()] == [True] * 3


def test_relative_paths_are_refused_where_processes_stand_elsewhere(phantom_tree: Path) -> None:
    pytest.importorskip("ray")
    job = Job(reader=CtRate(phantom_tree), row=row(phantom_tree), out=Path("s"), config=CONFIG)
    with pytest.raises(DataError, match="s: Ray's processes stand in other folders: give absolute paths"):
        next(run_on_ray([job], prepare_one))
