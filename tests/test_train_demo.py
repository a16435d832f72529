"""`make train-demo`, on a few phantoms: from nothing to predictions with weights that the run has trained."""

import os
import subprocess
from pathlib import Path

import nibabel as nib
import pytest

from rect_vlm import ReCTVLM

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.slow


def test_the_demo_goes_from_phantoms_to_predictions_and_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    command = ["bash", "tools/train_demo.sh", str(folder), "16", "6", "2", "2", "1"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for _ in range(2):
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        said = done.stdout.splitlines()
        # Sixteen phantoms may teach too little to beat untrained weights: the answer counts here, not which it is.
        assert done.returncode in (0, 1), done.stderr[-4000:]
        assert [line.split(":")[0].split()[-1] for line in said[-5:]] == [
            *("classify", "localize", "joint"),
            *("classification", "localization"),
        ], done.stdout[-2000:]
    model = ReCTVLM.from_pretrained(folder / "weights")
    assert model.weights_status == "synthetic"
    pages = (folder / name for name in ("curves.html", "scores/report.html", "scores_untrained/report.html"))
    assert all(page.stat().st_size > 10_000 for page in pages)
    cases = [path for path in (folder / "predictions").iterdir() if path.is_dir()]
    assert len(cases) == 2
    for case in cases:
        assert b"synthetic" in bytes(nib.load(case / "lesions.nii.gz").header["descrip"].item())
