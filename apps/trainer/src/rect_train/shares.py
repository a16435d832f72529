"""How much each batch of a step teaches, so that a mean over all its batches is one over all that is known.

Labels and masks are known here and not there: the mean of two batches' means would count a label in the poorer one for
more. What a batch holds of all that the step holds is its share, and its mean loss is multiplied by it. With one batch
every share is 1.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from rect_data.dataset import Batch

Amount = Literal["hidden", "labels", "masks", "drawn", "empty", "cases"]
"""What losses are means over: hidden patches inside the scan, known labels, known masks, those of them that hold
something and those that are empty, and cases."""

AMOUNTS: Final[tuple[Amount, ...]] = ("hidden", "labels", "masks", "drawn", "empty", "cases")

Amounts = Mapping[Amount, int]
Shares = Mapping[Amount, float]
"""Of each amount that some process has, this batch's times the number of batches; 0 where it has none of it."""


def alone(amounts: Amounts) -> dict[Amount, float]:
    """The shares of a batch that is all there is."""
    return {name: 1.0 for name, amount in amounts.items() if amount}


def outlined(batch: Batch) -> dict[Amount, int]:
    """Amounts of the localizer's losses."""
    known, drawn = int(batch.lesions_known.sum()), int((batch.lesions_known & nonempty(batch)).sum())
    return {"masks": known, "drawn": drawn, "empty": known - drawn, "cases": int(real(batch).sum())}


def nonempty(batch: Batch) -> Bool[Tensor, "b k"]:
    """Which masks hold a lesion."""
    return batch.lesions.flatten(2).amax(2) > 0


def real(batch: Batch) -> Bool[Tensor, " b"]:
    """Which cases are not blank (`rect_data.dataset.blanked`)."""
    return (batch.valid[:, :, 1] > batch.valid[:, :, 0]).all(1)


def table(amounts: Sequence[Amounts]) -> Int64[Tensor, "turns amounts"]:
    """The amounts of each batch of a process as numbers to add up over processes."""
    return torch.tensor([[found.get(name, 0) for name in AMOUNTS] for found in amounts])


def shares_of(
    mine: Int64[Tensor, "turns amounts"], together: Int64[Tensor, "turns amounts"], batches: int
) -> list[dict[Amount, float]]:
    """The shares of a process's batches, one after the other.

    together: `mine`, added up over processes. batches: of a step, over processes and turns; the mean of their losses is
    the step's. What no process can teach in a turn has no share in it.
    """
    counted = together.clone()
    counted[:, AMOUNTS.index("cases")] *= together[:, AMOUNTS.index("masks")] > 0  # prompts go along with masks
    total = counted.sum(0).tolist()
    return [
        {
            name: batches * own / whole
            for name, own, here, whole in zip(AMOUNTS, row, all_of_it, total, strict=True)
            if here
        }
        for row, all_of_it in zip(mine.tolist(), counted.tolist(), strict=True)
    ]
