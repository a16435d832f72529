"""One real CT through `localize`, with untrained weights of toy size."""

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rect_core.anatomy import regions
from rect_core.findings import LOCALIZED, REGIONS
from rect_core.preprocess import GridConfig
from rect_core.read import read_volume
from rect_core.types import OutlinePoints
from rect_core.volume import Volume
from rect_encoder import EncoderConfig, VisionEncoder
from rect_localizer import Localizer, LocalizerConfig, localize, outline_points

GRID = GridConfig(shape=(24, 64, 64), spacing_mm=(13.0, 6.0, 6.0))
ENCODER = EncoderConfig(dim=24, depth=1, heads=2, patch=(4, 8, 8), grid=GRID)


@pytest.fixture(scope="module")
def chest() -> Volume:
    spec = importlib.util.find_spec("slicerio")
    if spec is None or spec.origin is None:
        pytest.skip("the sample CT comes with the package slicerio")
    return read_volume(Path(spec.origin).parent / "data" / "CTChest4.nrrd")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    encoder = VisionEncoder.untrained(ENCODER)
    encoder.save_pretrained(folder / "encoder", weights_status="untrained")
    config = LocalizerConfig(
        width=24,
        grid=GRID,
        patch=ENCODER.patch,
        channels=(8, 8, 16, 16),
        denoiser_width=24,
        denoiser_layers=1,
        denoiser_heads=2,
        encoder_fingerprint=encoder.fingerprint,
    )
    Localizer.untrained(config).save_pretrained(folder / "localizer", weights_status="untrained")
    return folder


def test_untrained_weights_outline_nothing_in_a_real_scan(chest: Volume, weights: Path) -> None:
    found = localize(chest, model=weights / "localizer")
    assert found.asked == LOCALIZED
    assert len(found) == 0


def test_one_scan_in_its_lesions_out_on_the_scans_own_voxels(chest: Volume, weights: Path) -> None:
    model = Localizer.from_pretrained(weights / "localizer")
    with torch.no_grad():
        model.unet.head.prior.add_(4.4)  # untrained noise, raised until it crosses the threshold
    found = localize(chest, model=model)
    assert len(found) > 0
    assert found.items == localize(chest, model=model).items
    for finding in LOCALIZED:
        dense = found.crops[finding].dense()
        assert dense.shape == chest.shape
        assert [x.voxels for x in found.of(finding)] == np.bincount(dense.ravel())[1:].tolist()
    assert all(x.prob >= 0.5 and x.volume_ml > 0 and x.diameter_mm >= x.short_axis_mm > 0 for x in found)


def test_threshold_and_regions_of_the_caller_are_used(chest: Volume, weights: Path) -> None:
    model = Localizer.from_pretrained(weights / "localizer")
    with torch.no_grad():
        model.unet.head.prior.add_(4.4)
    labels = regions(chest).labels
    fewer = chest.stored.to_stored(np.where(labels > 6, 20, labels))
    found, everywhere = (localize(chest, model=model, threshold=t, regions=fewer) for t in (0.5, 0.01))
    assert {x.region for x in found} <= {*REGIONS[:6], REGIONS[19], "outside the body"}
    assert sum(x.voxels for x in everywhere) > sum(x.voxels for x in found)


def test_a_head_in_memory_needs_its_encoder_named(chest: Volume, weights: Path) -> None:
    model = Localizer.untrained(Localizer.from_pretrained(weights / "localizer").config)
    with pytest.raises(ValueError, match=r"not loaded from a folder, so '../encoder' leads nowhere: give encoder="):
        localize(chest, model=model)
    assert localize(chest, model=model, encoder=weights / "encoder").asked == LOCALIZED


def test_another_encoder_is_refused(chest: Volume, weights: Path) -> None:
    other = VisionEncoder.untrained(replace(ENCODER, depth=2))
    with pytest.raises(ValueError, match=r"tokens come from encoder .* but the head was trained on"):
        localize(chest, model=weights / "localizer", encoder=other)


def test_operating_points_beside_the_weights_are_applied(chest: Volume, weights: Path, tmp_path: Path) -> None:
    model = Localizer.from_pretrained(weights / "localizer")
    with torch.no_grad():
        model.unet.head.prior.add_(4.4)
    model.save_pretrained(tmp_path / "localizer", weights_status="untrained")
    shutil.copytree(weights / "encoder", tmp_path / "encoder")
    every = localize(chest, model=tmp_path / "localizer")
    peak = tuple(0.0 if name == "pleural_effusion" else 1.0 for name in LOCALIZED)
    OutlinePoints(peak=peak).save(tmp_path / "localizer" / "operating_points.json")
    assert outline_points(Localizer.from_pretrained(tmp_path / "localizer")) == OutlinePoints(peak=peak)
    found = localize(chest, model=tmp_path / "localizer")
    assert found.items == every.of("pleural_effusion") != every.items
    assert localize(chest, model=tmp_path / "localizer", threshold=0.5).items == every.items
    for other in (OutlinePoints(peak=peak, fingerprint="0" * 64), OutlinePoints(findings=LOCALIZED[:1], peak=(1.0,))):
        other.save(tmp_path / "localizer" / "operating_points.json")
        with pytest.raises(ValueError, match=r"operating_points.json was fitted for another localizer"):
            localize(chest, model=tmp_path / "localizer")
