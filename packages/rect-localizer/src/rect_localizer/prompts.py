"""Findings as sequences of word vectors, and the noise that the denoiser learns to take off them."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, slots=True)
class PromptTokens:
    """One token sequence a prompt, as rect_core.text.PromptEncoder.sequences gives them.

    vectors: of the k prompts' l tokens; mask: which of them are words, not padding. A prompt without words raises
    ValueError.
    """

    vectors: Float[Tensor, "k l t"]
    mask: Bool[Tensor, "k l"]

    def __post_init__(self) -> None:
        if not bool(self.mask.any(-1).all()):
            raise ValueError("a prompt has no words: its mask is False everywhere")

    def to(self, device: torch.device | str) -> "PromptTokens":
        """The same prompts on another device."""
        return replace(self, vectors=self.vectors.to(device), mask=self.mask.to(device))

    @property
    def normed(self) -> Float[Tensor, "k l t"]:
        """Vectors with mean 0 and variance 1 each, padding zero: the scale that noise and restoring work in."""
        return F.layer_norm(self.vectors, self.vectors.shape[-1:]) * self.mask[..., None]

    def of_length(self, length: int) -> "PromptTokens":
        """Padded to a length; a longer prompt raises ValueError."""
        missing = length - self.mask.shape[1]
        if missing < 0 and bool(self.mask[:, length:].any()):
            raise ValueError(f"a prompt has more than the {length} tokens there is room for: shorten it")
        return PromptTokens(F.pad(self.vectors, (0, 0, 0, missing)), F.pad(self.mask, (0, missing)))


def corrupt(
    prompts: PromptTokens, *, rate: float = 0.3, noise: float = 0.5, generator: torch.Generator | None = None
) -> tuple[PromptTokens, Bool[Tensor, "k l"]]:
    """Prompts with damage, and which tokens were blanked or swapped.

    A share `rate` of the words is damaged: half of them are blanked, half replaced by a word of any prompt; the rest
    gets Gaussian noise of standard deviation `noise` (in the scale of `normed`), so do the replacements. The same
    generator state gives the same damage.
    """
    clean, mask = prompts.normed, prompts.mask
    device, words = clean.device, clean[mask]
    kind = torch.rand(mask.shape, generator=generator, device=device)
    other = words[torch.randint(len(words), mask.shape, generator=generator, device=device)]
    swapped, blanked = (kind < rate / 2) & mask, (kind >= rate / 2) & (kind < rate) & mask
    noisy = torch.where(swapped[..., None], other, clean)
    noisy = noisy + noise * torch.randn(clean.shape, generator=generator, device=device)
    return PromptTokens(noisy * (mask & ~blanked)[..., None], mask), swapped | blanked
