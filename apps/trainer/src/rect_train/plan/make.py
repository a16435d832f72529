"""A plan of a run: its parameters, memory, computation, data and hours, and whether it fits."""

from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from rect_core.findings import REGIONS
from rect_data.dataset import StoreDataset, eligible
from rect_train.config import TrainConfig
from rect_train.feed import NEEDS
from rect_train.plan import MFU
from rect_train.plan.advice import advise
from rect_train.plan.gpus import Fleet
from rect_train.plan.memory import beside, imported_bytes, limit_of, on_one
from rect_train.plan.parameters import Part, count
from rect_train.plan.trace import feeds, trace


@dataclass(frozen=True, kw_only=True)
class Plan:
    """memory: bytes on one GPU at the fullest moment of a step, as configured; otherwise: with checkpointing turned
    round; language: of the language model beside it. flops: of a step on all GPUs, by part, what checkpointing computes
    again included. cases: of an epoch, None where they are not known. advice: what would make it fit."""

    config: TrainConfig
    fleet: Fleet
    mfu: float
    parts: tuple[Part, ...]
    memory: dict[str, int]
    otherwise: dict[str, int]
    language: dict[str, int]
    flops: dict[str, int]
    cases: int | None
    advice: tuple[str, ...]

    @property
    def limit(self) -> float:
        """Bytes of a GPU that a run may fill."""
        return limit_of(self.fleet.gpu)

    @property
    def needed(self) -> int:
        """Bytes on one GPU."""
        return sum(self.memory.values())

    @property
    def fits(self) -> bool:
        """Whether the run, without the language model that no phase trains today, fits."""
        return self.needed <= self.limit

    @property
    def cases_per_step(self) -> int:
        """Cases of each feed, over all GPUs."""
        return self.config.batch_size * self.config.optim.accumulate * self.fleet.count

    @property
    def steps_per_epoch(self) -> int | None:
        """Steps in which every case is drawn once."""
        return None if self.cases is None else ceil(self.cases / self.cases_per_step)

    @property
    def steps(self) -> int | None:
        """Steps of the run."""
        if self.config.steps is not None or self.steps_per_epoch is None:
            return self.config.steps
        return self.config.epochs * self.steps_per_epoch

    @property
    def seconds_per_step(self) -> float:
        """At the assumed share of the peak."""
        peak = self.fleet.gpu.peak(self.config.precision) * 1e12 * self.fleet.count
        return sum(self.flops.values()) / (peak * self.mfu)

    @property
    def hours(self) -> float | None:
        """Of all steps; validation and waiting for data are not in it."""
        return None if self.steps is None else self.steps * self.seconds_per_step / 3600

    @property
    def tokens_per_case(self) -> int:
        """Patches, regions and the whole."""
        gd, gh, gw = self.config.sizes.encoder.patch_grid
        return gd * gh * gw + len(REGIONS) + 1

    @property
    def cache_bytes_per_case(self) -> int:
        """The encoder's tokens of a case, in bf16."""
        return 2 * self.tokens_per_case * self.config.sizes.encoder.dim

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; what is not known is null."""
        gpu = self.fleet.gpu
        return {
            "gpus": {
                "name": gpu.name,
                "count": self.fleet.count,
                "shards": self.fleet.shards,
                "nodes": self.fleet.nodes,
                "memory_gb": gpu.memory_gb,
                "peak_tflops": gpu.peak(self.config.precision),
            },
            "parts": {
                part.name: {
                    "parameters": part.parameters,
                    "trained": part.trained,
                    "frozen_bytes": part.frozen_bytes,
                }
                for part in self.parts
            },
            "memory_bytes": self.memory,
            "memory_bytes_with_checkpointing": self.memory if self.config.checkpointing else self.otherwise,
            "memory_bytes_without_checkpointing": self.otherwise if self.config.checkpointing else self.memory,
            "language_model_bytes": self.language,
            "needed_bytes": self.needed,
            "limit_bytes": self.limit,
            "fits": self.fits,
            "advice": list(self.advice),
            "flops_per_step": self.flops,
            "cases": self.cases,
            "cases_per_step": self.cases_per_step,
            "tokens_per_case": self.tokens_per_case,
            "steps_per_epoch": self.steps_per_epoch,
            "steps": self.steps,
            "assumed_mfu": self.mfu,
            "seconds_per_step": self.seconds_per_step,
            "hours": self.hours,
            "feature_cache_bytes_per_case": self.cache_bytes_per_case,
            "feature_cache_bytes": None if self.cases is None else self.cases * self.cache_bytes_per_case,
        }


def make_plan(config: TrainConfig, fleet: Fleet, *, mfu: float = MFU, cases: int | None = None) -> Plan:
    """A plan of a run on some GPUs. Neither weights nor scans are read.

    mfu: share of the peak that the run is taken to reach. cases: of an epoch; None counts them in the store, where it
    is there. Raises ValueError for numbers that cannot be, and for a store that the run would refuse.
    """
    if not 0 < mfu <= 1:
        raise ValueError(f"--mfu {mfu}: give a share of the peak, more than 0 and at most 1")
    if cases is not None and cases < 1:
        raise ValueError(f"--cases {cases}: give at least 1")
    cases = _cases(config) if cases is None else cases
    imported = imported_bytes()
    parts, here, other = count(config), trace(config), trace(replace(config, checkpointing=not config.checkpointing))
    held, turned = (on_one(found, config, parts, fleet, imported) for found in (here, other))
    batches = config.optim.accumulate * fleet.count
    return Plan(
        config=config,
        fleet=fleet,
        mfu=mfu,
        parts=parts,
        memory=held,
        otherwise=turned,
        language=beside(config.language, config, fleet) if config.language else {},
        flops={part: flops * batches for part, flops in here.flops.items()},
        cases=cases,
        advice=tuple(advise(config, fleet, held, turned, lambda more: on_one(here, config, parts, more))),
    )


def _cases(config: TrainConfig) -> int | None:
    """Cases of an epoch: of the feed that has most."""
    if not config.data.store.exists():
        return None
    dataset = StoreDataset(config.data.store)
    has, wants = dataset.reader.config.grid, config.sizes.encoder.grid
    if has != wants:
        raise ValueError(
            f"the store {config.data.store.name} lies on a grid of {has.shape} cells but the encoder reads "
            f"{wants.shape}: give --cases N, or data.store=..."
        )
    needs = [NEEDS[tasks[0]] if len(tasks) == 1 else "any" for tasks in feeds(config)]
    return max(len(eligible(dataset.rows, need, config.data.train)) for need in needs)
