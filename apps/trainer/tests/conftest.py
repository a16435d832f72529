"""A store of twelve noisy boxes and an encoder of one block: a step takes milliseconds."""

import json
import sys
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

from rect_classifier import ClassifierConfig
from rect_core.findings import LABELS, LOCALIZED
from rect_core.frame import GridConfig
from rect_core.manifest import write_manifest
from rect_core.types import ManifestRow
from rect_data.store import StoreConfig
from rect_data.store.arrays import packed
from rect_data.store.layout import case_folder
from rect_data.store.rows import row_to_json
from rect_encoder import EncoderConfig
from rect_localizer import LocalizerConfig
from rect_train.config import DataConfig, OptimConfig, SaveConfig, TrainConfig
from rect_vlm.presets import Preset

GRID = GridConfig(shape=(8, 16, 16), spacing_mm=(12.0, 18.0, 18.0))
ENCODER = EncoderConfig(dim=24, depth=1, heads=2, patch=(4, 8, 8), grid=GRID)
SIZES = Preset(
    encoder=ENCODER,
    classifier=ClassifierConfig(width=24, heads=2, text_width=16),
    localizer=LocalizerConfig(
        width=24,
        text_width=16,
        text_length=4,
        grid=GRID,
        patch=(4, 8, 8),
        channels=(4, 4, 8, 8),
        groups=2,
        gated=2,
        finding_channels=4,
        denoiser_width=24,
        denoiser_layers=1,
        denoiser_heads=2,
    ),
)
TRAIN, VALID = 8, 4


def make_row(number: int) -> ManifestRow:
    """Odd cases have a bright box that is called a consolidation, and every label."""
    name, split = f"case{number:02d}", "train" if number < TRAIN else "valid"
    place = f"cases/{name}"
    return ManifestRow(
        case_id=name,
        volume=f"{place}/hu.b2nd",
        patient=name,
        scan=name,
        split=split,
        spacing_mm=(12.0, 18.0, 18.0),
        lesions=dict.fromkeys(LOCALIZED, f"{place}/lesions.b2nd"),
        labels=(float(number % 2),) * len(LABELS),
    )


def write_case(root: Path, row: ManifestRow, number: int) -> None:
    """The files of a case, as rect_data.store writes them."""
    noise = np.random.default_rng(number)
    hu = noise.integers(-900, -700, GRID.shape).astype(np.int16)
    lesions = np.zeros((len(LOCALIZED), *GRID.shape), np.uint8)
    if number % 2:
        hu[2:6, 4:12, 4:12] = 50
        lesions[:, 2:6, 4:12, 4:12] = 1
    regions = noise.integers(0, 21, GRID.shape).astype(np.uint8)
    arrays = {"hu.b2nd": hu, "regions_classical.b2nd": regions, "lesions.b2nd": lesions}
    folder = case_folder(root, row.case_id)
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        (folder / name).write_bytes(packed(array))
    record = {
        "version": 1,
        "case_id": row.case_id,
        "valid": [[0, n] for n in GRID.shape],
        "masks": sorted(row.lesions),
        "row": row_to_json(row),
        "files": {name: sha256((folder / name).read_bytes()).hexdigest() for name in arrays},
    }
    (folder / "case.json").write_text(json.dumps(record), encoding="utf-8")


def make_store(root: Path, rows: Sequence[ManifestRow]) -> Path:
    """A store of these rows."""
    for number, row in enumerate(rows):
        write_case(root, row, number)
    (root / "store.json").write_text(StoreConfig(grid=GRID).to_json(), encoding="utf-8")
    write_manifest(root / "manifest.parquet", rows)
    return root


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, rows: list[ManifestRow]) -> Path:
    """Eight cases to learn from and four to validate on; nothing may change it."""
    return make_store(tmp_path_factory.mktemp("data") / "store", rows)


@pytest.fixture(scope="session")
def rows() -> list[ManifestRow]:
    """The rows of `store`."""
    return [make_row(number) for number in range(TRAIN + VALID)]


@pytest.fixture(scope="session")
def build_store() -> Callable[[Path, Sequence[ManifestRow]], Path]:
    """Makes a store of other rows."""
    return make_store


@pytest.fixture(scope="session")
def sizes() -> Preset:
    """Components of a few thousand parameters."""
    return SIZES


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Sums in one order, and no quarrel over cores."""
    torch.set_num_threads(1)


@pytest.fixture
def config(store: Path, tmp_path: Path) -> TrainConfig:
    """Phase 2 for six steps, with a validation and a checkpoint after every second."""
    return TrainConfig(
        model=SIZES,
        epochs=3,
        batch_size=4,
        precision="fp32",
        device="cpu",
        output_dir=tmp_path / "run",
        data=DataConfig(store=store, origin="phantoms", workers=0),
        optim=OptimConfig(ema=0.9),
        save=SaveConfig(keep=3),
        track=(),
    )


@pytest.fixture(scope="session")
def whole_run(store: Path, sizes: Preset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of phase 2 with a validation; nothing may change it."""
    from rect_train.loop import train

    torch.set_num_threads(1)
    config = TrainConfig(
        model=sizes,
        steps=2,
        batch_size=4,
        precision="fp32",
        device="cpu",
        output_dir=tmp_path_factory.mktemp("whole") / "joint",
        data=DataConfig(store=store, origin="phantoms", workers=0),
        optim=OptimConfig(ema=0.9),
        track=(),
    )
    train(config)
    return config.output_dir


@pytest.fixture(scope="session")
def exported(whole_run: Path) -> Path:
    """The export of `whole_run`; nothing may change it."""
    from rect_train.export import export

    export(whole_run, whole_run.parent / "weights")
    return whole_run.parent / "weights"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a script of tools/ by its name and returns its exit code, standard output and standard error."""
    folder = Path(__file__).resolve().parents[3] / "tools"

    def run(name: str, *words: str | Path) -> tuple[int, str, str]:
        spec = spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, words)])
        try:
            code = module.main()
        except SystemExit as stopped:
            code = stopped.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder as a run does, of lines or rows: written("name", metrics=[...], config="...")."""

    def write(name: str = "run", config: str = "optim:\n  lr: 0.001\n", **logs: Sequence[object]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.yaml").write_text(config, encoding="utf-8")
        for log, rows in logs.items():
            lines = [row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows]
            (folder / f"{log}.jsonl").write_text("".join(lines), encoding="utf-8")
        return folder

    return write
