"""A user's own prompts: their texts, the names their masks get, and the encoder that reads them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rect_core.findings import slug
from rect_core.text import PromptEncoder


@dataclass(frozen=True, kw_only=True)
class Prompting:
    """Prompts and the text encoder that turns them into vectors; it must be the one the weights were trained with."""

    texts: tuple[str, ...]
    encoder: PromptEncoder

    @classmethod
    def load(cls, texts: Sequence[str], text_encoder: str | Path | None) -> "Prompting":
        """Loads the text encoder; a missing one or an empty or repeated prompt raises ValueError."""
        if text_encoder is None:
            raise ValueError(
                "--prompt needs --text-encoder FOLDER: the text encoder that the weights were trained with"
            )
        if len(set(texts)) != len(texts) or not all(text.strip() for text in texts):
            raise ValueError("--prompt was given an empty text or the same text twice")
        return cls(texts=tuple(texts), encoder=PromptEncoder.from_pretrained(text_encoder))

    @property
    def names(self) -> tuple[str, ...]:
        """A file-safe name a prompt, in order: prompt_1_ground_glass, ..."""
        words = ["".join(c for c in slug(text) if c.isalnum() or c == "_")[:40].strip("_") for text in self.texts]
        return tuple(f"prompt_{n}_{word}" for n, word in enumerate(words, 1))
