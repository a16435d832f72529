"""A chat model on this machine, through transformers: a folder, a Hub id, or a GGUF file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_data.cot.backend import Reply, Unanswered
from rect_data.cot.prompt import Message

_BLOCK: Final = 1 << 22


class LocalModel:
    """Greedy answers, the same every time. Nothing is sent anywhere; only a Hub id fetches weights.

    source: folder with config.json and safetensors, `.gguf` file (needs the `gguf` package), or Hub id. revision: of a
    Hub id; for files the SHA-256 of the weights is kept instead. Raises DataError for a source that cannot be loaded.
    """

    def __init__(self, source: str, *, revision: str | None = None, max_new_tokens: int = 1024) -> None:
        path = Path(source)
        self.name = path.name if path.exists() else source
        self._tokenizer, self._model = _load(path, source, revision)
        commit = getattr(self._model.config, "_commit_hash", None)
        self.revision = _digest(path) if path.exists() else str(commit or revision or "")
        self.settings: dict[str, float | int | str] = {
            "max_tokens": max_new_tokens,
            "temperature": 0,
            "weights": self.revision,
        }

    def ask(self, messages: Sequence[Message]) -> Reply:
        """The model's next message."""
        import torch

        ids = self._tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self._model.device)
        known, limit = int(ids["input_ids"].shape[1]), int(self.settings["max_tokens"])
        holds = self._model.config.get_text_config().max_position_embeddings
        if known + limit > holds:
            reason = f"{known} tokens and {limit} for the answer are more than the {holds} the model holds"
            raise Unanswered(reason, retry=False)
        with torch.inference_mode():
            out = self._model.generate(**ids, max_new_tokens=limit, do_sample=False)
        new = out[0, known:]
        text = self._tokenizer.decode(new, skip_special_tokens=True)
        return Reply(text=text, revision=self.revision, cut=new.shape[0] >= limit)


def _load(path: Path, source: str, revision: str | None) -> tuple[Any, Any]:
    """Tokenizer and model in eval mode, on the GPU if there is one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    if path.suffix == ".gguf" and not path.is_file():
        raise DataError(f"{path.name}: no such file: give a .gguf file, a folder or a Hub id")
    gguf = {"gguf_file": path.name} if path.suffix == ".gguf" else {}
    place = str(path.parent) if gguf else source
    # Packed GGUF weights are unpacked in every product; once is enough, and bfloat16 holds what their few bits say
    packed = {"dtype": torch.bfloat16, "quantization_config": GgufConfig(dequantize=True)}
    how: dict[str, Any] = {**gguf, **packed} if gguf else {"dtype": "auto", "use_safetensors": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, revision=revision or "main", **gguf)
        model = AutoModelForCausalLM.from_pretrained(place, revision=revision or "main", **how)
    except (OSError, ValueError, ImportError) as error:
        raise DataError(f"model {path.name}: cannot be loaded: {' '.join(str(error).split())}") from error
    if tokenizer.chat_template is None:
        raise DataError(f"model {path.name}: has no chat template: give an instruction-tuned model")
    placed: Any = model  # transformers wraps `to`, and the type checker loses its argument
    return tokenizer, placed.to("cuda" if torch.cuda.is_available() else "cpu").eval()


def _digest(path: Path) -> str:
    """SHA-256 of a file, or of the config and weights of a folder."""
    files = [path] if path.is_file() else sorted([path / "config.json", *path.glob("*.safetensors")])
    sha = hashlib.sha256()
    for file in files:
        with file.open("rb") as opened:
            while block := opened.read(_BLOCK):
                sha.update(block)
    return f"sha256:{sha.hexdigest()}"
