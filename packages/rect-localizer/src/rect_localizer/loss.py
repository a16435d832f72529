"""Loss of the outlines. A finding without a drawn mask is unknown, which an empty mask is not."""

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor


def outline_loss(
    logits: Float[Tensor, "b k d h w"], masks: Float[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy plus soft Dice loss.

    masks: 0..1, soft edges allowed. known: False where nobody drew the finding; such masks teach nothing. The Dice term
    counts known masks that are not empty (the Dice of an empty mask is undefined); an empty one teaches through the
    cross-entropy. Raises ValueError when nothing is known.
    """
    if not known.any():
        raise ValueError(f"none of the {known.numel()} masks of the batch is known: leave the batch out")
    logit, mask = logits[known], masks[known]
    entropy = F.binary_cross_entropy_with_logits(logit, mask)
    drawn = reduce(mask, "m d h w -> m", "sum") > 0
    if not drawn.any():
        return entropy
    return entropy + (1 - soft_dice(torch.sigmoid(logit[drawn]), mask[drawn])).mean()


def soft_dice(prob: Float[Tensor, "m d h w"], mask: Float[Tensor, "m d h w"]) -> Float[Tensor, " m"]:
    """Dice of soft masks with squares below the line (Milletari et al. 2016); masks must not be empty."""
    p, m = rearrange(prob, "m d h w -> m (d h w)"), rearrange(mask, "m d h w -> m (d h w)")
    return 2 * (p * m).sum(-1) / ((p * p).sum(-1) + (m * m).sum(-1))
