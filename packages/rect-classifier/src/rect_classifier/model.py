"""The text-prompt head: a prompt looks at the scan's tokens; the cosine of what it saw with itself is its score."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from rect_classifier.config import ClassifierConfig
from rect_core.hub import Published
from rect_core.types import VisionTokens

PREVALENCE = 0.18
"""Share of positives over all cells of CT-RATE: where an untrained head starts."""

MAX_SCALE = 100.0
"""Cosines are multiplied by at most this, as in CLIP (Radford et al. 2021)."""


class Classifier(Published):
    """Logits of text prompts from the tokens of a scan.

    A prompt's query attends to the region tokens, the pooled token and the patches (absent regions and patches wholly
    in padding are no keys). Its logit is `scale * cosine(visual, text) + bias`; scale is learned, and bias is read off
    the prompt, so that a new prompt has one too. The prompts of config.labels are stored in the weights.
    """

    config_class = ClassifierConfig

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        self.config: ClassifierConfig = config
        width = config.width
        self.register_buffer("prompts", F.normalize(torch.randn(len(config.labels), config.text_width), dim=-1))
        self.query = nn.Linear(config.text_width, width)
        self.text = nn.Linear(config.text_width, width)
        self.bias = nn.Linear(config.text_width, 1)
        self.norm = nn.LayerNorm(width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.visual_norm = nn.LayerNorm(width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        nn.init.zeros_(self.bias.weight)
        nn.init.constant_(self.bias.bias, math.log(PREVALENCE / (1 - PREVALENCE)))

    prompts: Tensor

    def forward(self, tokens: VisionTokens, prompts: Float[Tensor, "k t"] | None = None) -> Float[Tensor, "b k"]:
        """Logits of the stored prompts, or of the given prompt vectors (see rect_core.text.PromptEncoder.vectors).

        Raises ValueError for tokens of an encoder this head was not trained on, and for tokens or prompts of another
        width.
        """
        self._check(tokens)
        asked: Tensor = self.prompts if prompts is None else prompts
        if asked.shape[-1] != self.config.text_width:
            raise ValueError(
                f"prompts are {asked.shape[-1]} wide but the classifier reads {self.config.text_width}: "
                "use the text encoder it was trained with"
            )
        text = self._centred(asked)
        visual = self._look(self.query(text), tokens)
        cosine = (F.normalize(visual, dim=-1) * F.normalize(self.text(text), dim=-1)).sum(-1)
        logits: Tensor = self.log_scale.exp().clamp(max=MAX_SCALE) * cosine + rearrange(self.bias(text), "k 1 -> k")
        return logits

    @torch.no_grad()
    def store_prompts(self, prompts: Float[Tensor, "k t"]) -> None:
        """Replaces the stored prompt vectors, one a label of the config."""
        if prompts.shape != self.prompts.shape:
            raise ValueError(
                f"prompts have shape {tuple(prompts.shape)} but the head stores {tuple(self.prompts.shape)}"
            )
        self.prompts.copy_(prompts)

    def _centred(self, prompts: Float[Tensor, "k t"]) -> Float[Tensor, "k t"]:
        # Sentence vectors share a large common part ("... is present in this chest CT"); what differs is the finding.
        text = F.normalize(prompts.to(self.prompts), dim=-1)
        return F.normalize(text - F.normalize(self.prompts, dim=-1).mean(0), dim=-1)

    def _look(self, query: Float[Tensor, "k c"], tokens: VisionTokens) -> Float[Tensor, "b k c"]:
        seen = torch.cat([rearrange(tokens.pooled, "b c -> b 1 c"), tokens.regions, tokens.patches], 1)
        context = self.norm(seen.to(query))
        heads = self.config.heads
        q = repeat(query, "k (heads c) -> b heads k c", heads=heads, b=len(context))
        k, v = rearrange(self.key_value(context), "b n (two heads c) -> two b heads n c", two=2, heads=heads)
        weights = rearrange(evenly(tokens).to(q.dtype), "b n -> b 1 1 n")
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=weights)
        visual: Tensor = self.visual_norm(
            self.out(rearrange(attended, "b heads k c -> b k (heads c)")) + context[:, :1]
        )
        return visual

    def _check(self, tokens: VisionTokens) -> None:
        if self.config.encoder_fingerprint:
            tokens.check_encoder(self.config.encoder_fingerprint)
        if tokens.pooled.shape[-1] != self.config.width:
            raise ValueError(f"tokens are {tokens.pooled.shape[-1]} wide but the classifier reads {self.config.width}")


def evenly(tokens: VisionTokens) -> Float[Tensor, "b m"]:
    """What is added to the scores of [pooled, regions, patches], so that a prompt that prefers nothing reads a third of
    each kind: the pooled token, all regions together, all patches together. -inf for what may not be read.

    There are hundreds of patches for each region; read alike, they drown what regions say of the whole.
    """
    always = torch.ones_like(tokens.region_present[:, :1])
    kinds = (always, tokens.region_present, tokens.patch_present)
    return torch.cat([torch.where(kind, -kind.sum(1, keepdim=True).log(), -torch.inf) for kind in kinds], 1)
