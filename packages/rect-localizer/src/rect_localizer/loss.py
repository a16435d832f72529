"""Loss of the outlines. A finding without a drawn mask is unknown, which an empty mask is not."""

from typing import Any, Final, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Num, Shaped
from torch import Tensor
from torch.autograd.function import once_differentiable

SPARE: Final = 1e-4
"""Share of the grid, 4 to 5 ml of a chest, that an outline of nothing is measured against."""

DOUBT: Final = 0.25
"""Probability up to which a voxel is no outline of nothing. Were every voxel to count, a network that has learned
nothing yet would be driven to outline nothing, and stay there."""

SPURIOUS: Final = 0.2
"""What an outline of nothing counts beside a missed one. With 1, a finding that one scan in ten has is pushed down by
far more empty masks than pull it up, and never learned."""


class OutlineTerms(NamedTuple):
    """The terms of `outline_loss`. entropy: over all known masks; overlap: over those that hold something, spurious:
    over the empty ones, each None where there is no such mask."""

    entropy: Float[Tensor, ""]
    overlap: Float[Tensor, ""] | None
    spurious: Float[Tensor, ""] | None


def outline_loss(
    logits: Float[Tensor, "b k d h w"], masks: Shaped[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
) -> Float[Tensor, ""]:
    """Binary cross-entropy, plus 1 - soft Dice over the masks that hold something, plus SPURIOUS of it over empty ones.

    masks: boolean, or 0..1 with soft edges. known: False where nobody drew the finding; such masks teach nothing. The
    Dice of an empty mask is undefined; s / (s + sum of q q) stands for it, with s of SPARE of the grid and q what the
    probability exceeds DOUBT by, as a share of the most it can. Without it a false outline costs a thousandth of a
    missed one, and something is outlined in every scan. Raises ValueError when nothing is known.
    """
    entropy, overlap, spurious = outline_terms(logits, masks, known)
    loss = entropy if overlap is None else entropy + overlap
    return loss if spurious is None else loss + SPURIOUS * spurious


def outline_terms(
    logits: Float[Tensor, "b k d h w"], masks: Shaped[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
) -> OutlineTerms:
    """The terms of `outline_loss`, each a mean, which processes that share a batch have to weigh by how many masks they
    have of each. Raises as it does."""
    if not known.any():
        raise ValueError(f"none of the {known.numel()} masks of the batch is known: leave the batch out")
    entropy, dice, held = _Terms.apply(logits, masks, known)  # type: ignore[no-untyped-call]
    overlap, spurious = ((1 - dice[some]).mean() if some.any() else None for some in (known & held, known & ~held))
    return OutlineTerms(entropy[known].mean(), overlap, spurious)


class _Terms(torch.autograd.Function):
    """Cross-entropy and soft Dice of each map, one map after the other: a map stays in a CPU's cache, and none of the
    dozen intermediate values of each voxel is ever held for the whole batch."""

    @staticmethod
    def forward(
        ctx: Any, logits: Float[Tensor, "b k d h w"], masks: Shaped[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b k"], Float[Tensor, "b k"], Bool[Tensor, "b k"]]:
        """Mean cross-entropy of a map's voxels and its Dice, both 0 where unknown; whether its mask holds something."""
        exact, held = _exact(logits.dtype), known & masks.flatten(2).any(-1)
        entropy = logits.new_zeros(known.shape, dtype=exact)
        sums = logits.new_zeros((3, *known.shape), dtype=exact)
        for at in map(tuple, known.nonzero().tolist()):
            logit = logits[at].flatten().to(exact)
            entropy[at] = F.softplus(logit).mean()
            prob = _counted(logit.sigmoid(), held[at])[0]  # never in place: of float32 these are views of the given
            sums[1, *at] = prob.dot(prob)
            if held[at]:
                mask = masks[at].flatten().to(exact)
                entropy[at] -= logit.dot(mask) / len(mask)
                sums[0, *at], sums[2, *at] = prob.dot(mask), mask.dot(mask)
        both, ours, theirs = sums
        spare = torch.where(held, 0.0, SPARE * logits[0, 0].numel())
        below = ours + theirs + spare
        dice = (2 * both + spare) / below
        ctx.mark_non_differentiable(held)
        ctx.save_for_backward(logits, masks, known, dice, below, held)
        return entropy, dice * known, held

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_entropy: Float[Tensor, "b k"], of_dice: Float[Tensor, "b k"], _: Any
    ) -> tuple[Float[Tensor, "b k d h w"], None, None]:
        """With p the probability and t the truth: (p - t) / n of the cross-entropy, and p (1 - p) (2 t - 2 Dice p) /
        (p p + t t + s) of the Dice, of an empty mask with q and dq/dp."""
        logits, masks, known, dice, below, held = ctx.saved_tensors
        found = torch.empty_like(logits)
        found[~known] = 0
        for at in map(tuple, known.nonzero().tolist()):
            prob = logits[at].flatten().to(dice.dtype).sigmoid()
            seen, rise = _counted(prob, held[at])
            slope, wrong = seen * (-2 * rise * dice[at] / below[at]), prob
            if held[at]:
                mask = masks[at].flatten().to(dice.dtype)
                slope.add_(mask * (2 / below[at]))
                wrong = prob - mask
            gradient = wrong * (of_entropy[at] / len(prob))
            gradient.addcmul_(slope.mul_(prob - prob * prob), of_dice[at].expand(1))
            found[at] = gradient.view_as(found[at])
        return found, None, None


def _counted(prob: Float[Tensor, " n"], held: Bool[Tensor, ""]) -> tuple[Float[Tensor, " n"], float]:
    """What of a probability its Dice counts, and how fast that rises with it: all, or of an empty mask what exceeds
    DOUBT."""
    return (prob, 1.0) if held else ((prob - DOUBT).clamp(min=0) / (1 - DOUBT), 1 / (1 - DOUBT))


def soft_dice(prob: Num[Tensor, "m d h w"], mask: Num[Tensor, "m d h w"]) -> Float[Tensor, " m"]:
    """Dice of soft masks with squares below the line (Milletari et al. 2016); masks must not be empty."""
    p, m = prob.flatten(1), mask.flatten(1)
    return 2 * (p * m).sum(-1) / ((p * p).sum(-1) + (m * m).sum(-1))


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
