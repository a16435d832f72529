"""Losses of the classifier. A label that nobody knows is NaN and teaches nothing."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

FLOOR = 1e-8
"""What a probability is taken for where it is 0 and a power of it is needed."""


def masked_bce(logits: Float[Tensor, "b k"], labels: Float[Tensor, "b k"]) -> Float[Tensor, ""]:
    """Binary cross-entropy over the known labels (0..1; NaN is unknown).

    Raises ValueError when nothing is known: the mean of nothing is undefined.
    """
    known = known_labels(labels)
    return F.binary_cross_entropy_with_logits(logits[known], labels[known])


def masked_asymmetric(
    logits: Float[Tensor, "b k"],
    labels: Float[Tensor, "b k"],
    *,
    gamma_positive: float = 0.0,
    gamma_negative: float = 4.0,
    margin: float = 0.05,
) -> Float[Tensor, ""]:
    """Asymmetric loss (Ridnik et al. 2021) over the known labels: easy negatives count little, those with a
    probability below the margin nothing. With both gammas and the margin 0 it is `masked_bce`. Raises as it does.
    """
    known = known_labels(labels)
    logit, label = logits[known], labels[known]
    prob = torch.sigmoid(logit)
    shifted = (prob - margin).clamp(min=0)
    log_miss = F.logsigmoid(-logit) if margin == 0 else torch.log1p(-shifted)
    # Above 0, because a power below 1 has an infinite slope there.
    positive = label * (1 - prob).clamp(min=FLOOR) ** gamma_positive * F.logsigmoid(logit)
    negative = (1 - label) * shifted.clamp(min=FLOOR) ** gamma_negative * log_miss
    return -(positive + negative).mean()


def known_labels(labels: Float[Tensor, "b k"]) -> Tensor:
    """Where a label is known, bool [b k]; raises ValueError when none is."""
    known = ~torch.isnan(labels)
    if not known.any():
        raise ValueError(f"all {labels.numel()} labels of the batch are unknown (NaN): leave the batch out")
    return known
