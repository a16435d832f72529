"""Prompts to vectors with a sentence encoder from a folder or the Hub (extra `text`)."""

from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from rect_core.sources import resolve_source


class PromptEncoder:
    """A frozen text transformer and its tokenizer. Build it with `from_pretrained`.

    width: size t of its vectors. name: last part of where it came from.
    """

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.name = name
        self.width = int(model.config.hidden_size)

    @classmethod
    def from_pretrained(
        cls, folder_or_id: str | Path, *, revision: str | None = None, local_files_only: bool = False
    ) -> "PromptEncoder":
        """Loads any encoder that transformers' AutoModel knows, safetensors only.

        Raises ImportError without the extra, FileNotFoundError or ValueError where the source does not hold one.
        """
        try:
            import transformers  # noqa: F401  (asked for before anything is looked for)
        except ImportError:
            raise ImportError(
                "the `transformers` package turns prompts into vectors: pip install 'rect-core[text]'"
            ) from None
        folder = resolve_source(folder_or_id, revision=revision, local_files_only=local_files_only)
        tokenizer, model = _load(folder)
        return cls(model, tokenizer, folder.name)

    def vectors(self, prompts: list[str] | tuple[str, ...]) -> Float[Tensor, "k t"]:
        """One unit vector a prompt: the mean over its tokens, L2-normalised."""
        states, mask = self.sequences(prompts)
        weights = rearrange(mask, "k l -> k l 1").to(states.dtype)
        return torch.nn.functional.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)

    @torch.no_grad()
    def sequences(self, prompts: list[str] | tuple[str, ...]) -> tuple[Float[Tensor, "k l t"], Bool[Tensor, "k l"]]:
        """One vector a token, zero where the mask is False (padding to the longest prompt).

        Raises ValueError for no or empty prompts and for one that is longer than the encoder reads.
        """
        if not prompts or not all(p.strip() for p in prompts):
            raise ValueError(f"prompts must be one or more non-empty texts, got {list(prompts)!r}")
        batch = self.tokenizer(list(prompts), padding=True, return_tensors="pt")
        limit = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)
        if (length := batch["input_ids"].shape[1]) > limit:
            longest = max(prompts, key=len)
            raise ValueError(
                f"a prompt has {length} tokens but the text encoder reads {limit}: shorten {longest[:40]!r}..."
            )
        states = self.model(**batch.to(self.model.device)).last_hidden_state
        mask = batch["attention_mask"].bool()
        return states * rearrange(mask, "k l -> k l 1").to(states.dtype), mask


def _load(folder: Path) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return tokenizer, AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0].replace(str(folder), folder.name)
        raise ValueError(f"{folder.name!r} holds no text encoder in safetensors ({first})") from None
    finally:
        if shown:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
