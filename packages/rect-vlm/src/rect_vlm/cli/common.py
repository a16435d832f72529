"""Options and steps that several commands share."""

import argparse
import math
from importlib.util import find_spec
from typing import Protocol, runtime_checkable

import torch
from rich.console import Console

from rect_vlm.model import ReCTVLM

NO_MODEL = (
    "no weights are installed: pip install 'rect-vlm[tiny]', give --model FOLDER, "
    "or try the path with --model untrained:tiny"
)


@runtime_checkable
class Commands(Protocol):
    """What argparse's add_subparsers returns."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:  # noqa: A002
        """Adds one command."""
        ...


def stderr() -> Console:
    """Where progress and problems go; standard output is for results."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def stdout() -> Console:
    """Where results go."""
    return Console(highlight=False)


def add_scans(command: argparse.ArgumentParser) -> None:
    """The scans to work on."""
    command.add_argument(
        "scans",
        nargs="+",
        metavar="SCAN|FOLDER",
        help="volume file, DICOM folder or zip, folder of these, or sample:chest",
    )


def add_model(command: argparse.ArgumentParser) -> None:
    """Which weights, where to run them, and the scan's region map."""
    command.add_argument(
        "--model", metavar="NAME", help="weights: folder, installed package, Hub id, or untrained:tiny"
    )
    command.add_argument("--device", help="auto (default), cpu, cuda, cuda:1, mps")
    command.add_argument(
        "--regions", metavar="FILE", help="map of the 20 regions or TotalSegmentator labels; a folder for many"
    )
    command.add_argument(
        "--allow-tilt", action="store_true", help="resample a gantry-tilted scan instead of refusing it"
    )


def load_model(options: argparse.Namespace) -> ReCTVLM:
    """The model that the options name; without --model the installed rect-tiny, else ValueError saying what to do."""
    name = options.model or ("rect-tiny" if find_spec("rect_tiny") else None)
    if name is None:
        raise ValueError(NO_MODEL)
    return ReCTVLM.from_pretrained(name).to(pick_device(options.device or "auto"))


def pick_device(name: str) -> torch.device:
    """The asked device; auto is CUDA where there is one, else the CPU. One that is not there raises ValueError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError):
        raise ValueError(f"--device {name}: there is no such device here; use --device cpu") from None
    return device


def threshold(text: str) -> float:
    """A probability strictly between 0 and 1, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return value
