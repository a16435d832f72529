import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.errors import DataError
from rect_core.frame import GridConfig
from rect_core.manifest import read_manifest
from rect_data.phantom import PhantomConfig
from rect_data.readers import CtRate
from rect_data.store import StoreConfig, StoreReader
from rect_data.store.prepare import Summary, manifest_only, prepare
from rect_data.tree import make_tree

CONFIG = StoreConfig(grid=GridConfig(shape=(32, 64, 64), spacing_mm=(8.0, 5.0, 5.0)))
GRID = ["--size", "32", "64", "64", "--spacing", "8", "5", "5"]
TOOL = Path(__file__).resolve().parents[3] / "tools" / "prepare_ct_rate.py"

DEADLY = """
import os, sys
from dataclasses import dataclass
from pathlib import Path
from rect_core.frame import GridConfig
from rect_data.readers import CtRate
from rect_data.store import StoreConfig
from rect_data.store.prepare import prepare

@dataclass(frozen=True)
class Deadly(CtRate):
    def load(self, row):
        if row.case_id == "train_2_a_1":
            os._exit(9)  # as the kernel does when memory runs out
        return CtRate(self.root).load(row)

if __name__ == "__main__":
    config = StoreConfig(grid=GridConfig(shape=(32, 64, 64), spacing_mm=(8.0, 5.0, 5.0)))
    reader = Deadly(Path(sys.argv[1]))
    summary = prepare(reader, Path(sys.argv[2]), config, rows=reader.rows()[:2], workers=2)
    print(summary.written, *summary.quarantined)
"""


def run(root: Path, out: Path, **options: object) -> Summary:
    return prepare(CtRate(root), out, CONFIG, **options)  # type: ignore[arg-type]


def tool(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def sums(out: Path) -> dict[str, str]:
    """SHA-256 of every file of a store."""
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    return {path.relative_to(out).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def scan(root: Path, case_id: str) -> Path:
    return next((root / "dataset" / "train_fixed").rglob(f"{case_id}.nii.gz"))


@pytest.fixture(scope="module")
def store(phantom_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted run writes; beside the others, since a manifest names excluded scans relative to itself."""
    out = tmp_path_factory.mktemp("prepared") / "store"
    summary = run(phantom_tree, out)
    assert (summary.written, summary.current, summary.quarantined) == (4, 0, {})
    assert 0.05 < summary.peak_gb < 20
    return out


def killed(root: Path, out: Path, after: int, workers: int) -> None:
    """A run that is killed, with its workers, once so many cases are done."""
    command = [sys.executable, str(TOOL), "--root", str(root), "--output-dir", str(out), *GRID]
    command += ["--workers", str(workers)]
    running = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while len(list(out.glob("cases/[!.]*/case.json"))) < after:
            assert running.poll() is None, "it ended before it was killed"
            time.sleep(0.005)
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def test_a_killed_run_resumes_to_the_same_files(phantom_tree: Path, store: Path) -> None:
    out = store.parent / "killed"
    killed(phantom_tree, out, after=1, workers=1)
    assert not (out / "manifest.parquet").exists()
    with pytest.raises(DataError, match="to its end"):
        StoreReader(out)
    done = len(list(out.glob("cases/[!.]*/case.json")))
    summary = run(phantom_tree, out)
    assert summary.current >= done >= 1
    assert summary.current + summary.written == 4
    assert sums(out) == sums(store)


def test_shards_in_any_order_write_the_store_of_one_run(phantom_tree: Path, store: Path) -> None:
    out = store.parent / "shards"
    parts = [run(phantom_tree, out, shard=(i, 3)) for i in (2, 0, 1)]
    assert sum(part.written for part in parts) == 4
    assert sum(part.current for part in parts) == 0
    assert sums(out) == sums(store)


def test_a_second_run_reads_no_scan(tree_copy: Path, tmp_path: Path) -> None:
    run(tree_copy, tmp_path / "s")
    before = sums(tmp_path / "s")
    for path in tree_copy.rglob("*.nii.gz"):
        os.utime(path, (1, 1))  # another time, the same content
    assert run(tree_copy, tmp_path / "s").current == 4
    assert sums(tmp_path / "s") == before


def test_changed_sources_are_prepared_again_and_changed_labels_without_reading(tree_copy: Path, tmp_path: Path) -> None:
    out, reader = tmp_path / "s", CtRate(tree_copy)
    run(tree_copy, out)
    path = scan(tree_copy, "train_1_a_1")
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content, 6))  # the same voxels in another file: its bytes are what counts
    assert run(tree_copy, out).written == 1
    rows = [replace(row, report="Findings:\nNew.") for row in reader.rows()]
    (out / "cases" / "train_2_a_1" / "hu.b2nd").unlink()
    summary = run(tree_copy, out, rows=rows)
    assert (summary.written, summary.current) == (1, 3)
    assert {row.report for row in StoreReader(out).rows} == {"Findings:\nNew."}


def test_what_is_prepared_outlives_its_sources(tree_copy: Path, tmp_path: Path) -> None:
    out, rows = tmp_path / "s", CtRate(tree_copy).rows()
    run(tree_copy, out, rows=rows)
    scan(tree_copy, "train_1_a_1").unlink()
    assert run(tree_copy, out).current == 3  # the reader lists what is there
    assert run(tree_copy, out, rows=rows).current == 4
    assert len(StoreReader(out).rows) == 4


def test_a_bad_scan_is_set_aside_with_its_reason_and_comes_back_when_it_is_mended(
    tree_copy: Path, tmp_path: Path
) -> None:
    out, path = tmp_path / "s", scan(tree_copy, "train_1_a_1")
    good = path.read_bytes()
    image = nib.Nifti1Image.from_bytes(gzip.decompress(good))
    holes = np.asanyarray(image.dataobj).astype(np.float32)
    holes[3, 4, 5] = np.nan
    nib.save(nib.Nifti1Image(holes, image.affine), path)
    truncated = scan(tree_copy, "train_2_a_1")
    truncated.write_bytes(truncated.read_bytes()[: truncated.stat().st_size // 2])
    done = tool("--root", tree_copy, "--output-dir", out, *GRID)
    assert done.returncode == 1, done.stderr
    assert "2 prepared" in done.stdout
    assert "2 quarantined" in done.stdout
    assert "1 voxels are NaN" in done.stdout
    stored = StoreReader(out)
    assert len(stored.rows) == 2
    assert sorted(row.case_id for row in stored.excluded) == ["train_1_a_1", "train_2_a_1"]
    assert all(row.exclusion.startswith("quarantined: ") for row in stored.excluded)
    path.write_bytes(good)
    summary = run(tree_copy, out)
    assert (summary.written, summary.current, list(summary.quarantined)) == (1, 2, ["train_2_a_1"])
    assert len(StoreReader(out).rows) == 3


def test_a_scan_that_turned_bad_leaves_no_stale_case(tree_copy: Path, tmp_path: Path) -> None:
    run(tree_copy, tmp_path / "s")
    scan(tree_copy, "train_1_a_1").write_bytes(b"not a scan")
    rows = [replace(row, exclusion="") for row in CtRate(tree_copy).rows()]
    assert list(run(tree_copy, tmp_path / "s", rows=rows).quarantined) == ["train_1_a_1"]
    assert not (tmp_path / "s" / "cases" / "train_1_a_1").exists()


def test_an_excluded_row_is_listed_with_its_reason_even_if_it_was_prepared_before(
    phantom_tree: Path, tmp_path: Path
) -> None:
    out, rows = tmp_path / "s", CtRate(phantom_tree).rows()
    run(phantom_tree, out, rows=rows)
    head = [replace(rows[0], exclusion="no chest: a head CT"), *rows[1:]]
    summary = run(phantom_tree, out, rows=head)
    assert summary.excluded == {rows[0].case_id: "no chest: a head CT"}
    assert [row.exclusion for row in StoreReader(out).excluded] == ["no chest: a head CT"]
    assert len(StoreReader(out).rows) == 3


def test_a_full_disk_stops_the_run_instead_of_emptying_the_data_set(phantom_tree: Path, tmp_path: Path) -> None:
    run(phantom_tree, tmp_path / "s", rows=CtRate(phantom_tree).rows()[:1])
    (tmp_path / "s" / "cases" / "train_1_a_1" / "case.json").unlink()
    shutil.rmtree(tmp_path / "s" / "cases")
    (tmp_path / "s" / "cases").write_text("in the way")
    with pytest.raises(OSError, match="cases"):
        run(phantom_tree, tmp_path / "s")
    assert not (tmp_path / "s" / "quarantine").exists()


def test_leftovers_of_a_killed_run_are_never_seen_and_are_swept_up(phantom_tree: Path, tmp_path: Path) -> None:
    half = tmp_path / "s" / "cases" / ".train_1_a_1.00000000.tmp"
    run(phantom_tree, tmp_path / "s", rows=CtRate(phantom_tree).rows()[1:])
    half.mkdir()
    (half / "case.json").write_text("{")
    assert len(run(phantom_tree, tmp_path / "s", rows=CtRate(phantom_tree).rows()[1:]).quarantined) == 0
    assert len(StoreReader(tmp_path / "s").rows) == 3
    run(phantom_tree, tmp_path / "s")
    assert not half.exists()


def test_a_job_that_kills_its_process_is_set_aside_and_the_others_go_on(
    phantom_tree: Path, store: Path, tmp_path: Path
) -> None:
    script, out = tmp_path / "deadly.py", store.parent / "deadly"
    script.write_text(DEADLY)
    done = subprocess.run(
        [sys.executable, str(script), str(phantom_tree), str(out)], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1", "train_2_a_1"], done.stderr
    assert "died" in json.loads((out / "quarantine" / "train_2_a_1.json").read_text())["reason"]


@pytest.mark.parametrize(
    ("rows", "shard", "message"),
    [
        (lambda rows: [], (0, 1), "no scan to prepare"),
        (lambda rows: [*rows, rows[0]], (0, 1), "occurs twice"),
        (lambda rows: [replace(rows[0], case_id="../up")], (0, 1), "cannot name an output folder"),
        (
            lambda rows: [rows[0], replace(rows[1], patient=rows[0].patient, split="valid")],
            (0, 1),
            "patient 'train_1' is in split train",
        ),
        (lambda rows: rows, (3, 3), "shard 3/3"),
    ],
)
def test_rows_that_contradict_each_other_stop_before_anything_is_read(
    phantom_tree: Path, tmp_path: Path, rows: object, shard: tuple[int, int], message: str
) -> None:
    assert callable(rows)
    with pytest.raises(DataError, match=message):
        run(phantom_tree, tmp_path / "s", rows=rows(CtRate(phantom_tree).rows()), shard=shard)
    assert not (tmp_path / "s").exists()


def test_the_table_alone_points_at_the_scans_where_they_are(phantom_tree: Path, store: Path, tmp_path: Path) -> None:
    manifest_only(CtRate(phantom_tree), tmp_path / "m")
    rows = read_manifest(tmp_path / "m" / "manifest.parquet")
    assert [(tmp_path / "m" / row.volume).is_file() for row in rows] == [True] * 4
    with pytest.raises(DataError, match="is a store"):
        manifest_only(CtRate(phantom_tree), store)


def test_the_export_for_medsam2_is_written_once_and_refused_as_a_store(phantom_tree: Path, tmp_path: Path) -> None:
    rows = CtRate(phantom_tree).rows()[:1]
    assert run(phantom_tree, tmp_path / "n", rows=rows, npz=True).written == 1
    with np.load(tmp_path / "n" / "train" / "train_1_a_1.npz", allow_pickle=False) as held:
        assert held["gts"].max() <= 20
        assert held["gts_origin"] == "given"
    before = sums(tmp_path / "n")
    assert run(phantom_tree, tmp_path / "n", rows=rows, npz=True).current == 1
    assert sums(tmp_path / "n") == before
    with pytest.raises(DataError, match="not HU"):
        StoreReader(tmp_path / "n")
    with pytest.raises(DataError, match="other settings"):
        run(phantom_tree, tmp_path / "n", rows=rows)


def test_the_seeds_own_command_works_on_a_folder_of_scans(phantom_tree: Path, tmp_path: Path) -> None:
    volumes, masks = tmp_path / "volume", tmp_path / "masks"
    volumes.mkdir()
    masks.mkdir()
    shutil.copy(scan(phantom_tree, "train_1_a_1"), volumes / "ann.nii.gz")
    shutil.copy(next(phantom_tree.rglob("train_1_a_1_lung_nodule.nii.gz")), masks / "ann_lung_nodule.nii.gz")
    given = ["--volume-dir", volumes, "--mask-dir", masks, "--output-dir", tmp_path / "out", "--split", "all"]
    done = tool(*given, *GRID)
    assert done.returncode == 0, done.stderr
    stored = StoreReader(tmp_path / "out")
    case = stored.read("ann")
    assert case.known["lung_nodule"]
    assert not case.known["consolidation"]
    assert np.isnan(stored.rows[0].labels).all()


def test_bad_usage_is_one_line_and_exit_code_2(phantom_tree: Path, tmp_path: Path) -> None:
    done = tool("--root", phantom_tree, "--output-dir", tmp_path / "o", "--mask-dir", tmp_path)
    assert done.returncode == 2
    assert done.stderr == "error: --mask-dir goes with --volume-dir: CT-RATE's tables lie in --root\n"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("many") / "tree"
    config = PhantomConfig(size=(32, 64, 64), spacing_mm=(9.0, 6.0, 6.0))
    make_tree(root, train=50, valid=10, config=config, workers=os.cpu_count() or 1)
    yield root
    shutil.rmtree(root)


@pytest.mark.slow
def test_sixty_phantoms_killed_twice_and_in_shards_give_the_checksums_of_one_run(many: Path) -> None:
    whole, stopped, shards = (many.parent / name for name in ("whole", "stopped", "shards"))
    assert run(many, whole, workers=2).written == 60
    killed(many, stopped, after=10, workers=2)
    killed(many, stopped, after=35, workers=2)
    summary = run(many, stopped, workers=2)
    assert summary.current >= 35
    assert summary.current + summary.written == 60
    assert sums(stopped) == sums(whole)
    parts = [tool("--root", many, "--output-dir", shards, *GRID, "--shard", f"{i}/3") for i in range(3)]
    assert [part.returncode for part in parts] == [0, 0, 0]
    assert sums(shards) == sums(whole)
