"""Items to a batch in which everything that is missing says so."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor
from torch.utils.data import default_collate

from rect_core.types.report import Reasoning
from rect_data.dataset.item import Draw, Item


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Cases on one grid; fields as in `Item`, and a flag for all that may be missing.

    labels keep NaN where `labels_known` is false, so that an unmasked loss is NaN and not quietly wrong. lesions are
    zero where neither `lesions_known` nor `lesions_partial` (some lesions are marked, the rest is unknown). reports are
    "" without `has_report`, reasoning None without `has_reasoning`. valid: half-open ranges, [case, axis, first and
    end]; no cell lies inside the scan of a case that is `blanked`. repeated: drawn before in this epoch, as what pads
    the ranks of a distributed epoch; leave such cases out of an evaluation.
    """

    case_ids: tuple[str, ...]
    draws: tuple[Draw, ...]
    voxels: Float32[Tensor, "b 1 d h w"]
    regions: UInt8[Tensor, "b d h w"]
    regions_true: Bool[Tensor, " b"]
    lesions: UInt8[Tensor, "b 5 d h w"]
    lesions_known: Bool[Tensor, "b 5"]
    lesions_partial: Bool[Tensor, "b 5"]
    labels: Float32[Tensor, "b 18"]
    labels_known: Bool[Tensor, "b 18"]
    reports: tuple[str, ...]
    has_report: Bool[Tensor, " b"]
    reasoning: tuple[Reasoning | None, ...]
    has_reasoning: Bool[Tensor, " b"]
    valid: Int64[Tensor, "b 3 2"]
    repeated: Bool[Tensor, " b"]
    spacing_mm: tuple[float, float, float]
    hu_range: tuple[float, float]

    def __len__(self) -> int:
        return len(self.case_ids)

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> "Batch":
        """The same batch with its tensors on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """The same batch in page-locked memory: a DataLoader with `pin_memory` calls this."""
        return self._each(lambda tensor: tensor.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return replace(
            self,
            voxels=change(self.voxels),
            regions=change(self.regions),
            regions_true=change(self.regions_true),
            lesions=change(self.lesions),
            lesions_known=change(self.lesions_known),
            lesions_partial=change(self.lesions_partial),
            labels=change(self.labels),
            labels_known=change(self.labels_known),
            has_report=change(self.has_report),
            has_reasoning=change(self.has_reasoning),
            valid=change(self.valid),
            repeated=change(self.repeated),
        )


def collate(items: Sequence[Item]) -> Batch:
    """One batch. Raises ValueError for no items, and for two that do not lie on one grid."""
    if not items:
        raise ValueError("no items to collate: a batch holds at least one case")
    for item in items:
        if _grid(item) != _grid(items[0]):
            raise ValueError(
                f"cases {items[0].case_id!r} and {item.case_id!r} lie on grids of {_grid(items[0])} and {_grid(item)}: "
                "batch cases of one store, or crop them to one shape"
            )
    labels = torch.stack([item.labels for item in items])
    return Batch(
        case_ids=tuple(item.case_id for item in items),
        draws=tuple(item.draw for item in items),
        voxels=torch.stack([item.voxels for item in items]),
        regions=torch.stack([item.regions for item in items]),
        regions_true=torch.tensor([item.regions_true for item in items]),
        lesions=torch.stack([item.lesions for item in items]),
        lesions_known=torch.stack([item.known for item in items]),
        lesions_partial=torch.stack([item.partial for item in items]),
        labels=labels,
        labels_known=~labels.isnan(),
        reports=tuple(item.report for item in items),
        has_report=torch.tensor([bool(item.report.strip()) for item in items]),
        reasoning=tuple(item.reasoning for item in items),
        has_reasoning=torch.tensor([item.reasoning is not None for item in items]),
        valid=torch.tensor([item.valid for item in items]),
        repeated=torch.tensor([item.draw.repeat > 0 for item in items]),
        spacing_mm=items[0].spacing_mm,
        hu_range=items[0].hu_range,
    )


def joined(batches: Sequence[Batch]) -> Batch:
    """The cases of several batches, which lie on one grid, as one batch. In a loader's worker what is large goes
    straight to where the main process reads it."""
    return replace(
        batches[0],
        case_ids=tuple(case for batch in batches for case in batch.case_ids),
        draws=tuple(draw for batch in batches for draw in batch.draws),
        voxels=default_collate([case for batch in batches for case in batch.voxels]),
        regions=default_collate([case for batch in batches for case in batch.regions]),
        regions_true=torch.cat([batch.regions_true for batch in batches]),
        lesions=default_collate([case for batch in batches for case in batch.lesions]),
        lesions_known=torch.cat([batch.lesions_known for batch in batches]),
        lesions_partial=torch.cat([batch.lesions_partial for batch in batches]),
        labels=torch.cat([batch.labels for batch in batches]),
        labels_known=torch.cat([batch.labels_known for batch in batches]),
        reports=tuple(report for batch in batches for report in batch.reports),
        has_report=torch.cat([batch.has_report for batch in batches]),
        reasoning=tuple(reasoning for batch in batches for reasoning in batch.reasoning),
        has_reasoning=torch.cat([batch.has_reasoning for batch in batches]),
        valid=torch.cat([batch.valid for batch in batches]),
        repeated=torch.cat([batch.repeated for batch in batches]),
    )


def blanked(batch: Batch, first: int) -> Batch:
    """The batch with nothing known of its cases from `first` on, and no cell of theirs inside a scan: they fill places
    that have no case, as those of a rank whose share of an epoch's last batch is smaller."""
    if first >= len(batch):
        return batch
    keep = torch.arange(len(batch), device=batch.valid.device) < first
    return replace(
        batch,
        lesions=batch.lesions * keep[:, None, None, None, None],
        lesions_known=batch.lesions_known & keep[:, None],
        lesions_partial=batch.lesions_partial & keep[:, None],
        labels=torch.where(keep[:, None], batch.labels, torch.nan),
        labels_known=batch.labels_known & keep[:, None],
        reports=(*batch.reports[:first], *[""] * (len(batch) - first)),
        has_report=batch.has_report & keep,
        reasoning=(*batch.reasoning[:first], *[None] * (len(batch) - first)),
        has_reasoning=batch.has_reasoning & keep,
        valid=batch.valid * keep[:, None, None],
    )


def _grid(item: Item) -> str:
    sizes = (item.voxels.shape[1:], item.spacing_mm, item.hu_range)
    shape, spacing, hu = (" x ".join(f"{n:g}" for n in size) for size in sizes)
    return f"{shape} cells of {spacing} mm and {hu.replace(' x ', ' to ')} HU"
