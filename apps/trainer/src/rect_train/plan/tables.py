"""A plan as tables of text, which a terminal and a log show alike."""

from dataclasses import dataclass
from typing import Final

from rect_train.plan.make import Plan
from rect_train.plan.memory import HEADROOM

UNKNOWN = "not known"
_BYTES: Final = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
_FLOP: Final = (("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6), ("FLOP", 1.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """columns: what a row is, then numbers, then words about them. numbers: how many; total: whether the last row is a
    sum; note: what to know."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: int = 2
    total: bool = False
    note: str = ""


def headline(plan: Plan) -> str:
    """What is planned, in one line."""
    config, gpu = plan.config, plan.fleet.gpu
    name = "own sizes" if config.model else config.preset
    where = f"{plan.fleet}, {gpu.memory_gb:.0f} GB and {gpu.peak(config.precision):.4g} TFLOP/s of {config.precision}"
    each = " each" if plan.fleet.count > 1 else ""
    nodes = f" on {plan.fleet.nodes} nodes" if plan.fleet.nodes > 1 else ""
    return f"{name}, phase {config.phase} ({', '.join(config.asked)}) on {where}{each}{nodes}"


def tables(plan: Plan) -> tuple[Table, ...]:
    """Parameters, memory, computation, and the run."""
    return _parameters(plan), _memory(plan), _computation(plan), _run(plan)


def verdict(plan: Plan) -> tuple[str, ...]:
    """Whether it fits; then, a line each, what would make it fit, and what the language model would add."""
    needed, held = plan.needed / 1e9, plan.fleet.gpu.memory_gb
    word = "fits" if plan.fits else "does not fit"
    lines = [f"{word}: {needed:.1f} of {held:.0f} GB ({needed / held:.0%}); a plan leaves {HEADROOM:.0%} free"]
    lines += [f"try {change}" for change in plan.advice]
    if plan.language:
        both = (plan.needed + sum(plan.language.values())) / 1e9
        word = "fits" if both * 1e9 <= plan.limit else "does not fit"
        lines.append(
            f"with the language model, which no phase trains today, beside it: {word}, {both:.1f} of {held:.0f} GB "
            "without its activations"
        )
    return tuple(lines)


def _parameters(plan: Plan) -> Table:
    rows = [(part.name, _count(part.parameters), _count(part.trained), _gb(part.frozen_bytes)) for part in plan.parts]
    rank = plan.config.language.lora_rank if plan.config.language else 0
    note = f"{plan.config.language.source}; LoRA of rank {rank} on every linear map" if plan.config.language else ""
    return Table(
        title="Parameters", columns=("", "all", "trained", "frozen GB"), rows=tuple(rows), numbers=3, note=note
    )


def _memory(plan: Plan) -> Table:
    names = dict.fromkeys([*plan.memory, *plan.otherwise])
    with_, without = (plan.memory, plan.otherwise) if plan.config.checkpointing else (plan.otherwise, plan.memory)
    rows = [(name, _gb(with_.get(name, 0)), _gb(without.get(name, 0))) for name in names]
    rows.append(("together", _gb(sum(with_.values())), _gb(sum(without.values()))))
    here = ("with checkpointing", "without")
    columns = tuple(f"{word}*" if own else word for word, own in zip(here, _own(plan), strict=True))
    shards = plan.fleet.shards
    shared = f"; weights, gradients and moments divided over {shards} GPUs" if shards > 1 else ""
    return Table(
        title="Memory of one GPU, GB" if not plan.fleet.is_cpu else "Memory, GB",
        columns=("", *columns),
        rows=tuple(rows),
        total=True,
        note=f"* as configured; the fullest moment of a step{shared}",
    )


def _own(plan: Plan) -> tuple[bool, bool]:
    return plan.config.checkpointing, not plan.config.checkpointing


def _computation(plan: Plan) -> Table:
    whole = sum(plan.flops.values())
    unit, factor = next((unit, factor) for unit, factor in _FLOP if whole >= 10 * factor or unit == "FLOP")
    rows = [(part, _short(flops / factor), _share(flops / whole)) for part, flops in plan.flops.items()]
    rows.append(("together", _short(whole / factor), "100%"))
    note = "recomputed blocks included" if plan.config.checkpointing else ""
    return Table(title="Computation of a step", columns=("", unit, "share"), rows=tuple(rows), total=True, note=note)


def _run(plan: Plan) -> Table:
    config, optim = plan.config, plan.config.optim
    turns = f" x {optim.accumulate} batches" if optim.accumulate > 1 else ""
    gpus = f" x {plan.fleet.count} GPUs" if plan.fleet.count > 1 else ""
    epochs = f"{config.epochs} epochs" if config.steps is None else "as configured"
    rows = (
        ("tokens a case", f"{plan.tokens_per_case:,}", "of the encoder"),
        ("cases a step", f"{plan.cases_per_step:,}", f"{config.batch_size}{turns}{gpus}"),
        (
            "cases an epoch",
            _number(plan.cases),
            "" if plan.cases is not None else "give --cases N or data.store=STORE",
        ),
        ("steps an epoch", _number(plan.steps_per_epoch), ""),
        ("steps", _number(plan.steps), epochs),
        (
            "seconds a step",
            _short(plan.seconds_per_step),
            f"at {plan.mfu:.0%} of the peak, which is an assumption (--mfu)",
        ),
        ("hours", _number(plan.hours), "without validation and waiting for data"),
        ("cached features", *_cache(plan)),
    )
    return Table(title="The run", columns=("", "", ""), rows=rows, numbers=1)


def _cache(plan: Plan) -> tuple[str, str]:
    each = f"{_size(plan.cache_bytes_per_case)} a case: a frozen encoder's tokens in bf16"
    return (UNKNOWN if plan.cases is None else _size(plan.cases * plan.cache_bytes_per_case)), each


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,}" if isinstance(value, int) else _short(value)


def _short(value: float) -> str:
    """Three digits and more, never an exponent for what is large."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(size: float) -> str:
    unit, factor = next((unit, factor) for unit, factor in _BYTES if size >= factor or unit == "kB")
    return f"{_short(size / factor)} {unit}"


def _share(value: float) -> str:
    return "< 1%" if 0 < value < 0.01 else f"{value:.0%}"


def _gb(size: float) -> str:
    return "-" if not size else f"{size / 1e9:,.2f}" if size >= 1e7 else "< 0.01"


def _count(value: int) -> str:
    for unit, factor in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return "-" if not value else str(value)
