"""One transformer block."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from rect_encoder.attention import AttentionBias, SliceRegionAttention
from rect_encoder.config import EncoderConfig


class Block(nn.Module):
    """Pre-norm attention and MLP, each added to what came in (Vaswani et al. 2017; pre-norm after Xiong et al. 2020).

    Summary tokens and patches share all weights.
    """

    def __init__(self, config: EncoderConfig, *, full: bool) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.dim)
        self.attention = SliceRegionAttention(config, full=full)
        self.mlp_norm = nn.LayerNorm(config.dim)
        self.widen = nn.Linear(config.dim, config.hidden)
        self.narrow = nn.Linear(config.hidden, config.dim)

    def forward(self, x: Float[Tensor, "b s c"], bias: AttentionBias) -> Float[Tensor, "b s c"]:
        """Tokens to tokens, summary tokens first."""
        x = x + self.attention(self.attention_norm(x), bias)
        added: Tensor = self.narrow(F.gelu(self.widen(self.mlp_norm(x))))
        return x + added
