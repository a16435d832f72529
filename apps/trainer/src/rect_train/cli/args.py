"""From words on a command line to a config."""

import argparse
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from rect_core.config import from_dict, from_yaml, to_dict
from rect_train.config import PHASES, TrainConfig
from rect_train.plan import MFU
from rect_train.run import config_of

_FLAGS = ("phase", "epochs", "batch_size", "output_dir", "init")
"""Options that are fields of the config under the same name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Value:
    """One value of YAML."""

    value: Any = None


class OneLineParser(argparse.ArgumentParser):
    """Bad usage is told in one line; --help has the rest."""

    def error(self, message: str) -> NoReturn:
        """Prints the line and exits with 2; of several processes the first does, and the others wait to be ended."""
        if int(os.environ.get("RANK", "0")):
            time.sleep(10.0)
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def train_parser() -> argparse.ArgumentParser:
    """The parser of `rect-train`."""
    parser = OneLineParser(
        prog="rect-train",
        description="Trains the ReCT-VLM stack. `rect-train plan` says what a run would need, `rect-train watch RUN` "
        "shows how it goes, `rect-train export RUN OUT` gives its weights away.",
    )
    _add_config(parser)
    add = parser.add_argument
    add("--resume", action="store_true", help="go on from the last whole checkpoint in --output-dir")
    add("--allow-change", action="append", default=[], metavar="KEY", help="a key that a resumed run may have changed")
    return parser


def plan_parser() -> argparse.ArgumentParser:
    """The parser of `rect-train plan`."""
    parser = OneLineParser(
        prog="rect-train plan",
        description="Says what a run would hold, compute and take, and whether it fits, without weights or scans.",
    )
    _add_config(parser)
    parser.set_defaults(resume=False, allow_change=[])
    add = parser.add_argument
    add("--gpus", default="cpu", metavar="[N x]GPU", help="H100, 4xH200, 16xH100 (two nodes of 8) or cpu (default)")
    add("--mfu", type=float, default=MFU, help=f"share of the peak that the run is taken to reach (default: {MFU})")
    add("--cases", type=int, help="cases of an epoch (default: counted in data.store)")
    add("--json", action="store_true", help="print one JSON object; sizes in bytes")
    add("--check", action="store_true", help="exit with 1 where the run does not fit")
    return parser


def _add_config(parser: argparse.ArgumentParser) -> None:
    """The options that `config_from` reads."""
    add = parser.add_argument
    add("--config", type=Path, help="YAML file, as in configs/; --resume without one takes the run's own")
    add("--phase", help=f"one of {', '.join(PHASES)}")
    add("--tasks", nargs="+", metavar="TASK", help="of the phase's, all unless given")
    add("--epochs", type=int)
    add("--batch-size", type=int, help="cases a step")
    add("--output-dir", help="folder of the run")
    add("--init", metavar="RUN", help="run or folder of weights whose encoder, and heads of these tasks, are the start")
    add("--load-phase1-checkpoints", nargs="+", metavar="RUN", help="phase 2: encoder and classifier from the first, "
        "localizer from the second")  # fmt: skip
    add("--freeze-vision", action="store_true", help="train the heads alone")
    add("overrides", nargs="*", metavar="key=value", help="any key of the config, such as optim.lr=1e-4")


def export_parser() -> argparse.ArgumentParser:
    """The parser of `rect-train export`."""
    parser = OneLineParser(prog="rect-train export", description="Writes a run's weights for from_pretrained.")
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("out", type=Path, help="new folder for encoder/, classifier/, localizer/")
    parser.add_argument("--checkpoint", default="best", help="best (default), last, or a name such as step-00000500")
    parser.add_argument("--weights-status", choices=("synthetic", "clinical-data"), help="what the weights have seen")
    parser.add_argument("--dtype", choices=("fp32", "bf16"), default="fp32", help="of the files (default: fp32)")
    parser.add_argument("--store", type=Path, help="where the run's store is now (default: where it was)")
    parser.add_argument("--no-calibration", action="store_true", help="fit no operating points on its validation split")
    return parser


def watch_parser() -> argparse.ArgumentParser:
    """The parser of `rect-train watch`."""
    parser = OneLineParser(
        prog="rect-train watch",
        description="Shows how runs go, on a terminal until they end; elsewhere as lines, once.",
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run; several are compared")
    parser.add_argument("--once", action="store_true", help="show them as they are now")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with all curves instead")
    return parser


def config_from(options: argparse.Namespace) -> TrainConfig:
    """The config file, then the options, then key=value; raises ValueError naming what is wrong."""
    lists = {"tasks": options.tasks or [], "phase1": options.load_phase1_checkpoints or []}
    overrides = list(options.overrides)
    data = to_dict(_base(options))
    for key, words in lists.items():  # an option that takes several words takes key=value as well
        overrides += [word for word in words if "=" in word]
        if plain := [word for word in words if "=" not in word]:
            data[key] = plain
    given = vars(options)
    data |= {key: given[key] for key in _FLAGS if given[key] is not None}
    if options.freeze_vision:
        data["freeze_vision"] = True
    for word in overrides:
        _override(data, word)
    config = from_dict(TrainConfig, data)
    _check_allowed(options, config)
    return config


def _base(options: argparse.Namespace) -> TrainConfig:
    if options.config is not None:
        return from_yaml(TrainConfig, options.config)
    if options.resume and options.output_dir is not None:
        return config_of(Path(options.output_dir))
    return TrainConfig()


def _override(data: dict[str, Any], word: str) -> None:
    """Sets one key=value in nested dicts; what is no known key is left to `from_dict`, which knows the nearest."""
    key, equals, text = word.partition("=")
    if not equals or not key:
        raise ValueError(f"{word!r}: give key=value, such as optim.lr=1e-4, or an option that begins with --")
    *above, last = key.split(".")
    here = data
    for name in above:
        below = here.get(name)
        here[name] = below if isinstance(below, dict) else {}
        here = here[name]
    here[last] = text if _takes_text(key) else from_yaml(_Value, f"value: {text}\n").value


def _takes_text(key: str) -> bool:
    """Whether a dotted key holds text, so that 1.1 is the phase and not a number."""
    hint: Any = TrainConfig
    for name in key.split("."):
        hint = next((option for option in (hint, *get_args(hint)) if is_dataclass(option)), None)
        if hint is None:
            return False
        hint = get_type_hints(hint).get(name)
    if get_origin(hint) is Literal:
        return all(isinstance(arm, str) for arm in get_args(hint))
    return hint in (str, Path)


def _check_allowed(options: argparse.Namespace, config: TrainConfig) -> None:
    if options.allow_change and not options.resume:
        raise ValueError("--allow-change is for --resume: leave it out")
    known = set(_keys(to_dict(config)))
    for key in options.allow_change:
        if key not in known:
            raise ValueError(f"--allow-change {key}: no such key; known are {', '.join(sorted(known))}")


def _keys(data: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in data.items():
        yield f"{above}{key}"
        if isinstance(value, Mapping):
            yield from _keys(value, f"{above}{key}.")
