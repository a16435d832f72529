"""Left and right exchanged in everything that a case says: voxels, regions, masks and words.

There is no front-back flip. This one is off by default: it shows a chest with the heart on the right and the liver on
the left, and it makes sides in words true of the mirrored picture only where `flip_words` can. A map of lobes has no
mirror image (the middle lobe is on the right only) and is no part of a batch.
"""

from dataclasses import replace
from typing import Final

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from rect_core.findings import REGIONS, region_value
from rect_data.dataset.collate import Batch
from rect_data.dataset.flip_words import flip_reasoning, flip_refusal, flip_text, reasoning_refusal


def _mirrored_values() -> tuple[int, ...]:
    """For each value of a region map that of the mirrored one."""
    swap = {"right": "left", "left": "right"}
    pairs = [name.partition(" ") for name in REGIONS]
    return (0, *(region_value(" ".join((swap[a], c)) if a in swap else a + b + c) for a, b, c in pairs))


MIRRORED: Final = _mirrored_values()
"""1-3 and 4-6 exchanged, 13 and 14 exchanged, all others as they are."""


def flip_refusals(batch: Batch) -> tuple[str, ...]:
    """For each case why its words cannot be told of the mirrored scan, or ""."""
    texts = zip(batch.reports, batch.reasoning, strict=True)
    return tuple(flip_refusal(report) or reasoning_refusal(reasoning) for report, reasoning in texts)


def flip(batch: Batch, cases: list[int]) -> Batch:
    """The batch with some of its cases mirrored, each whole. Raises ValueError for one whose words are refused."""
    if not cases:
        return batch
    reports, reasoning = list(batch.reports), list(batch.reasoning)
    for i in cases:
        reports[i], reasoning[i] = flip_text(reports[i]), flip_reasoning(reasoning[i])
    at = torch.tensor(cases, device=batch.voxels.device)
    return replace(
        batch,
        voxels=batch.voxels.index_copy(0, at, batch.voxels[at].flip(-1)),
        regions=batch.regions.index_copy(0, at, flip_regions(batch.regions[at])),
        lesions=batch.lesions.index_copy(0, at, batch.lesions[at].flip(-1)),
        valid=batch.valid.index_copy(0, at, _flip_valid(batch.valid[at], batch.voxels.shape[-1])),
        reports=tuple(reports),
        reasoning=tuple(reasoning),
    )


def flip_regions(regions: UInt8[Tensor, "b d h w"]) -> UInt8[Tensor, "b d h w"]:
    """Region maps of the mirrored scans: mirrored, and right and left regions exchanged."""
    table = torch.tensor(MIRRORED, dtype=torch.uint8, device=regions.device)
    return table[regions.flip(-1).int()]


def _flip_valid(valid: Int64[Tensor, "b 3 2"], width: int) -> Int64[Tensor, "b 3 2"]:
    flipped = valid.clone()
    flipped[:, 2] = width - valid[:, 2].flip(-1)
    return flipped
