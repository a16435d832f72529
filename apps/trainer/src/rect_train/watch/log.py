"""What a run has written so far, as series of numbers."""

import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any, Final, Literal

from rect_core.config import from_yaml
from rect_train.run import CONFIG, EVENTS, METRICS, SKIPPED, is_run
from rect_train.watch.points import Points, without
from rect_train.watch.tail import Tail

State = Literal["starting", "running", "stopped", "finished"]

_STATES: Final[dict[str, State]] = {
    "beginning a run of": "running",
    "going on from": "running",
    "stopped after": "stopped",
    "finished after": "finished",
}
"""How the events that change a run's state begin."""
_TOTAL: Final = re.compile(r"^(?:beginning a run|going on from \S+) of (\d{1,15}) steps$")
_VALID: Final = "valid/"
_MOST_RUNS: Final = 8
_STEERS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Skip:
    """A step that was not taken."""

    step: int
    why: str
    case_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that was said."""

    at: str
    said: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _Yaml:
    """Any YAML."""

    value: Any = None


@dataclass(kw_only=True)
class Log:
    """The logs of a run. series: of the steps; scores: of the validations; damaged: file -> lines that are not what a
    run writes; heard: when something was last written, in seconds since 1970 (0: never)."""

    folder: Path
    name: str = ""
    series: dict[str, Points] = field(default_factory=dict)
    scores: dict[str, Points] = field(default_factory=dict)
    skipped: list[Skip] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    damaged: dict[str, int] = field(default_factory=dict)
    state: State = "starting"
    step: int = 0
    total: int = 0
    heard: float = 0.0
    _tails: dict[str, Tail] = field(init=False)
    _places: dict[str, Points] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not is_run(self.folder):
            raise ValueError(
                f"{self.folder.name} holds no run (no {CONFIG} in it): give a folder that rect-train wrote to"
            )
        self.name = printable(self.name or self.folder.resolve().name)
        self._tails = {name: Tail(self.folder / name) for name in (METRICS, SKIPPED, EVENTS)}

    @property
    def config(self) -> str:
        """The config as it was written."""
        return (self.folder / CONFIG).read_text(encoding="utf-8", errors="replace")

    @property
    def settings(self) -> dict[str, Any]:
        """The config as plain dicts, whatever edition of rect-train wrote it; empty where it is not YAML."""
        try:
            held = from_yaml(_Yaml, f"value:\n{indent(self.config, '  ')}\n").value
        except ValueError:
            return {}
        return held if isinstance(held, dict) else {}

    def taken(self, name: str) -> Points:
        """A series without the steps that were skipped."""
        return without(self.series.get(name, Points()), {skip.step for skip in self.skipped})

    def update(self) -> bool:
        """Reads what is new; returns whether there was anything."""
        if changed := any([self._read_metrics(), self._read_skipped(), self._read_events()]):
            found = [path.stat().st_mtime for name in self._tails if (path := self.folder / name).is_file()]
            self.heard = max(found, default=0.0)
        if self.step and self.state == "starting":
            self.state = "running"
        return changed

    def _read_metrics(self) -> bool:
        again, rows = self._rows(METRICS)
        if again:
            self._go_back(0)
        for row in rows:
            step = row.pop("step", None)
            if not isinstance(step, int) or not 0 <= step < 10**15:
                self.damaged[METRICS] += 1
                continue
            if step < self.step:
                self._go_back(step)
            same, self.step = step == self.step, step
            for key, value in row.items():
                points = self._places.get(key)
                if points is None:
                    points = self._places[key] = self._place(key)
                if same:
                    points.cut(step)
                points.steps.append(step)
                points.values.append(_number(value))
        return again or bool(rows)

    def _place(self, key: str) -> Points:
        """Where the values of a key are kept."""
        into = self.scores if key.startswith(_VALID) else self.series
        return into.setdefault(printable(key.removeprefix(_VALID)), Points())

    def _go_back(self, step: int) -> None:
        """Forgets a step and what came after it: the run has taken it again."""
        for kept in (self.series, self.scores):
            for name, points in [*kept.items()]:
                points.cut(step)
                if not points:
                    del kept[name]
        self._places.clear()
        self.step = 0

    def _read_skipped(self) -> bool:
        again, rows = self._rows(SKIPPED)
        self.skipped = [] if again else self.skipped
        for row in rows:
            step, cases = row.get("step"), row.get("case_ids")
            if not isinstance(step, int) or not isinstance(cases, list):
                self.damaged[SKIPPED] += 1
                continue
            while self.skipped and self.skipped[-1].step >= step:
                self.skipped.pop()
            ids = tuple(printable(case) for case in cases)
            self.skipped.append(Skip(step=step, why=printable(row.get("why", "")), case_ids=ids))
        return again or bool(rows)

    def _read_events(self) -> bool:
        again, rows = self._rows(EVENTS)
        if again:
            self.events, self.state, self.total = [], "starting", 0
        for row in rows:
            event = Event(at=printable(row.get("at", "")), said=printable(row.get("said", "")))
            self.events.append(event)
            self.state = next((to for words, to in _STATES.items() if event.said.startswith(words)), self.state)
            if found := _TOTAL.match(event.said):
                self.total = int(found[1])
        return again or bool(rows)

    def _rows(self, name: str) -> tuple[bool, list[dict[str, Any]]]:
        again, lines = self._tails[name].read()
        found = [_row(line) for line in lines]
        before = 0 if again else self.damaged.get(name, 0)
        self.damaged[name] = before + found.count(None)
        return again, [row for row in found if row is not None]


def open_logs(folders: list[Path]) -> list[Log]:
    """The logs of these runs, read until now; runs whose folders have one name are told apart by what is above them.

    Raises ValueError for a folder without a run, and for more runs than can be told apart.
    """
    places = list(dict.fromkeys(folder.resolve() for folder in folders))
    if len(places) > _MOST_RUNS:
        raise ValueError(f"{len(places)} runs are too many to tell apart: give at most {_MOST_RUNS}")
    names = [place.name for place in places]
    logs = [
        Log(folder=place, name=f"{place.parent.name}/{name}" if names.count(name) > 1 else name)
        for place, name in zip(places, names, strict=True)
    ]
    for log in logs:
        log.update()
    return logs


def printable(value: object) -> str:
    """Text on one line, which can neither steer a terminal nor turn the direction of what stands around it."""
    return _STEERS.sub("\ufffd", str(value))


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _number(value: object) -> float:
    """The value as a finite float, or NaN."""
    if isinstance(value, (float, int)) and -1e300 < value < 1e300:  # NaN is in no range
        return float(value)
    return math.nan
