"""What is known of the weights of a run: its data, its training, its scores. What is not known stays unknown."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any, Final

from rect_core.config import to_dict
from rect_core.frame import GridConfig
from rect_data.store import StoreReader
from rect_data.store.layout import SETTINGS
from rect_train.checkpoint import state_of
from rect_train.config import TrainConfig
from rect_train.provenance import SESSIONS
from rect_train.run import METRICS, config_of, origins_of, read_rows, sources_of
from rect_train.scores import ENDS

VALID: Final = "valid/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """A score, the ends of its 95 % interval, and what another patient's scan gets; NaN where it is not known."""

    name: str
    value: float
    low: float = nan
    high: float = nan
    mismatched: float = nan


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreFacts:
    """A store: its name, the licence that it states ("" is none), and scans and patients of each split."""

    name: str
    licence: str
    grid: GridConfig
    splits: Mapping[str, tuple[int, int]]
    excluded: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFacts:
    """A checkpoint of a run. sources: component -> where it began; store: None where it is not there any more;
    sessions: of whoever began it and went on; validated: step of the validation that the metrics are from."""

    run: str
    step: int
    best: bool
    config: TrainConfig
    origins: tuple[str, ...]
    sources: Mapping[str, str]
    store: StoreFacts | None
    sessions: tuple[Mapping[str, Any], ...]
    validated: int | None
    metrics: tuple[Metric, ...]


def facts_of(run: Path, checkpoint: str, store: Path) -> RunFacts:
    """What the folder of a run says of one of its checkpoints, and the store of its data."""
    state = state_of(run / "checkpoints" / checkpoint)
    rows = [row for row in read_rows(run / METRICS) if row["step"] <= state["step"] and _scored(row)]
    return RunFacts(
        run=f"{run.absolute().name}/{checkpoint}",
        step=state["step"],
        best=state["best_checkpoint"] == checkpoint,
        config=config_of(run),
        origins=tuple(sorted(origins_of(run))),
        sources=sources_of(run),
        store=_store_facts(store) if (store / SETTINGS).is_file() else None,
        sessions=tuple(read_rows(run / SESSIONS)),
        validated=rows[-1]["step"] if rows else None,
        metrics=_metrics(rows[-1]) if rows else (),
    )


def without_folders(value: Any) -> Any:
    """Plain data in which an absolute path is only its last name: where somebody keeps data is nobody else's."""
    if isinstance(value, Mapping):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(item) for item in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def command_without_folders(command: str) -> str:
    """A command line in which an absolute path, after a `=` too, is only its last name."""
    words = []
    for word in shlex.split(command):
        key, equals, value = word.partition("=")
        words.append(f"{key}={without_folders(value)}" if equals else str(without_folders(word)))
    return shlex.join(words)


def config_text(config: TrainConfig) -> str:
    """The config as JSON (which is YAML too), a list on one line, without anybody's folders."""
    text = json.dumps(without_folders(to_dict(config)), indent=1)
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)


def _scored(row: Mapping[str, Any]) -> bool:
    return any(key.startswith(VALID) for key in row)


def _metrics(row: Mapping[str, Any]) -> tuple[Metric, ...]:
    logged = {key.removeprefix(VALID): value for key, value in row.items() if key.startswith(VALID)}
    found = {name: nan if value is None else float(value) for name, value in logged.items()}
    names = [name for name in found if not _is_beside(name, found)]
    return tuple(
        Metric(name=name, value=found[name], **{end[1:]: found.get(f"{name}{end}", nan) for end in ENDS})
        for name in names
    )


def _is_beside(name: str, names: Mapping[str, float]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in names for end in ENDS)


def _store_facts(store: Path) -> StoreFacts:
    reader = StoreReader(store)
    patients: dict[str, set[str]] = {}
    for row in reader.rows:
        patients.setdefault(row.split, set()).add(row.patient)
    scans = Counter(row.split for row in reader.rows)
    return StoreFacts(
        name=store.absolute().name,
        licence=reader.config.licence,
        grid=reader.config.grid,
        splits={split: (scans[split], len(patients[split])) for split in _in_order(scans)},
        excluded=len(reader.excluded),
    )


def _in_order(splits: Mapping[str, int]) -> Sequence[str]:
    known = ("train", "valid", "test")
    return sorted(splits, key=lambda split: (known.index(split) if split in known else len(known), split))
