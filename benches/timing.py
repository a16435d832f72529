"""The one way we measure: rivals take turns within one run, medians count, memory is measured in a process of its own.

Turns matter because a machine is never equally busy twice; a process of its own, because memory once reached is never
given back. `python -m benches.timing MODULE RIVAL [ARGUMENT ...]` is such a process.
"""

import gc
import importlib
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch

Rival = Callable[[], object]
ROOT = Path(__file__).resolve().parents[1]
MIN_REPEATS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a benchmark found.

    seconds: median a rival; peak_gb: memory beyond what its imports take; ratios: ours / theirs; goals: the largest
    ratio that is good enough, by the same names.
    """

    name: str
    machine: Mapping[str, Any]
    seconds: Mapping[str, float]
    ratios: Mapping[str, float]
    peak_gb: Mapping[str, float]
    goals: Mapping[str, float]

    @property
    def met(self) -> dict[str, bool]:
        """Whether each goal is reached."""
        return {name: self.ratios[name] <= goal for name, goal in self.goals.items()}

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {**asdict(self), "met": self.met}

    def table(self) -> str:
        """Plain text for a terminal."""
        lines = [f"{self.name} on " + ", ".join(f"{key} {value}" for key, value in self.machine.items()), ""]
        width = max(map(len, (*self.seconds, *self.ratios)))
        for rival, seconds in self.seconds.items():
            peak = f"{self.peak_gb[rival]:8.3f} GB" if rival in self.peak_gb else ""
            lines.append(f"  {rival:<{width}} {seconds:8.3f} s {peak}")
        lines.append("")
        for name, ratio in self.ratios.items():
            goal = ""
            if name in self.goals:
                goal = f"goal <= {self.goals[name]:.2f}: {'met' if self.met[name] else 'MISSED'}"
            lines.append(f"  {name:<{width}} {ratio:8.3f}   {goal}".rstrip())
        return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the numbers were measured on, with the load at this moment."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
    }


def interleave(rivals: Mapping[str, Rival], repeats: int = 5) -> dict[str, float]:
    """Median seconds of each rival: each is warmed up once, then they take turns."""
    if repeats < MIN_REPEATS:
        raise ValueError(f"repeats {repeats} is less than {MIN_REPEATS}: a median needs more")
    for rival in rivals.values():
        rival()
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(repeats):
        for name, rival in rivals.items():
            begin = time.perf_counter()
            rival()
            seconds[name].append(time.perf_counter() - begin)
    return {name: median(each) for name, each in seconds.items()}


def peak_gb(module: str, rival: str, *arguments: str) -> float:
    """Peak memory of one call of the rival that `module.RIVALS[rival](*arguments)` prepares, less what the new process
    held just before that call: imports and whatever the rival is given."""
    command = [sys.executable, "-m", "benches.timing", module, rival, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _measure(module: str, rival: str, *arguments: str) -> float:
    call = importlib.import_module(module).RIVALS[rival](*arguments)
    gc.collect()
    before = memory("VmRSS")
    call()
    return (memory("VmHWM") - before) / 1e9


def memory(field: str) -> int:
    """Bytes that this process holds (VmRSS) or has held at most (VmHWM)."""
    # Linux: getrusage's ru_maxrss starts at that of the process which started this one, so ask for our own mark.
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(x.split()[1]) * 1024 for x in status.read_text().splitlines() if x.startswith(field))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    sys.stdout.write(f"{_measure(*sys.argv[1:])}\n")
