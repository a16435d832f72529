"""The order of an epoch, which a killed run takes up again at the very case where it stopped."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
from torch.utils.data import Sampler

from rect_core.errors import DataError
from rect_core.types.manifest import ManifestRow
from rect_data.dataset.item import Draw
from rect_data.dataset.tasks import Task, eligible


class CaseSampler(Sampler[Draw]):
    """Draws the cases of a task in an order that depends on seed and epoch alone.

    rows: those of the dataset it samples, all and in its order (their splits may be others, as for a fold). world,
    rank: processes that share an epoch; each draws every world-th case, and all draw the same number, for which the
    first cases of the order come once more at its end (with `Draw.repeat` above 0). weights: how often to draw each row
    within an epoch of the same length, as from `balance_weights`: a case with share s of the weight comes n * s times,
    rounded up or down.

    The state is (epoch, position), position counting the cases that all processes together have *consumed*: iterating
    does not move it, `advance` does, so that what a loader fetches ahead is not lost. `rect_data.dataset.Loader` calls
    it. A state may be loaded with another world: the rest of the epoch is shared anew.
    Raises DataError where no case suits.
    """

    def __init__(
        self,
        rows: Sequence[ManifestRow],
        *,
        task: Task = "any",
        split: str = "",
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        weights: Float[np.ndarray, " n"] | None = None,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of world {world}: ranks are 0 to world - 1")
        self.case_ids = tuple(row.case_id for row in rows)
        self.indices = np.array(eligible(rows, task, split), np.int64)
        self.weights = None if weights is None else _shares(weights, self.indices, len(rows))
        self.seed, self.shuffle, self.rank, self.world = seed, shuffle, rank, world
        self.epoch = self.position = 0
        self._cases = _fingerprint([self.case_ids[i] for i in self.indices], self.weights)

    def __len__(self) -> int:
        """Cases that this process has still to draw in this epoch."""
        return -(-(len(self.indices) - self.position) // self.world)

    def __iter__(self) -> Iterator[Draw]:
        """The rest of this epoch's draws of this process."""
        order = self.order()
        missing = -(len(order) - self.position) % self.world
        seen: Counter[int] = Counter()
        draws = []
        for index in [*order.tolist(), *np.resize(order, missing).tolist()]:
            draws.append(Draw(index, self.epoch, seen[index]))
            seen[index] += 1
        return iter(draws[self.position :][self.rank :: self.world])

    def order(self) -> Int64[np.ndarray, " n"]:
        """The rows of this whole epoch, of all processes together."""
        count = len(self.indices)
        raw = np.random.PCG64(np.random.SeedSequence([self.seed, self.epoch])).random_raw(count + 1)
        chosen = self.indices
        if self.weights is not None:  # systematic: points at equal distances along the running total
            points = (np.arange(count) + int(raw[-1]) / 2**64) / count
            at = np.searchsorted(np.cumsum(self.weights), points, "right")
            chosen = chosen[np.minimum(at, np.flatnonzero(self.weights)[-1])]
        return np.asarray(chosen[np.argsort(raw[:-1], kind="stable")] if self.shuffle else chosen, np.int64)

    def fresh(self, cases: int) -> int:
        """How many of this process's next draws, of so many that lie in this epoch, do not merely pad the ranks."""
        left = len(self.indices) - self.position - self.rank
        return min(cases, max(0, -(-left // self.world)))

    def advance(self, cases: int) -> None:
        """Says that this process (and each of the others) has consumed so many more; at the end of an epoch the next
        one begins."""
        self.position += cases * self.world
        if self.position >= len(self.indices):
            self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands, as plain JSON."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "position": self.position,
            "cases": self._cases,
            "shuffle": self.shuffle,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where a state was taken. Raises DataError for a state of other cases, weights, order or seed."""
        mine = self.state_dict()
        if set(state) != set(mine):
            raise DataError(f"sampler state has the keys {sorted(state)} instead of {sorted(mine)}: give a whole one")
        for key in ("seed", "cases", "shuffle"):
            if state[key] != mine[key]:
                raise DataError(
                    f"sampler state is of {key} {state[key]}, this run of {mine[key]}: the order would be another; "
                    "resume with the same store, task, weights and seed, or begin anew"
                )
        epoch, position = state["epoch"], state["position"]
        if epoch < 0 or not 0 <= position < len(self.indices):
            raise DataError(f"sampler state is at {position} of {len(self.indices)} cases in epoch {epoch}: begin anew")
        self.epoch, self.position = epoch, position


def _shares(weights: Float[np.ndarray, " n"], indices: Int64[np.ndarray, " m"], rows: int) -> Float[np.ndarray, " m"]:
    if len(weights) != rows:
        raise ValueError(f"{len(weights)} weights for {rows} rows: give one a row")
    mine = np.asarray(weights, np.float64)[indices]
    if not (np.isfinite(mine).all() and (mine >= 0).all() and mine.sum() > 0):
        raise ValueError("weights must be finite and not negative, and one of a case that suits above 0")
    return np.asarray(mine / mine.sum(), np.float64)


def _fingerprint(names: Sequence[str], weights: Float[np.ndarray, " n"] | None) -> str:
    """Number of cases, and a hash of what they are."""
    rounded = [] if weights is None else [f"{w:.9g}" for w in weights]
    return f"{len(names)}:{sha256(chr(10).join([*names, *rounded]).encode()).hexdigest()[:16]}"
