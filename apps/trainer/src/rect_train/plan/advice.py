"""What to change about a run that does not fit."""

from collections.abc import Callable, Iterator, Mapping

from rect_train.config import TrainConfig
from rect_train.plan.gpus import GPUS, NODE, Fleet
from rect_train.plan.memory import limit_of, of_cases

Held = Mapping[str, int]


def advise(config: TrainConfig, fleet: Fleet, here: Held, other: Held, on_more: Callable[[Fleet], Held]) -> list[str]:
    """Changes each of which would make a run fit, or nothing where it does.

    here, other: what a GPU holds as configured, and with checkpointing turned round; on_more: what it would hold as one
    of more GPUs.
    """
    if sum(here.values()) <= limit_of(fleet.gpu):
        return []
    found = [
        *_batches(config, fleet, here, other),
        *_more(fleet, on_more),
        *_larger(fleet, here),
    ]
    return found or ["a smaller preset: no known GPU holds one case of this one"]


def _batches(config: TrainConfig, fleet: Fleet, here: Held, other: Held) -> Iterator[str]:
    """Checkpointing, and the largest batches that fit with it and without."""
    limit, size = limit_of(fleet.gpu), config.batch_size
    options = [(here, "")] if config.checkpointing else [(other, "checkpointing=true"), (here, "")]
    for held, change in options:
        a_case = of_cases(held) / size
        room = limit - (sum(held.values()) - a_case * size)
        fitting = min(size, int(room / a_case)) if room > 0 else 0
        if fitting == size:
            yield f"{change}: {sum(held.values()) / 1e9:.1f} GB"
            return
        if fitting:
            same = config.optim.accumulate * size / fitting
            keep = f" optim.accumulate={round(same)}" if same == round(same) else ""
            needed = (sum(held.values()) - a_case * (size - fitting)) / 1e9
            yield f"{change} batch_size={fitting}{keep}: about {needed:.1f} GB".lstrip()
            return


def _more(fleet: Fleet, on_more: Callable[[Fleet], Held]) -> Iterator[str]:
    """The smallest number of GPUs of one node that fits."""
    if fleet.is_cpu:
        return
    for count in (2, 4, NODE):
        more = Fleet(gpu=fleet.gpu, count=count)
        if count > fleet.count and (needed := sum(on_more(more).values())) <= limit_of(fleet.gpu):
            yield f"--gpus {more}: {needed / 1e9:.1f} GB on each"
            return


def _larger(fleet: Fleet, here: Held) -> Iterator[str]:
    """GPUs with room enough."""
    needed = sum(here.values())
    if names := [name for name, gpu in GPUS.items() if needed <= limit_of(gpu)]:
        times = "" if fleet.count == 1 else f"{fleet.count}x"
        yield "--gpus " + " or ".join(f"{times}{name}" for name in names)
