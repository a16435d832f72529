"""Where a run computes."""

import os

import torch


def pick_device(name: str) -> torch.device:
    """The device of a name: "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda".

    Raises ValueError for one that is not there, and under torchrun with several processes, which would each train a
    model of their own.
    """
    if (size := os.environ.get("WORLD_SIZE", "1")) != "1":
        raise ValueError(f"{size} processes: rect-train runs in one today; start it without torchrun")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device {name!r}: give auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda: there is no GPU here that torch can use; give device=cpu")
    return torch.device(name)
