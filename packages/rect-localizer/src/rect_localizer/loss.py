"""Loss of the outlines. A finding without a drawn mask is unknown, which an empty mask is not."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Num, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable


def outline_loss(
    logits: Float[Tensor, "b k d h w"], masks: Shaped[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy plus soft Dice loss.

    masks: boolean, or 0..1 with soft edges. known: False where nobody drew the finding; such masks teach nothing. The
    Dice term counts known masks that are not empty (the Dice of an empty mask is undefined); an empty one teaches
    through the cross-entropy. Raises ValueError when nothing is known.
    """
    entropy, dice = outline_terms(logits, masks, known)
    return entropy if dice is None else entropy + dice


def outline_terms(
    logits: Float[Tensor, "b k d h w"], masks: Shaped[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""] | None]:
    """The terms of `outline_loss`: a mean over the known masks, and one over those that are not empty (None where there
    is none), which processes that share a batch have to weigh by how many they have of each. Raises as it does."""
    if not known.any():
        raise ValueError(f"none of the {known.numel()} masks of the batch is known: leave the batch out")
    entropy, dice = _Terms.apply(logits, masks, known)  # type: ignore[no-untyped-call]
    drawn = known & ~dice.isnan()
    return entropy[known].mean(), (1 - dice[drawn]).mean() if drawn.any() else None


class _Terms(torch.autograd.Function):
    """Cross-entropy and soft Dice of each map, one map after the other: a map stays in a CPU's cache, and none of the
    dozen intermediate values of each voxel is ever held for the whole batch."""

    @staticmethod
    def forward(
        ctx: Any, logits: Float[Tensor, "b k d h w"], masks: Shaped[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k"]]:
        """Mean cross-entropy of a map's voxels, 0 where unknown; Dice, NaN where unknown or empty."""
        exact = _exact(logits.dtype)
        entropy = logits.new_zeros(known.shape, dtype=exact)
        sums = logits.new_zeros((3, *known.shape), dtype=exact)
        for at in map(tuple, known.nonzero().tolist()):
            logit, mask = logits[at].flatten().to(exact), masks[at].flatten().to(exact)
            entropy[at] = F.softplus(logit).mean() - logit.dot(mask) / len(mask)
            prob = logit.sigmoid()  # never in place: of float32 these are views of what was given
            sums[:, *at] = torch.stack([prob.dot(mask), prob.dot(prob), mask.dot(mask)])
        ctx.save_for_backward(logits, masks, known, sums)
        both, ours, theirs = sums
        return entropy, torch.where(theirs > 0, 2 * both / (ours + theirs), torch.nan)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_entropy: Float[Tensor, "b k"], of_dice: Float[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b k d h w"], None, None]:
        """With p the probability and t the truth: (p - t) / n of the cross-entropy, and p (1 - p) (2 t - 2 Dice p) /
        (p p + t t) of the Dice."""
        logits, masks, known, sums = ctx.saved_tensors
        found, exact = torch.zeros_like(logits), sums.dtype
        both, below = sums[0], sums[1] + sums[2]
        for at in map(tuple, known.nonzero().tolist()):
            prob, mask = logits[at].flatten().to(exact).sigmoid(), masks[at].flatten().to(exact)
            gradient = (prob - mask).mul_(of_entropy[at] / len(mask))
            if sums[2][at] > 0:
                slope = (mask * (2 / below[at])).sub_(prob * (4 * both[at] / below[at] ** 2))
                gradient.addcmul_(slope.mul_(prob - prob * prob), of_dice[at].expand(1))
            found[at] = gradient.view_as(found[at])
        return found, None, None


def soft_dice(prob: Num[Tensor, "m d h w"], mask: Num[Tensor, "m d h w"]) -> Float[Tensor, " m"]:
    """Dice of soft masks with squares below the line (Milletari et al. 2016); masks must not be empty."""
    p, m = prob.flatten(1), mask.flatten(1)
    return 2 * (p * m).sum(-1) / ((p * p).sum(-1) + (m * m).sum(-1))


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
