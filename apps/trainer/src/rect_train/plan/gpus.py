"""GPUs that runs are planned on, as their maker states them, and this machine's CPU, as it measures itself."""

import os
import re
import time
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final, Literal

import torch

NODE: Final = 8
"""GPUs of a node: weights are sharded inside one and replicated over several (HSDP)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """memory_gb: in units of 1e9 bytes; bf16, fp32: dense peaks in TFLOP/s, tensor cores for bf16 and none for fp32."""

    name: str
    memory_gb: float
    bf16: float
    fp32: float

    def peak(self, precision: Literal["bf16", "fp32"]) -> float:
        """TFLOP/s at a precision."""
        return self.bf16 if precision == "bf16" else self.fp32


_TABLE: Final = (
    Gpu(name="A100-40", memory_gb=40, bf16=312, fp32=19.5),
    Gpu(name="A100-80", memory_gb=80, bf16=312, fp32=19.5),
    Gpu(name="H100", memory_gb=80, bf16=989, fp32=67),
    Gpu(name="H200", memory_gb=141, bf16=989, fp32=67),
    Gpu(name="B200", memory_gb=180, bf16=2250, fp32=75),
    Gpu(name="L40S", memory_gb=48, bf16=362, fp32=91.6),
    Gpu(name="RTX-4090", memory_gb=24, bf16=165, fp32=82.6),
    Gpu(name="RTX-A6000", memory_gb=48, bf16=155, fp32=38.7),
    Gpu(name="V100", memory_gb=32, bf16=15.7, fp32=15.7),
)
GPUS: Final = {gpu.name: gpu for gpu in _TABLE}
"""From NVIDIA's datasheets (A100 SXM, H100 SXM, H200 SXM, DGX B200 per GPU, L40S, V100 SXM2 of 32 GB) and architecture
whitepapers (Ada: RTX 4090; GA102: RTX A6000). Where they state bf16 with sparsity, half of it. A V100 has no bf16: it
computes it in float32."""

_SLOWER: Final = {"PCIE", "NVL", "LAPTOP", "MAX", "D"}
"""Words of a driver's name for kinds that the datasheets give lower peaks; an A100 has the same on PCIe."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """A number of the same GPU, or this machine's CPU."""

    gpu: Gpu
    count: int

    @property
    def shards(self) -> int:
        """GPUs that the trained weights are divided over."""
        return min(self.count, NODE)

    @property
    def nodes(self) -> int:
        """Machines."""
        return -(-self.count // NODE)

    @property
    def is_cpu(self) -> bool:
        """Whether it is this machine's CPU."""
        return self.gpu.name == "cpu"

    def __str__(self) -> str:
        return self.gpu.name if self.count == 1 else f"{self.count}x{self.gpu.name}"


def parse_fleet(text: str) -> Fleet:
    """`H100`, `4xH200`, `16xH100` (two nodes of 8) or `cpu`, whatever the case.

    Raises ValueError for a GPU that is not in the table, with those that are near, and for a number that is none, or
    that fills no whole nodes.
    """
    found = re.fullmatch(r"\s*(?:([0-9]+)\s*[x×*]\s*)?(.*?)\s*", text, re.IGNORECASE)
    assert found is not None, "the pattern takes any text of one line"
    count, name = int(found[1] or 1), found[2]
    if _key(name) == "cpu":
        if count != 1:
            raise ValueError(f"--gpus {text}: the processes of one machine share its CPU; give cpu")
        return Fleet(gpu=this_cpu(), count=1)
    gpu = {_key(known): gpu for known, gpu in GPUS.items()}.get(_key(name))
    if gpu is None:
        raise ValueError(f"--gpus {text}: no GPU {name!r} is known; {_near(name)}")
    if count < 1 or (count > NODE and count % NODE):
        raise ValueError(f"--gpus {text}: give 1 to {NODE}, or whole nodes of {NODE}, such as {2 * NODE}x{gpu.name}")
    return Fleet(gpu=gpu, count=count)


def named(device: str) -> Gpu | None:
    """The GPU of a name that a driver gives, such as "NVIDIA H100 80GB HBM3"; None for one that is not in the table,
    and for slower kinds (PCIe, NVL, laptops) of one that is."""
    words = re.split(r"[^A-Z0-9]+", device.upper())
    if set(words) & _SLOWER and "A100" not in words:
        return None
    same = [gpu for name, gpu in GPUS.items() if set(re.sub("-(40|80)$", "", name).upper().split("-")) <= set(words)]
    return next((gpu for gpu in same if f"{gpu.memory_gb:.0f}GB" in words), same[0] if same else None)


def this_cpu() -> Gpu:
    """This machine as if it were a GPU: its memory, and the fastest of a few matrix products at this moment."""
    memory = _memory_bytes() / 1e9
    return Gpu(name="cpu", memory_gb=memory, bf16=_measured(torch.bfloat16), fp32=_measured(torch.float32))


def _memory_bytes() -> int:
    """Of the machine, or of the container that the process may fill."""
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="ascii").strip() if limit.is_file() else "max"
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(physical, int(text)) if text.isdecimal() else physical


def _measured(dtype: torch.dtype, size: int = 1024, repeats: int = 5) -> float:
    """TFLOP/s of a square matrix product."""
    square = torch.ones(size, size, dtype=dtype)
    seconds = []
    for _ in range(repeats):
        begun = time.perf_counter()
        torch.mm(square, square)
        seconds.append(time.perf_counter() - begun)
    return 2 * size**3 / min(seconds) / 1e12


def _key(name: str) -> str:
    return re.sub(r"[\s_-]", "", name).lower()


def _near(name: str) -> str:
    """What a name may have meant: part of a known one, or spelt nearly like it."""
    keys = {_key(known): known for known in GPUS}
    asked = _key(name)
    near = [known for key, known in keys.items() if len(asked) > 2 and (asked in key or key in asked)]
    near = near or [keys[key] for key in get_close_matches(asked, keys)]
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(GPUS)} and cpu"
