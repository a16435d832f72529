"""What one GPU of several holds of a step."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rect_train.config import TrainConfig
from rect_train.language import LanguageConfig
from rect_train.plan.gpus import Fleet, Gpu
from rect_train.plan.parameters import LANGUAGE, Part, adapters, language_layer_bytes, largest_unit
from rect_train.plan.trace import AVERAGE, BATCH, GRADIENTS, MOMENTS, WEIGHTS, Trace

HEADROOM: Final = 0.1
"""Share of the memory that a plan leaves free: CUDA's context, buffers of NCCL and cuDNN, what an allocator rounds up,
keeps or cannot join."""

GATHERED: Final = "gathered layers"
IMPORTS: Final = "imports"
KEPT: Final = "kept by the allocator"
KEPT_SHARE: Final = 0.5
"""Of what is alive at the fullest moment, on a CPU: what glibc's heap holds besides, because a run tells it to keep
what a step frees (`rect_train.heap`), and what kernels work in. Measured: 0.41 to 0.73 (docs/PERFORMANCE.md)."""

_SHARDED: Final = (GRADIENTS, MOMENTS, AVERAGE)
_OF_WEIGHTS: Final = (WEIGHTS, GATHERED, *_SHARDED, IMPORTS)
_FLOAT32: Final = 4


def limit_of(gpu: Gpu) -> float:
    """Bytes of a GPU that a run may fill."""
    return gpu.memory_gb * 1e9 * (1 - HEADROOM)


def of_cases(held: Mapping[str, int]) -> int:
    """The bytes that grow with the batch."""
    return sum(size for name, size in held.items() if name not in _OF_WEIGHTS)


def on_one(
    found: Trace, config: TrainConfig, parts: tuple[Part, ...], fleet: Fleet, imported: int = 0
) -> dict[str, int]:
    """Bytes on one GPU at the fullest moment of a step, by what they are for.

    As FSDP2 divides them: trained weights, gradients, moments and averages over the GPUs of a node, frozen ones whole
    on each; the layer at work and the next are gathered, and one layer's gradient waits to be divided. Activations and
    batch are each GPU's own. imported: what a process on a CPU holds before it begins; there the allocator keeps some
    memory besides.
    """
    shards = fleet.shards
    frozen = sum(part.frozen_bytes for part in parts if part.name != LANGUAGE)
    held = dict(found.memory)
    rows = {WEIGHTS: frozen + -(-(held.pop(WEIGHTS) - frozen) // shards)}
    if shards > 1:
        rows[GATHERED] = 3 * _FLOAT32 * largest_unit(config)
    rows |= {name: -(-held.pop(name) // shards) for name in _SHARDED if name in held}
    batch = held.pop(BATCH)
    rows |= {**held, BATCH: batch}
    if not fleet.is_cpu:
        return rows
    return {**rows, KEPT: round(KEPT_SHARE * sum(rows.values())), IMPORTS: imported}


def beside(language: LanguageConfig, config: TrainConfig, fleet: Fleet) -> dict[str, int]:
    """Bytes of a language model on one GPU beside the rest, by what they are for: its frozen base in bf16, and its
    adapters in float32 with gradients, two moments and, where the run has one, their average. Both are divided over
    the GPUs of a node, so two layers are gathered. Its activations are not known."""
    shards = fleet.shards
    copies = 5 if config.optim.ema else 4
    rows = {
        "frozen base": -(-2 * language.parameters // shards),
        "adapters": -(-copies * _FLOAT32 * adapters(language) // shards),
    }
    return {**rows, GATHERED: 2 * language_layer_bytes(language)} if shards > 1 else rows


def imported_bytes() -> int:
    """Memory of this process now, which has imported what a run imports."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
