"""Where a process computes."""

import torch


def pick_device(name: str, local_rank: int = 0) -> torch.device:
    """The device of a name: "auto" (CUDA where there is one, else the CPU), "cpu" or "cuda"; of several GPUs the one of
    this process's number on its machine.

    Raises ValueError for one that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ValueError(f"device {name!r}: give auto, cpu or cuda")
    if name == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ValueError("device cuda: there is no GPU here that torch can use; give device=cpu")
    if local_rank >= torch.cuda.device_count():
        raise ValueError(
            f"{local_rank + 1} processes on a machine with {torch.cuda.device_count()} GPUs: start one for each GPU"
        )
    return torch.device("cuda", local_rank)
