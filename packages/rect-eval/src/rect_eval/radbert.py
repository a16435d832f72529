"""The text classifier of CT-RATE and the VLM3D challenge (RadBERT with 18 outputs), from weights on this disk.

The published `RadBertClassifier.pth` is a pickle, which may run code when it is opened, so it is refused. Convert it
once, where you trust it, to `RobertaForSequenceClassification`: encoder tensors `model.X` become `roberta.X`,
`model.pooler.dense.*` become `classifier.dense.*`, `classifier.*` become `classifier.out_proj.*`; write the 18 labels
into the config's id2label, and `save_pretrained` model and tokenizer into one folder. The outputs stay the same.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Bool, Float32

from rect_core.errors import DataError
from rect_core.findings import LABELS

_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_TOKENS: Final = 512
"""What the challenge reads of a report; the rest of a longer one is cut off."""


class RadBert:
    """Reads the 18 labels off reports with a sequence classifier of transformers.

    folder: config.json, a tokenizer and model.safetensors; nothing is fetched and no code of the folder is run. Raises
    DataError for weights in a pickle, another number or order of labels, and tensors that are missing or left over;
    ImportError without torch and transformers.
    """

    def __init__(self, folder: Path | str, *, batch_size: int = 16, device: str = "cpu") -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size} is below 1")
        path = Path(folder)
        _check_files(path)
        self._batch_size, self._device = batch_size, device
        self._model, self._tokenizer = _load(path, device)
        self._room = _room(self._model.config, self._tokenizer)

    def prob(self, texts: Sequence[str]) -> Float32[np.ndarray, "n k"]:
        """The 18 probabilities of each text."""
        parts = [self._batch(texts[i : i + self._batch_size]) for i in range(0, len(texts), self._batch_size)]
        return np.concatenate([np.zeros((0, len(LABELS)), np.float32), *parts])

    def __call__(self, texts: Sequence[str]) -> Bool[np.ndarray, "n k"]:
        """Whether each of the 18 labels is present in each text: a probability of 0.5 or more."""
        return self.prob(texts) >= 0.5

    def _batch(self, texts: Sequence[str]) -> Float32[np.ndarray, "n k"]:
        import torch

        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._room, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            logits = self._model(**tokens).logits
        prob: Float32[np.ndarray, "n k"] = torch.sigmoid(logits.float()).cpu().numpy()
        return prob


def _check_files(folder: Path) -> None:
    name = folder.absolute().name
    if folder.is_file() and folder.suffix in _PICKLES:
        raise _pickled(name)
    if not folder.is_dir():
        raise DataError(f"{name}: no such folder: give one with config.json, a tokenizer and model.safetensors")
    if any(folder.glob("*.safetensors")):
        return
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickled:
        raise _pickled(f"{name}/{pickled[0]}")
    raise DataError(f"{name}: holds no model.safetensors: copy or download the folder again")


def _pickled(name: str) -> DataError:
    return DataError(
        f"{name}: is a pickle, which may run code when it is opened: convert it to model.safetensors first "
        "(how: rect_eval.radbert) and give that folder"
    )


def _load(folder: Path, device: str) -> tuple[Any, Any]:
    try:
        from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
    except ImportError as error:
        raise ImportError("The `transformers` package reads RadBERT: pip install 'rect-eval[radbert]'") from error
    from rect_core.published import read_tensors

    name = folder.absolute().name
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        _check_labels(config)
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        kind: Any = AutoModelForSequenceClassification
        model = kind.from_config(config, trust_remote_code=False)
        tensors = read_tensors(folder, {key: tuple(value.shape) for key, value in model.state_dict().items()})
    except (OSError, ValueError, KeyError) as error:
        why = " ".join(str(error).split())[:300]
        raise DataError(f"{name}: no RadBERT of 18 labels can be read from this folder: {why}") from error
    _check_tokenizer(name, tokenizer, config)
    model.load_state_dict(tensors)
    return model.to(device).eval(), tokenizer


def _check_tokenizer(name: str, tokenizer: Any, config: Any) -> None:
    """transformers makes an empty tokenizer where the files of one are missing; some models have words to spare."""
    if not 0.9 * config.vocab_size <= len(tokenizer) <= config.vocab_size:
        raise DataError(
            f"{name}: the tokenizer knows {len(tokenizer)} words but the model {config.vocab_size}: copy the "
            "tokenizer's files that belong to these weights"
        )


def _check_labels(config: Any) -> None:
    found = [str(config.id2label[k]) for k in sorted(config.id2label)]
    if len(found) != len(LABELS):
        raise DataError(f"config.json says {len(found)} outputs instead of {len(LABELS)}")
    for k, (there, label) in enumerate(zip(found, LABELS, strict=True)):
        if there != label:
            raise DataError(
                f"config.json says that output {k} is {there!r} instead of {label!r}: write the 18 labels "
                "into id2label, in the order of training, which must be CT-RATE's"
            )


def _room(config: Any, tokenizer: Any) -> int:
    """How many tokens a text may have. RoBERTa's positions begin after its padding token."""
    before = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    return int(min(_TOKENS, tokenizer.model_max_length, config.max_position_embeddings - before))
