"""A file in, one vector out, on the real chest CT of the slicerio package; the cost of importing; the example."""

import importlib.util
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from rect_core.errors import ScanError
from rect_core.findings import region_value
from rect_core.types import VisionTokens
from rect_encoder import TINY, EncodedScan, VisionEncoder, embed, encode

README = Path(__file__).parents[1] / "README.md"
IMPORTS = """
import sys, time
import torch
start = time.process_time()
import rect_encoder
print(time.process_time() - start)
print(*{name.partition(".")[0] for name in sys.modules})
"""


@pytest.fixture(scope="module")
def sample() -> Path:
    """The sample CT; find_spec because importing slicerio asks for what we do not need."""
    spec = find_spec("slicerio")
    if spec is None or spec.origin is None:
        pytest.skip("slicerio, which holds the sample CT, is not installed")
    return Path(spec.origin).parent / "data" / "CTChest4.nrrd"


@pytest.fixture(scope="module")
def encoder() -> VisionEncoder:
    return VisionEncoder.untrained(TINY)


@pytest.fixture(scope="module")
def encoded(sample: Path, encoder: VisionEncoder) -> EncodedScan:
    return encode(sample, model=encoder)


def test_a_chest_ct_becomes_tokens(encoded: EncodedScan, encoder: VisionEncoder) -> None:
    tokens: VisionTokens = encoded.tokens
    assert tokens.patches.shape == (1, 12 * 8 * 8, 192)
    assert tokens.region_present[0, :6].all()
    assert 0.4 < tokens.patch_present.float().mean() <= 1.0
    assert all(x.isfinite().all() and not x.requires_grad for x in (tokens.patches, tokens.regions, tokens.pooled))
    assert tokens.fingerprint == encoder.fingerprint


def test_token_positions_are_mm_from_the_middle_of_the_lungs(encoded: EncodedScan) -> None:
    shape, frame = np.array(TINY.grid.shape), encoded.item.frame
    middle = frame.to_scan((shape[None] - 1) / 2)[0]
    lungs = np.array([(first + last - 1) / 2 for first, last in encoded.regions.lungs_box])
    assert np.abs(middle - lungs).max() <= 0.51
    first = frame.to_scan((np.array(TINY.patch)[None] - 1) / 2)[0]
    away_mm = (first - middle) * encoded.volume.spacing_mm
    np.testing.assert_allclose(encoded.tokens.centres_mm[0, 0].numpy(), away_mm, atol=0.01)


def test_one_vector_a_scan(sample: Path, encoder: VisionEncoder, encoded: EncodedScan, tmp_path: Path) -> None:
    encoder.save_pretrained(tmp_path / "encoder", weights_status="untrained")
    vector = embed(encoded.volume, model=tmp_path / "encoder", regions=None)
    assert vector.shape == (192,)
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, encoded.tokens.pooled[0].numpy(), rtol=1e-4, atol=1e-5)


def test_a_given_region_map_is_the_one_that_is_read(encoded: EncodedScan, encoder: VisionEncoder) -> None:
    labels = np.where(encoded.regions.labels == region_value("heart"), region_value("liver"), encoded.regions.labels)
    given = encode(encoded.volume, model=encoder, regions=encoded.volume.stored.to_stored(labels))
    assert given.regions.origin == "given"
    assert np.array_equal(given.regions.labels, labels)
    assert not given.tokens.region_present[0, region_value("heart") - 1]
    assert not torch.equal(given.tokens.pooled, encoded.tokens.pooled)


def test_a_mirrored_chest_gives_another_vector(encoded: EncodedScan, encoder: VisionEncoder) -> None:
    item, here = encoded.item, encoded.tokens.pooled
    voxels, regions = item.voxels[None].flip(-1), item.regions[None].flip(-1)
    low, high = item.valid[2]
    valid = torch.tensor([[*item.valid[:2], (TINY.grid.shape[2] - high, TINY.grid.shape[2] - low)]])
    with torch.no_grad():
        there = encoder(voxels, regions, valid).pooled
    assert (here - there).abs().max() > 10 * 1e-3 * here.abs().max()


def test_a_bfloat16_encoder_gives_a_float32_vector(encoded: EncodedScan, encoder: VisionEncoder) -> None:
    half = VisionEncoder.untrained(TINY).to(torch.bfloat16)
    vector, exact = half.encode(encoded.item).pooled[0].float(), encoded.tokens.pooled[0]
    assert (vector - exact).norm() < 0.03 * exact.norm()


def test_a_file_that_is_no_scan_is_refused(encoder: VisionEncoder, tmp_path: Path) -> None:
    with pytest.raises(ScanError):
        embed(tmp_path / "nothing.nii.gz", model=encoder)


def test_without_a_model_the_installed_weights_are_asked_for(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "rect_tiny" else find(name))
    with pytest.raises(FileNotFoundError, match=r"'rect-tiny' is neither a folder .*rect-vlm\[tiny\]"):
        embed(sample)


def test_importing_brings_no_heavy_library_and_costs_little() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    seconds, modules = done.stdout.splitlines()
    assert not {"transformers", "peft", "nibabel", "huggingface_hub", "scipy", "monai"} & set(modules.split())
    assert float(seconds) < 0.3


def test_the_example_of_the_readme_runs(sample: Path) -> None:
    code = re.search(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    done = subprocess.run([sys.executable, "-c", code[1]], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "(192,)" in done.stdout
