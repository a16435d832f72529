"""Weights fetched into a folder: checked before they are there, and nothing else comes along."""

from pathlib import Path

import pytest

from rect_core.errors import ScanError
from rect_core.types import OutlinePoints
from rect_vlm import ReCTVLM
from rect_vlm.fetch import fetch, held_in


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model."""
    folder = tmp_path_factory.mktemp("weights") / "whole"
    model = ReCTVLM.untrained("tiny")
    model.outline_points = OutlinePoints(peak=(0.6, 0.7, 0.8, 0.9, 1.0))
    model.save_pretrained(folder, weights_status="untrained")
    return folder


def test_a_whole_model_a_part_of_it_and_a_single_component_can_be_fetched(weights: Path, tmp_path: Path) -> None:
    (weights / "encoder" / "notes.txt").write_text("not weights")
    seals = fetch(weights, tmp_path / "all")
    assert seals == ReCTVLM.from_pretrained(tmp_path / "all").fingerprints
    assert ReCTVLM.from_pretrained(tmp_path / "all").outline_points == OutlinePoints(peak=(0.6, 0.7, 0.8, 0.9, 1.0))
    assert not (tmp_path / "all" / "encoder" / "notes.txt").exists()
    assert fetch(weights, tmp_path / "part", ["classifier"]) == {"classifier": seals["classifier"]}
    assert held_in(weights / "localizer") == {"localizer": weights / "localizer"}
    assert fetch(weights / "localizer", tmp_path / "one") == {"localizer": seals["localizer"]}


def test_a_place_that_is_taken_stays_as_it_is(weights: Path, tmp_path: Path) -> None:
    fetch(weights, tmp_path / "out", ["encoder"])
    with pytest.raises(ScanError, match="'out' exists: give --force"):
        fetch(weights, tmp_path / "out", ["encoder"])
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(ScanError, match="so it stays"):
        fetch(weights, tmp_path / "out", ["encoder"], force=True)


def test_what_is_not_there_is_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no localizer, only encoder"):
        fetch(weights / "encoder", tmp_path / "out", ["localizer"])
    with pytest.raises(FileNotFoundError, match="holds no weights"):
        fetch(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
