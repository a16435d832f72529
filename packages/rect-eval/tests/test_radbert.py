"""RadBERT from a local folder, tried on a tiny one with random weights."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    RobertaConfig,
    RobertaForSequenceClassification,
    RobertaModel,
)
from transformers.utils.logging import disable_progress_bar

from rect_core.errors import DataError
from rect_core.findings import LABELS
from rect_eval.radbert import RadBert

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "pleural", "effusion", "nodule", "seen")
TEXTS = ["no pleural effusion", "nodule seen", "", "nodule " * 100]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    disable_progress_bar()
    folder = tmp_path_factory.mktemp("radbert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,
        id2label=dict(enumerate(LABELS)),
        label2id={label: k for k, label in enumerate(LABELS)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "radbert"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    data = json.loads((folder / "config.json").read_text())
    change(data)
    (folder / "config.json").write_text(json.dumps(data))


def refused(folder: Path, *parts: str) -> None:
    with pytest.raises(DataError) as caught:
        RadBert(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert [part for part in (folder.name, *parts) if part not in message] == [], message


def test_it_gives_what_transformers_gives(saved: Path) -> None:
    model = AutoModelForSequenceClassification.from_pretrained(saved).eval()
    tokens = AutoTokenizer.from_pretrained(saved)(
        TEXTS, padding=True, truncation=True, max_length=32, return_tensors="pt"
    )
    with torch.inference_mode():
        expected = torch.sigmoid(model(**tokens).logits).numpy()
    labeler = RadBert(saved)
    np.testing.assert_allclose(labeler.prob(TEXTS), expected, atol=1e-6)
    assert labeler(TEXTS).dtype == np.bool_
    assert 0 < labeler(TEXTS).mean() < 1


def test_the_size_of_a_batch_changes_nothing(saved: Path) -> None:
    np.testing.assert_allclose(RadBert(saved, batch_size=1).prob(TEXTS), RadBert(saved).prob(TEXTS), atol=1e-6)
    with pytest.raises(ValueError, match="batch_size 0"):
        RadBert(saved, batch_size=0)


def test_no_text_gives_no_row(saved: Path) -> None:
    assert RadBert(saved)([]).shape == (0, 18)


@pytest.mark.parametrize("name", ["RadBertClassifier.pth", "pytorch_model.bin", "model.pt"])
def test_a_pickle_is_refused_unopened_with_what_to_do(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(b"cos\nsystem\n")
    refused(folder, name, "pickle", "convert it to model.safetensors")
    with pytest.raises(DataError, match=f"{name}: is a pickle"):
        RadBert(folder / name)


def test_a_folder_without_weights_and_a_path_to_nothing_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    refused(folder, "holds no model.safetensors")
    refused(folder / "gone", "no such folder")


def test_another_number_or_order_of_labels_is_refused(folder: Path) -> None:
    names = {str(k): label for k, label in enumerate(LABELS)}
    swapped = names | {"3": LABELS[4], "4": LABELS[3]}
    edit(folder, lambda data: data.update(id2label=swapped))
    refused(folder, "output 3", f"{LABELS[4]!r} instead of {LABELS[3]!r}")
    edit(folder, lambda data: data.update(id2label={str(k): f"LABEL_{k}" for k in range(18)}))
    refused(folder, "output 0", "'LABEL_0'", "id2label")
    edit(folder, lambda data: data.update(id2label={"0": "a", "1": "b"}))
    refused(folder, "2 outputs instead of 18")


def test_weights_without_a_trained_head_are_refused_not_filled_in_at_random(folder: Path, saved: Path) -> None:
    model = BertForSequenceClassification.from_pretrained(saved)
    tensors = model.state_dict()
    encoder = {name: value for name, value in tensors.items() if not name.startswith("classifier")}
    model.save_pretrained(folder, state_dict=encoder)
    refused(folder, "model.safetensors", "missing classifier.weight")
    model.save_pretrained(folder, state_dict={**tensors, "spare": torch.zeros(1)})
    refused(folder, "model.safetensors", "unexpected spare")


def test_damaged_files_are_refused(folder: Path, saved: Path) -> None:
    (folder / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes()[:-50])
    refused(folder, "model.safetensors is damaged")
    (folder / "config.json").write_text("{")
    refused(folder, "config.json")


def test_a_folder_without_its_tokenizer_is_refused(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    refused(folder, "the tokenizer knows", "10")


def test_code_in_the_folder_is_never_run(folder: Path) -> None:
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    edit(folder, lambda data: (data.pop("model_type"), data.update(auto_map={"AutoConfig": "evil.Config"})))
    refused(folder)


def test_the_published_classifier_converts_as_described() -> None:
    """A linear layer on the pooled first token is the sequence classification head under other names."""
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, num_labels=18
    )
    encoder, head = RobertaModel(config).eval(), torch.nn.Linear(16, 18)
    tensors = {f"roberta.{name}": value for name, value in encoder.state_dict().items() if "pooler" not in name}
    tensors |= {f"classifier.dense.{name}": value for name, value in encoder.pooler.dense.state_dict().items()}
    tensors |= {f"classifier.out_proj.{name}": value for name, value in head.state_dict().items()}
    converted = RobertaForSequenceClassification(config).eval()
    converted.load_state_dict(tensors)
    ids = torch.tensor([[0, 5, 6, 2]])
    with torch.inference_mode():
        expected = head(encoder(ids).pooler_output)
        torch.testing.assert_close(converted(ids).logits, expected)
