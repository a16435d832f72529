"""Batches by worker processes, with a position that counts what was handed out and not what was fetched ahead."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch.utils.data import DataLoader

from rect_data.dataset.collate import Batch, blanked, collate
from rect_data.dataset.dataset import StoreDataset
from rect_data.dataset.item import Item
from rect_data.dataset.sampler import CaseSampler


class Loader:
    """The rest of an epoch, batch by batch; iterate again for the next one.

    A batch counts as consumed when it is handed out: a state saved after a training step goes on with the next batch,
    and one saved after an epoch's last batch with the next epoch. `collate` may do more than collating, such as
    augmenting; it runs in the workers. Batches do not depend on their number. The batches of all ranks together are
    those that one process with batches as large as all of them would have; a rank that has fewer cases left than others
    at an epoch's end gets `blanked` ones for them. Raises ValueError for a sampler of other rows than the dataset's,
    whose draws would be other cases.
    """

    def __init__(
        self,
        dataset: StoreDataset,
        sampler: CaseSampler,
        *,
        batch_size: int = 1,
        workers: int = 0,
        pin_memory: bool = False,
        collate: Callable[[Sequence[Item]], Batch] = collate,
    ) -> None:
        if sampler.case_ids != tuple(row.case_id for row in dataset.rows):
            raise ValueError(
                f"the sampler draws from {len(sampler.case_ids)} rows that are not the {len(dataset)} of the dataset: "
                "give it dataset.rows, all and in their order; to choose among them, change their splits"
            )
        self.sampler = sampler
        self._batches: DataLoader[Item] = DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
        )

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._batches:
            real = self.sampler.fresh(len(batch))
            self.sampler.advance(len(batch))
            yield blanked(batch, real)

    def close(self) -> None:
        """Ends the workers, which else live as long as anything refers to them, such as the traceback of an error."""
        if self._batches._iterator is not None:
            self._batches._iterator._shutdown_workers()  # type: ignore[attr-defined]
            self._batches._iterator = None

    def state_dict(self) -> dict[str, Any]:
        """The sampler's state."""
        return self.sampler.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was taken; between epochs or before the first batch, not while iterating."""
        self.sampler.load_state_dict(state)
