"""The folder of a run: its config, where its weights came from, its log and its checkpoints."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from rect_core.config import from_yaml, to_dict, to_yaml
from rect_data.store.layout import SETTINGS, read_config
from rect_train.changes import changes, covers, shown
from rect_train.config import TrainConfig
from rect_train.provenance import SESSIONS, session

CONFIG: Final = "config.yaml"
METRICS: Final = "metrics.jsonl"
SKIPPED: Final = "skipped.jsonl"
EVENTS: Final = "events.jsonl"
_START: Final = "start.json"

_ITS_OWN: Final = ("output_dir", "init", "phase1", "shard", "timeout_s", "track")
"""What a resumed run keeps or may have moved, whatever the command says."""

_FIXED: Final = ("preset", "model", "phase", "tasks", "freeze_vision", "loss.uncertainty", "seed", "data.origin")
"""What decides which tensors a checkpoint holds, in which order cases come, and what an export says of itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """Where a run writes. writes: whether this process does; only the first of several does."""

    folder: Path
    writes: bool = True

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.folder / "checkpoints"

    def create(self, config: TrainConfig) -> None:
        """Makes the folder, with the config in it, and notes the command and the code."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        _replace(self.folder / CONFIG, to_yaml(config))
        self.write(SESSIONS, session())

    def write(self, name: str, row: Mapping[str, Any]) -> None:
        """Adds one line of JSON to a file of the run; a number that is not finite is null."""
        if not self.writes:
            return
        with (self.folder / name).open("a", encoding="utf-8") as file:
            file.write(json.dumps(_plain(row), allow_nan=False) + "\n")

    def rewind(self, step: int) -> None:
        """Takes back what was logged after a step, and a line that a kill has torn."""
        for name in (METRICS, SKIPPED, EVENTS):
            kept = [row for row in read_rows(self.folder / name) if row.get("step", 0) <= step]
            _replace(self.folder / name, "".join(json.dumps(row) + "\n" for row in kept))

    def remember(self, origins: Collection[str], sources: Mapping[str, str]) -> None:
        """Notes what kinds of scans the weights have seen, and where each component began."""
        said = {"origins": sorted(origins), "sources": dict(sources)}
        _replace(self.folder / _START, json.dumps(said, indent=2) + "\n")


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a log; none where there is no log yet."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run."""
    return (folder / CONFIG).is_file()


def config_of(folder: Path) -> TrainConfig:
    """The config of a run; raises ValueError where there is none."""
    if not is_run(folder):
        raise ValueError(f"{folder.name} holds no run (no {CONFIG} in it): give a folder that rect-train wrote to")
    return from_yaml(TrainConfig, folder / CONFIG)


def origins_of(folder: Path) -> frozenset[str]:
    """What kinds of scans the weights of a run have seen, those of the runs it began from included."""
    return frozenset(json.loads((folder / _START).read_text(encoding="utf-8"))["origins"])


def sources_of(folder: Path) -> dict[str, str]:
    """Component -> where it began, of those that were not drawn from the seed."""
    sources: dict[str, str] = json.loads((folder / _START).read_text(encoding="utf-8"))["sources"]
    return sources


def check_new(config: TrainConfig) -> TrainConfig:
    """The config, where it may begin a run, with what the store says of its scans' origin.

    Raises ValueError for a folder that holds a run, for a frozen encoder that nothing was loaded into, and for a
    data.origin that the store contradicts.
    """
    if is_run(config.output_dir):
        raise ValueError(
            f"{config.output_dir.name} holds a run already: give --resume to go on, or another --output-dir"
        )
    if config.freeze_vision and config.init is None and not config.phase1:
        raise ValueError(
            "--freeze-vision would freeze a random encoder: give --init RUN or --load-phase1-checkpoints A B"
        )
    return _with_origin(config)


def _with_origin(config: TrainConfig) -> TrainConfig:
    data = config.data
    known = read_config(data.store).origin if (data.store / SETTINGS).is_file() else "unknown"
    if "unknown" not in (known, data.origin) and known != data.origin:
        raise ValueError(f"data.origin {data.origin}: the store {data.store.name} holds {known} scans: leave it out")
    return replace(config, data=replace(data, origin=known)) if data.origin == "unknown" else config


def continued(config: TrainConfig, allow: Collection[str] = ()) -> TrainConfig:
    """The config that a resumed run goes on with; a data.origin that is not said is the run's.

    Raises ValueError for a folder without a run and for a config that differs from the run's in a key that is not in
    `allow`, or that no checkpoint outlives.
    """
    before = config_of(config.output_dir)
    if config.data.origin == "unknown":
        config = replace(config, data=replace(config.data, origin=before.data.origin))
    old, new = to_dict(before), to_dict(config)
    found = changes(old, new, but=_ITS_OWN)
    fixed = {key: change for key, change in found.items() if covers(_FIXED, key)}
    if (before.optim.ema > 0) != (config.optim.ema > 0):
        fixed["optim.ema"] = (before.optim.ema, config.optim.ema)
    if fixed:
        raise ValueError(f"a run cannot go on with another config ({shown(fixed)}): begin a new one with --init")
    if refused := {key: change for key, change in found.items() if not covers(allow, key)}:
        raise ValueError(
            f"the run in {config.output_dir.name} has another config ({shown(refused)}): leave the change out, or give "
            f"{' '.join(f'--allow-change {key}' for key in refused)}"
        )
    return replace(config, init=before.init, phase1=before.phase1)


def _replace(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.tmp")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value
