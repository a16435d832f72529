"""One real CT through `classify`, with untrained weights of toy size."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rect_classifier import Classifier, ClassifierConfig, classify
from rect_core.anatomy import regions
from rect_core.errors import ScanError
from rect_core.findings import LABELS
from rect_core.preprocess import GridConfig
from rect_core.read import read_volume
from rect_core.types import OperatingPoints
from rect_core.volume import Volume
from rect_encoder import EncoderConfig, VisionEncoder

ENCODER = EncoderConfig(
    dim=24, depth=1, heads=2, patch=(4, 8, 8), grid=GridConfig(shape=(24, 64, 64), spacing_mm=(13.0, 6.0, 6.0))
)


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
    config = ClassifierConfig(width=24, heads=2, encoder_fingerprint=encoder.fingerprint)
    Classifier.untrained(config).save_pretrained(folder / "classifier", weights_status="untrained")
    return folder


def test_one_scan_in_its_scores_out_with_the_encoder_beside_the_head(chest: Volume, weights: Path) -> None:
    scores = classify(chest, model=weights / "classifier")
    assert scores.labels == LABELS
    assert all(0 < p < 1 for p in scores.prob)
    assert len(set(scores.prob)) == 18
    assert scores == classify(chest, model=weights / "classifier", encoder=weights / "encoder")


def test_threshold_and_regions_of_the_caller_are_used(chest: Volume, weights: Path) -> None:
    plain = classify(chest, model=weights / "classifier")
    labels = regions(chest).labels
    fewer = chest.stored.to_stored(np.where(labels > 6, 20, labels))
    scores = classify(chest, model=weights / "classifier", threshold=0.9, regions=fewer)
    assert scores.threshold == (0.9,) * 18
    assert scores.prob != plain.prob


def test_operating_points_beside_the_weights_are_applied(chest: Volume, weights: Path) -> None:
    plain = classify(chest, model=weights / "classifier")
    path = weights / "classifier" / "operating_points.json"
    OperatingPoints(bias=(5.0,) * 18, thresholds={"f1": (0.25,) * 18}).save(path)
    scores = classify(chest, model=weights / "classifier")
    path.unlink()
    assert scores.calibrated
    assert scores.threshold == (0.25,) * 18
    assert np.all(np.array(scores.prob) > np.array(plain.prob))


def test_a_head_in_memory_needs_its_encoder_named(chest: Volume, weights: Path) -> None:
    config = ClassifierConfig(width=24, heads=2)
    with pytest.raises(ValueError, match=r"not loaded from a folder, so '../encoder' leads nowhere: give encoder="):
        classify(chest, model=Classifier.untrained(config))
    assert len(classify(chest, model=Classifier.untrained(config), encoder=weights / "encoder").prob) == 18


def test_another_encoder_is_refused(chest: Volume, weights: Path) -> None:
    other = VisionEncoder.untrained(replace(ENCODER, depth=2))
    with pytest.raises(ValueError, match=r"tokens come from encoder .* but the head was trained on"):
        classify(chest, model=weights / "classifier", encoder=other)


def test_what_is_not_a_scan_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ScanError):
        classify(tmp_path / "missing.nii.gz", model=weights / "classifier")
