"""Items, batches and shards of a store: true to it, with everything that is missing said, through kills and damage."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rect_core.errors import DataError
from rect_core.findings import LABELS, LOCALIZED
from rect_core.frame import GridConfig
from rect_core.manifest import write_manifest
from rect_core.types import ManifestRow, Reasoning
from rect_data.dataset import Batch, CaseSampler, Draw, Loader, StoreDataset, collate, joined
from rect_data.dataset.webdataset import export_shards, import_shards, read_shards
from rect_data.store import StoreConfig, StoredCase, StoreReader
from rect_data.store.arrays import packed
from rect_data.store.layout import case_folder
from rect_data.store.rows import row_to_json

GRID = GridConfig(shape=(4, 6, 8), spacing_mm=(6.0, 3.0, 3.0))
COUNT = 11
NAN = float("nan")


def row_of(number: int) -> ManifestRow:
    """Case 0 has everything, 1 nothing, 2 a mask with some of the nodules only; the others differ in their labels."""
    name = f"case.{number:02d}"
    masks = {0: dict.fromkeys(LOCALIZED, "x"), 1: {}, 2: {"partial:lung_nodule": "x", "consolidation": "x"}}
    labels = (NAN,) * 18 if number == 1 else (float(number % 2), NAN, *[0.0] * 16)
    return ManifestRow(
        case_id=name,
        volume=f"cases/{name}/hu.b2nd",
        patient=name,
        scan=name,
        split="valid" if number == COUNT - 1 else "train",
        spacing_mm=(1.0, 1.0, 1.0),
        lesions=dict.fromkeys(masks.get(number, {}), f"cases/{name}/lesions.b2nd"),
        labels=labels,
        report="" if number == 1 else f"Report {number}.",
        reasoning=Reasoning(steps=(), conclusion="Yes.") if number == 0 else None,
    )


def write_case(root: Path, row: ManifestRow, number: int) -> None:
    noise = np.random.default_rng(number)
    hu = np.full(GRID.shape, -1024, np.int16)
    hu[1:, :, 1:7] = noise.integers(-1000, 1001, (3, 6, 6))
    files = {"hu.b2nd": packed(hu), "regions_classical.b2nd": packed(np.full(GRID.shape, 1, np.uint8))}
    if number != 1:
        files["regions_true.b2nd"] = packed(np.full(GRID.shape, 2, np.uint8))
    if row.lesions:
        files["lesions.b2nd"] = packed(noise.integers(0, 3, (5, *GRID.shape)).astype(np.uint8))
    folder = case_folder(root, row.case_id)
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    record = {
        "version": 1,
        "case_id": row.case_id,
        "valid": [[1, 4], [0, 6], [1, 7]],
        "masks": sorted(row.lesions),
        "row": row_to_json(row),
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
    }
    (folder / "case.json").write_text(json.dumps(record))


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of eleven tiny cases; nothing may change it."""
    root = tmp_path_factory.mktemp("store") / "made"
    rows = [row_of(number) for number in range(COUNT)]
    for number, row in enumerate(rows):
        write_case(root, row, number)
    (root / "store.json").write_text(StoreConfig(grid=GRID).to_json())
    write_manifest(root / "manifest.parquet", rows)
    return root


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "store"))


def ids(batches: Sequence[Batch]) -> list[tuple[str, ...]]:
    return [batch.case_ids for batch in batches]


def test_an_item_is_what_the_store_holds_with_hu_as_minus_one_to_one(made: Path) -> None:
    item, case = StoreDataset(made)[0], StoreReader(made).read("case.00")
    assert torch.allclose(item.voxels[0], torch.from_numpy(case.hu).float().clamp(-1000, 1000) / 1000)
    assert (item.voxels[0, 0] == -1).all(), "padding"
    assert item.valid == ((1, 4), (0, 6), (1, 7))
    assert case.lesions is not None
    assert item.lesions.equal(torch.from_numpy(case.lesions))
    assert item.labels[:3].isnan().tolist() == [False, True, False]
    assert item.report == "Report 0."
    assert item.reasoning == Reasoning(steps=(), conclusion="Yes.")
    assert item.spacing_mm == GRID.spacing_mm


def test_unknown_masks_are_flagged_and_partial_ones_are_not_called_known(made: Path) -> None:
    data = StoreDataset(made)
    everything, nothing, some = data[0], data[1], data[2]
    assert everything.known.all()
    assert not nothing.known.any()
    assert not nothing.partial.any()
    assert not nothing.lesions.any()
    assert [f for f, known in zip(LOCALIZED, some.known, strict=True) if known] == ["consolidation"]
    assert [f for f, part in zip(LOCALIZED, some.partial, strict=True) if part] == ["lung_nodule"]
    assert nothing.labels.isnan().all()
    batch = collate([everything, nothing, some])
    assert batch.labels_known.any(dim=1).tolist() == [True, False, True]
    assert batch.has_report.tolist() == [True, False, True]


def test_training_sees_true_regions_half_the_time_and_evaluation_never(made: Path) -> None:
    training, evaluation = StoreDataset(made, training=True, seed=3), StoreDataset(made)
    drawn = [training[Draw(0, epoch)] for epoch in range(200)]
    assert 70 <= sum(item.regions_true for item in drawn) <= 130
    assert all(bool((item.regions == (2 if item.regions_true else 1)).all()) for item in drawn)
    assert not any(training[Draw(1, epoch)].regions_true for epoch in range(20)), "that case has only classical ones"
    assert not any(evaluation[Draw(0, epoch)].regions_true for epoch in range(20))


def test_the_mix_depends_on_seed_epoch_and_row_alone(made: Path) -> None:
    draws = [Draw(row, epoch) for epoch in range(8) for row in (0, 3, 4)]
    one, two = ([StoreDataset(made, training=True, seed=s)[d].regions_true for d in draws] for s in (5, 5))
    other = [StoreDataset(made, training=True, seed=6)[d].regions_true for d in draws]
    assert one == two != other


def test_an_export_is_refused_in_one_line(store: Path, tmp_path: Path) -> None:
    export = tmp_path / "export"
    (export / "npz").mkdir(parents=True)
    np.savez(export / "npz" / "case.npz", imgs=np.zeros((2, 2, 2), np.uint8))
    for root in (export, export / "npz", export / "npz" / "case.npz"):
        with pytest.raises(DataError, match=r"windowed uint8 is not HU.*prepare_ct_rate") as error:
            StoreDataset(root)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match=r"no store\.json"):
        StoreDataset(store / "cases")


def test_a_store_without_cases_is_refused(store: Path) -> None:
    write_manifest(store / "manifest.parquet", [replace(row_of(0), exclusion="head CT")])
    with pytest.raises(DataError, match=r"no case in it \(1 are excluded\)"):
        StoreDataset(store)
    with pytest.raises(DataError, match="none of 11 cases in split 'test'"):
        CaseSampler([row_of(number) for number in range(COUNT)], split="test")


def test_a_case_that_is_not_finished_is_an_error_and_never_an_item(store: Path) -> None:
    data = StoreDataset(store)
    (store / "cases" / "case.03" / "case.json").unlink()
    with pytest.raises(DataError, match=r"case\.03"):
        data[3]
    (store / "cases" / "case.04" / "hu.b2nd").unlink()
    with pytest.raises(DataError, match=r"case\.04"):
        data[4]
    for keep in (0, 10, 100, 300):
        whole = (store / "cases" / "case.05" / "hu.b2nd").read_bytes()
        (store / "cases" / "case.05" / "hu.b2nd").write_bytes(whole[:keep])
        with pytest.raises(DataError, match=r"case\.05"):
            data[5]
        (store / "cases" / "case.05" / "hu.b2nd").write_bytes(whole)
    assert data[5].case_id == "case.05"


def test_a_case_that_is_replaced_while_it_is_read_is_read_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, reads = StoreDataset(store), []
    honest = data.reader.read

    def read(case_id: str) -> StoredCase:
        case = honest(case_id)
        if not reads:
            place = store / "cases" / case_id
            shutil.rmtree(place)
            write_case(store, row_of(7), 70)
        reads.append(case_id)
        return case

    monkeypatch.setattr(data.reader, "read", read)
    item = data[7]
    assert len(reads) == 2
    assert torch.equal(item.voxels, StoreDataset(store)[7].voxels)


def test_a_plain_for_loop_over_the_dataset_ends(made: Path) -> None:
    data = StoreDataset(made)
    assert [data[i].case_id for i in range(len(data))] == [row.case_id for row in data.rows]
    with pytest.raises(IndexError):
        data[COUNT]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_and_their_state_do_not_depend_on_workers(made: Path, workers: int) -> None:
    def loader(count: int) -> Loader:
        data = StoreDataset(made, training=True, seed=1)
        return Loader(data, CaseSampler(data.rows, seed=1), batch_size=2, workers=count)

    plain = list(loader(0))
    mine = loader(workers)
    seen: list[Batch] = []
    for batch in mine:
        seen.append(batch)
        assert mine.state_dict()["position"] == (0 if len(seen) == 6 else 2 * len(seen)), "consumed, not fetched ahead"
    assert ids(seen) == ids(plain)
    assert all(
        torch.equal(a.voxels, b.voxels) and torch.equal(a.regions, b.regions) for a, b in zip(seen, plain, strict=True)
    )
    assert mine.state_dict()["epoch"] == 1
    again = loader(workers)
    again.load_state_dict(mine.state_dict())
    assert ids(list(again)) == ids(list(mine)) != ids(plain)


@pytest.mark.parametrize("workers", [0, 1])
def test_leaving_an_epoch_in_the_middle_goes_on_there(made: Path, workers: int) -> None:
    data = StoreDataset(made)
    loader = Loader(data, CaseSampler(data.rows, seed=2), batch_size=2)
    whole = ids(list(loader))
    fresh = Loader(data, CaseSampler(data.rows, seed=2), batch_size=2, workers=workers)
    began = []
    for batch in fresh:
        began.append(batch.case_ids)
        if len(began) == 3:
            break
    assert began + ids(list(fresh)) == whole


def test_what_pads_the_ranks_of_an_epoch_comes_blank(made: Path) -> None:
    data = StoreDataset(made)
    count = len(data) if len(data) % 2 else len(data) - 1
    rows = [replace(row, split="train" if at < count else "") for at, row in enumerate(data.rows)]
    shares = [list(Loader(data, CaseSampler(rows, split="train", rank=rank, world=2))) for rank in range(2)]
    *others, last = shares[1]
    assert [len(share) for share in shares] == [(count + 1) // 2] * 2
    assert not last.labels_known.any()
    assert bool(last.labels.isnan().all())
    assert not any(flags.any() for flags in (last.lesions_known, last.lesions, last.has_report, last.valid))
    assert last.reports == ("",)
    assert all(bool(batch.valid.any()) for batch in [*shares[0], *others])


def test_batches_joined_are_the_batch_of_all_their_cases(made: Path) -> None:
    data = StoreDataset(made)
    whole, parts = collate([data[0], data[1], data[2]]), joined([collate([data[0], data[1]]), collate([data[2]])])
    for field in fields(Batch):
        one, two = getattr(whole, field.name), getattr(parts, field.name)
        assert torch.equal(one.nan_to_num(-1), two.nan_to_num(-1)) if isinstance(one, torch.Tensor) else one == two


def test_a_sampler_of_other_rows_than_the_datasets_is_refused_since_its_draws_would_be_other_cases(made: Path) -> None:
    data = StoreDataset(made)
    for rows in (data.rows[1:], [row_of(99), *data.rows[1:]], data.rows[::-1]):
        with pytest.raises(ValueError, match=rf"draws from {len(rows)} rows that are not the {COUNT} of the dataset"):
            Loader(data, CaseSampler(rows))
    fold = [replace(row, split="fold") if i < 3 else row for i, row in enumerate(data.rows)]
    assert sorted(ids(list(Loader(data, CaseSampler(fold, split="fold"))))) == [
        ("case.00",),
        ("case.01",),
        ("case.02",),
    ]


def test_a_damaged_case_stops_a_worker_with_its_name(store: Path) -> None:
    (store / "cases" / "case.06" / "case.json").unlink()
    data = StoreDataset(store)
    with pytest.raises(DataError, match=r"case\.06"):
        list(Loader(data, CaseSampler(data.rows), batch_size=2, workers=1))


RUN = """
import json, os, sys, time
from pathlib import Path
from rect_data.dataset import CaseSampler, Loader, StoreDataset

def main(store, out, pause):
    state = json.loads(out.read_text()) if out.exists() else {"seen": []}
    data = StoreDataset(store, training=True, seed=9)
    loader = Loader(data, CaseSampler(data.rows, seed=9), batch_size=2, workers=2)
    if "loader" in state:
        loader.load_state_dict(state["loader"])
    while loader.sampler.epoch < 3:
        for batch in loader:
            state["seen"].append([*batch.case_ids, batch.regions_true.tolist(), float(batch.voxels.sum())])
            state["loader"] = loader.state_dict()
            out.with_suffix(".tmp").write_text(json.dumps(state))
            os.replace(out.with_suffix(".tmp"), out)
            time.sleep(pause)

main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
"""


def start(store: Path, out: Path, pause: float) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", RUN, str(store), str(out), str(pause)], start_new_session=True)


def seen(out: Path) -> list[Any]:
    return list(json.loads(out.read_text())["seen"]) if out.exists() else []


def uninterrupted(store: Path) -> list[Any]:
    """What the script sees in three epochs, in this process and without workers."""
    data = StoreDataset(store, training=True, seed=9)
    loader = Loader(data, CaseSampler(data.rows, seed=9), batch_size=2)
    batches = [batch for _ in range(3) for batch in loader]
    return [[*batch.case_ids, batch.regions_true.tolist(), float(batch.voxels.sum())] for batch in batches]


def test_a_run_that_is_killed_in_the_middle_of_an_epoch_goes_on_in_the_same_order(made: Path, tmp_path: Path) -> None:
    """SIGKILL, workers and all, in the second of three epochs."""
    out = tmp_path / "seen.json"
    run = start(made, out, 0.2)
    deadline = time.monotonic() + 90
    while len(seen(out)) < 9 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert 9 <= len(seen(out)) < 18, "it was killed between its first and its last batch"
    assert start(made, out, 0.0).wait(90) == 0
    assert seen(out) == uninterrupted(made)
    assert len(seen(out)) == 18


def equal(a: StoredCase, b: StoredCase) -> bool:
    arrays = [(a.hu, b.hu), (a.regions_classical, b.regions_classical), (a.regions_true, b.regions_true)]
    arrays.append((a.lesions, b.lesions))
    same = all(x is y is None or (x is not None and y is not None and np.array_equal(x, y)) for x, y in arrays)
    return same and (a.case_id, a.known, a.partial, a.valid) == (b.case_id, b.known, b.partial, b.valid)


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_shards_stream_back_equal_to_the_store(made: Path, tmp_path: Path) -> None:
    shards = export_shards(made, tmp_path / "out", cases_per_shard=4)
    assert [shard.name for shard in shards] == [f"shard-{i:06d}.tar" for i in range(3)]
    reader = StoreReader(made)
    back = list(read_shards(tmp_path / "out"))
    assert [row.case_id for row, _ in back] == [row.case_id for row in reader.rows]
    assert all(repr(row) == repr(want) for (row, _), want in zip(back, reader.rows, strict=True)), "NaN labels too"
    assert all(equal(case, reader.read(row.case_id)) for row, case in back)


def test_the_same_store_gives_the_same_shards_whatever_the_files_times_are(store: Path, tmp_path: Path) -> None:
    export_shards(store, tmp_path / "one", cases_per_shard=4)
    for path in store.rglob("*"):
        os.utime(path, (1, 1))
    (store / "cases" / "case.00" / "hu.b2nd").chmod(0o600)
    export_shards(store, tmp_path / "two", cases_per_shard=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_an_import_makes_the_same_store_again(made: Path, tmp_path: Path) -> None:
    export_shards(made, tmp_path / "out", cases_per_shard=5)
    import_shards(tmp_path / "out", tmp_path / "back")
    back, was = contents(tmp_path / "back"), contents(made)
    assert {name: back[name] for name in was if name != "manifest.parquet"} == {
        name: was[name] for name in was if name != "manifest.parquet"
    }
    assert [repr(row) for row in StoreReader(tmp_path / "back").rows] == [repr(row) for row in StoreReader(made).rows]
    (tmp_path / "back" / "cases" / ".case%2E00.0a1b.tmp").mkdir()  # as a kill in the middle of a case leaves it
    (tmp_path / "back" / "cases" / ".case%2E00.0a1b.tmp" / "hu.b2nd").write_bytes(b"half")
    import_shards(tmp_path / "out", tmp_path / "back")
    assert contents(tmp_path / "back").keys() == was.keys()


def test_keys_end_at_the_first_dot_as_webdataset_reads_them(made: Path, tmp_path: Path) -> None:
    import tarfile

    (shard,) = export_shards(made, tmp_path / "out")
    with tarfile.open(shard) as tar:
        names = tar.getnames()
        assert {(info.mtime, info.uid, info.uname, info.mode) for info in tar} == {(0, 0, "", 0o644)}
    keys = [name.split(".", 1) for name in names]
    assert sorted({key for key, _ in keys}) == [f"case%2E{i:02d}" for i in range(COUNT)]
    assert [end for key, end in keys if key == "case%2E01"] == [
        "row.json",
        "hu.b2nd",
        "regions_classical.b2nd",
        "case.json",
    ]


def test_one_split_can_be_exported_and_an_empty_one_is_refused(made: Path, tmp_path: Path) -> None:
    export_shards(made, tmp_path / "valid", split="valid")
    assert [row.case_id for row, _ in read_shards(tmp_path / "valid")] == ["case.10"]
    with pytest.raises(DataError, match="0 cases in split 'test'"):
        export_shards(made, tmp_path / "test", split="test")
    for _ in range(2):
        with pytest.raises(DataError, match="holds an export already, or a part of one"):
            export_shards(made, tmp_path / "valid")
        (tmp_path / "valid" / "index.json").unlink(missing_ok=True)  # as a kill before the end leaves it


def test_damaged_shards_are_told_and_hand_out_nothing_wrong(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (shard,) = export_shards(made, out)
    whole = shard.read_bytes()
    at = whole.index((made / "cases" / "case.00" / "hu.b2nd").read_bytes()) + 200
    words = whole.replace(b"Report 3.", b"Report 8.").replace(b'"labels": [1.0, null', b'"labels": [0.0, null')
    assert words != whole
    for damaged in (
        whole[: len(whole) // 2],
        whole[: 512 * 40],
        whole[:700],
        b"",
        whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :],
        words,
        whole.replace(b'"masks": [', b'"masks": {'),
    ):
        shard.write_bytes(damaged)
        good: list[tuple[ManifestRow, StoredCase]] = []
        with pytest.raises(DataError, match=r"^shard-000000\.tar: "):
            good.extend(read_shards(out))
        assert len(good) < COUNT
        assert all(equal(case, StoreReader(made).read(row.case_id)) for row, case in good)
    shard.unlink()
    with pytest.raises(DataError, match="copy all shards"):
        next(read_shards(out))
    with pytest.raises(DataError, match=r"no index\.json"):
        next(read_shards(made))


def test_a_damaged_store_is_not_exported(store: Path, tmp_path: Path) -> None:
    path = store / "cases" / "case.02" / "hu.b2nd"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"case 'case\.02': hu\.b2nd differs"):
        export_shards(store, tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.tar")), "no half-written shard"


def test_an_item_of_a_phantom_store_is_what_preprocess_shows_a_model(phantom_tree: Path, tmp_path: Path) -> None:
    from rect_core.anatomy import regions
    from rect_core.preprocess import Preprocess
    from rect_data.readers import CtRate
    from rect_data.store.prepare import prepare

    reader, grid = CtRate(phantom_tree), GridConfig(shape=(24, 48, 48), spacing_mm=(13.0, 8.0, 8.0))
    row = reader.rows()[0]
    prepare(reader, tmp_path / "store", StoreConfig(grid=grid), rows=[row])
    item = StoreDataset(tmp_path / "store")[0]
    volume = reader.load(row)
    want = Preprocess(grid)(volume, regions(volume))
    assert float((item.voxels - want.voxels).abs().max()) <= 0.5e-3 + 1e-6, "to half a HU"
    assert item.regions.equal(want.regions)
    assert item.valid == want.valid
    assert item.labels.tolist() == list(row.labels)
    assert len(LABELS) == len(item.labels)
