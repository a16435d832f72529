"""The language model that a run's reporter is meant for, as plain numbers: nothing is loaded to count it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageConfig:
    """Sizes of a language model, under the names that its own config.json gives them.

    source: folder or Hub id of its weights. head_dim: None is hidden_size over heads. lora_rank: of the adapters that
    are trained on it.
    """

    source: str
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int
    vocab_size: int
    head_dim: int | None = None
    tie_word_embeddings: bool = False
    lora_rank: int = 16

    def __post_init__(self) -> None:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads {self.num_attention_heads} is not a multiple of num_key_value_heads "
                f"{self.num_key_value_heads}"
            )
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}: "
                "give head_dim"
            )

    @property
    def parameters(self) -> int:
        """Parameters of a decoder with gated MLPs and grouped attention (Llama, Gemma), two norms a layer."""
        head = self.head_dim or self.hidden_size // self.num_attention_heads
        attention = 2 * self.hidden_size * head * (self.num_attention_heads + self.num_key_value_heads)
        layer = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        tables = 1 if self.tie_word_embeddings else 2
        return self.num_hidden_layers * layer + tables * self.vocab_size * self.hidden_size + self.hidden_size
