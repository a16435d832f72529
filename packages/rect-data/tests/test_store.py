import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rect_core.anatomy import RegionMap, regions
from rect_core.errors import DataError
from rect_core.findings import LOCALIZED
from rect_core.frame import Frame, GridConfig
from rect_core.manifest import PARTIAL
from rect_core.preprocess import Preprocess
from rect_data.readers import CtRate, read_lesions
from rect_data.store import StoreConfig, StoreReader
from rect_data.store.arrays import packed, read_box
from rect_data.store.grid import instances_on_grid
from rect_data.store.layout import claim, read_config, with_origin
from rect_data.store.npz import NPZ_SETTINGS, npz_bytes, windowed
from rect_data.store.one import Job, make_case
from rect_data.store.prepare import prepare
from rect_data.store.rows import row_from_json, row_to_json

CONFIG = StoreConfig(grid=GridConfig(shape=(40, 96, 96), spacing_mm=(6.5, 4.0, 4.0)))
CASE = "train_1_a_1"


@pytest.fixture(scope="module")
def store(phantom_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stores") / "store"
    prepare(CtRate(phantom_tree), out, CONFIG)
    return out


def test_training_sees_what_inference_sees_to_half_a_hu(phantom_tree: Path, store: Path) -> None:
    reader, stored = CtRate(phantom_tree), StoreReader(store)
    row = next(row for row in reader.rows() if row.case_id == CASE)
    volume = reader.load(row)
    seen = Preprocess(CONFIG.grid)(volume, regions(volume))
    case = stored.read(CASE)
    low, high = CONFIG.grid.hu_range
    assert np.abs(np.clip(case.hu, low, high) - seen.voxels[0].numpy() * high).max() <= 0.501
    assert case.valid == seen.valid
    np.testing.assert_array_equal(case.regions_classical, seen.regions.numpy())
    assert case.regions_true is not None
    assert (case.regions_true != case.regions_classical).any()  # the true ones are their own
    assert case.hu.dtype == np.int16


def test_padding_is_minus_1024_outside_the_valid_cells_alone(store: Path) -> None:
    case = StoreReader(store).read(CASE)
    inside = np.zeros(case.hu.shape, bool)
    inside[tuple(slice(*r) for r in case.valid)] = True
    assert not inside.all()
    assert (case.hu[~inside] == -1024).all()
    assert case.hu[inside].min() >= -1000


def test_lesions_keep_their_numbers_and_their_place(phantom_tree: Path, store: Path) -> None:
    reader, stored = CtRate(phantom_tree), StoreReader(store)
    seen = 0
    for row in reader.rows():
        volume, case = reader.load(row), stored.read(row.case_id)
        frame = Preprocess(CONFIG.grid).frame(volume, regions(volume))
        assert case.lesions is not None
        for channel, finding in zip(case.lesions, LOCALIZED, strict=True):
            mask = read_lesions(phantom_tree, row, volume)[finding]
            assert case.known[finding]
            assert set(np.unique(channel)) == set(np.unique(mask))
            half = frame.soften(mask > 0).numpy() >= 0.5
            assert ((channel > 0) & half).sum() >= 0.9 * half.sum()
            seen += int(half.sum())
    assert seen > 0


def frame_of(shape: tuple[int, int, int], grid: tuple[int, int, int], spacing: float) -> Frame:
    middle = tuple((n - 1) / 2 for n in shape)
    config = GridConfig(shape=grid, spacing_mm=(spacing, spacing, spacing))
    return Frame.around((middle[0], middle[1], middle[2]), shape, (1.0, 1.0, 1.0), config)


def test_a_lesion_smaller_than_half_a_cell_keeps_one_cell_and_one_outside_is_named() -> None:
    frame = frame_of((40, 40, 40), (8, 8, 8), 4.0)
    mask = np.zeros((40, 40, 40), np.uint16)
    mask[12:20, 12:20, 12:20] = 1  # two cells a side
    mask[25, 25, 25] = 2
    mask[0, 0, 0] = 7  # outside the grid
    mask[30:32, 30, 30] = 300
    out = np.zeros((8, 8, 8), np.uint8)
    assert instances_on_grid(mask, frame, out) == [7]
    assert (out == 1).sum() == 8
    assert (out == 2).sum() == 1
    assert (out == 255).sum() == 1


def test_an_empty_mask_gives_no_lesion() -> None:
    out = np.zeros((8, 8, 8), np.uint8)
    assert instances_on_grid(np.zeros((40, 40, 40), np.uint8), frame_of((40, 40, 40), (8, 8, 8), 4.0), out) == []
    assert not out.any()


@pytest.mark.parametrize("start", [(0, 0, 0), (7, 30, 33), (-3, -5, 90), (38, 90, 90), (60, 0, 0), (-40, 0, 0)])
def test_a_patch_is_the_box_of_the_whole_with_padding_around(store: Path, start: tuple[int, int, int]) -> None:
    stored = StoreReader(store)
    whole, patch = stored.read(CASE), stored.patch(CASE, start, (16, 24, 20))
    assert whole.lesions is not None
    assert patch.lesions is not None
    wide = np.pad(whole.hu, 100, constant_values=-1024)
    d, h, w = (slice(s + 100, s + 100 + n) for s, n in zip(start, (16, 24, 20), strict=True))
    np.testing.assert_array_equal(patch.hu, wide[d, h, w])
    np.testing.assert_array_equal(patch.lesions, np.pad(whole.lesions, ((0, 0), *[(100, 100)] * 3))[:, d, h, w])
    np.testing.assert_array_equal(patch.regions_classical, np.pad(whole.regions_classical, 100)[d, h, w])
    for axis, ((a, b), (first, last)) in enumerate(zip(patch.valid, whole.valid, strict=True)):
        own = np.arange(start[axis], start[axis] + (16, 24, 20)[axis])
        assert b - a == ((own >= first) & (own < last)).sum()


def test_the_same_case_gives_the_same_bytes(phantom_tree: Path, store: Path) -> None:
    reader = CtRate(phantom_tree)
    job = Job(reader=reader, row=reader.rows()[0], out=store, config=CONFIG)
    files, record = make_case(job)
    folder = store / "cases" / job.row.case_id
    assert {name: (folder / name).read_bytes() for name in files} == files
    said = json.loads((folder / "case.json").read_text())
    assert {key: said[key] for key in ("valid", "frame")} == json.loads(
        json.dumps({key: record[key] for key in ("valid", "frame")})
    )


def test_partial_masks_are_told_from_complete_ones(phantom_tree: Path, tmp_path: Path) -> None:
    reader = CtRate(phantom_tree)
    row = reader.rows()[0]
    partial = replace(
        row,
        regions="",
        lesions={
            "consolidation": row.lesions["consolidation"],
            f"{PARTIAL}lung_nodule": row.lesions["lung_nodule"],
        },
    )
    prepare(reader, tmp_path / "store", CONFIG, rows=[partial, replace(reader.rows()[1], lesions={}, regions="")])
    stored = StoreReader(tmp_path / "store")
    case, bare = (stored.read(row.case_id) for row in stored.rows)
    assert [f for f in LOCALIZED if case.known[f]] == ["consolidation"]
    assert [f for f in LOCALIZED if case.partial[f]] == ["lung_nodule"]
    assert set(stored.rows[0].lesions) == {"consolidation", f"{PARTIAL}lung_nodule"}
    assert case.regions_true is None
    assert bare.lesions is None
    assert not any(bare.known.values())


def test_rows_survive_the_way_through_a_record(phantom_tree: Path) -> None:
    for row in CtRate(phantom_tree).rows():
        there = row_from_json(json.loads(json.dumps(row_to_json(row))))
        assert replace(there, labels=row.labels) == row
        np.testing.assert_array_equal(there.labels, row.labels)


def test_damage_and_strangers_are_refused_with_what_to_do(store: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no case 'train_9'"):
        StoreReader(store).row("train_9")
    with pytest.raises(DataError, match="is not prepared"):
        StoreReader(store).read("train_9")
    with pytest.raises(DataError, match=r"no store\.json"):
        StoreReader(tmp_path)
    copy = Path(shutil.copytree(store, tmp_path / "copy"))
    whole = (copy / "cases" / CASE / "hu.b2nd").read_bytes()
    for cut in (0, 100, len(whole) // 2):
        (copy / "cases" / CASE / "hu.b2nd").write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"train_1_a_1/hu\.b2nd: cannot be read"):
            StoreReader(copy).read(CASE)
    (copy / "manifest.parquet").unlink()
    with pytest.raises(DataError, match="to its end"):
        StoreReader(copy)
    (copy / "store.json").write_text((copy / "store.json").read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(DataError, match="store version 2, this code reads 1"):
        StoreReader(copy)


def test_a_folder_with_other_settings_or_other_files_is_not_mixed(store: Path, tmp_path: Path) -> None:
    assert read_config(store) == replace(CONFIG, origin="phantoms"), "a tree of tools/make_phantoms.py"
    with pytest.raises(DataError, match="other settings"):
        claim(store, StoreConfig().to_json())
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataError, match="not empty and no store"):
        claim(tmp_path, CONFIG.to_json())


def test_a_store_says_what_its_scans_are_and_one_kind_stays_one_kind(tmp_path: Path) -> None:
    real = replace(CONFIG, origin="clinical", licence="CC-BY-NC-SA-4.0")
    claim(tmp_path / "real", real.to_json())
    assert read_config(tmp_path / "real") == real
    claim(tmp_path / "real", real.to_json())
    for other in (CONFIG, replace(real, origin="phantoms"), replace(real, licence="MIT")):
        with pytest.raises(DataError, match="or a new folder"):
            claim(tmp_path / "real", other.to_json())
    (tmp_path / "tree").mkdir()
    assert with_origin(real, tmp_path / "tree") == real
    (tmp_path / "tree" / "phantoms.json").write_text("{}")
    assert with_origin(CONFIG, tmp_path / "tree").origin == "phantoms"
    with pytest.raises(DataError, match="are phantoms and not clinical"):
        with_origin(real, tmp_path / "tree")


def test_a_store_that_was_made_before_stores_said_so_is_of_unknown_origin_and_stays_so(tmp_path: Path) -> None:
    old = json.loads(CONFIG.to_json())
    del old["origin"]
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "store.json").write_text(json.dumps(old))
    claim(tmp_path / "old", replace(CONFIG, origin="clinical").to_json())
    assert read_config(tmp_path / "old") == CONFIG
    (tmp_path / "old" / "store.json").write_text(json.dumps(old | {"origin": "moon"}))
    with pytest.raises(DataError, match=r"old/store\.json: origin 'moon'"):
        read_config(tmp_path / "old")


def test_a_case_remembers_where_its_data_set_lies_from_the_store(store: Path, phantom_tree: Path) -> None:
    record = StoreReader(store).record(CASE)
    assert (store / record["root"] / record["row"]["volume"]).is_file()
    assert (store / record["root"]).resolve() == phantom_tree.resolve()


def test_a_training_refuses_windowed_pictures(tmp_path: Path) -> None:
    claim(tmp_path / "npz", NPZ_SETTINGS)
    with pytest.raises(DataError, match="windowed uint8 is not HU"):
        StoreReader(tmp_path / "npz")


def test_the_export_holds_the_lung_window_on_the_scans_own_voxels(phantom_tree: Path, tmp_path: Path) -> None:
    reader = CtRate(phantom_tree)
    row = reader.rows()[0]
    volume = reader.load(row)
    given = RegionMap(labels=np.full(volume.shape, 3, np.uint8), origin="given")
    (tmp_path / "a.npz").write_bytes(npz_bytes(volume, given))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as held:
        assert held["imgs"].shape == held["gts"].shape == volume.shape
        assert held["imgs"].dtype == held["gts"].dtype == np.uint8
        assert held["window"].tolist() == [-600, 1500]
        np.testing.assert_allclose(held["spacing"], volume.spacing_mm)
    levels = windowed(np.array([[[-2000, -1350, -600, 150, 3000]]], np.int16))
    assert levels.tolist() == [[[0, 0, 128, 255, 255]]]


def test_arrays_of_any_small_shape_come_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for shape in [(1, 1, 1), (5, 3, 130), (70, 65, 64), (5, 7, 20, 33)]:
        for dtype in (np.int16, np.uint8):
            array = rng.integers(0, 100, shape).astype(dtype)
            (tmp_path / "a.b2nd").write_bytes(packed(array))
            back = read_box(tmp_path / "a.b2nd", (0, 0, 0), shape[-3:], 0)
            assert back.dtype == dtype
            np.testing.assert_array_equal(back, array)
