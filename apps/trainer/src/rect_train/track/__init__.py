"""Where a run can be looked at while it goes on, besides its own log: TensorBoard, Weights & Biases, MLflow."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from rect_data.dataset import StoreDataset
from rect_train.config import Service, TrainConfig
from rect_train.track.board import Board
from rect_train.track.services import Mlflow, Wandb
from rect_train.validate import Seen

BOARD: Final = "tensorboard"
"""Its folder in that of the run."""


@runtime_checkable
class Tracker(Protocol):
    """One that is told numbers."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a step or of the validation after it, by the names of metrics.jsonl."""

    def close(self) -> None:
        """Says that there are no more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trackers:
    """Those of a run. board: TensorBoard, which sees more than numbers; None where the run has none."""

    each: tuple[Tracker, ...] = ()
    board: Board | None = None

    def log(self, row: Mapping[str, Any]) -> None:
        """A row of metrics.jsonl; numbers that are not finite are left out."""
        values = {name: float(value) for name, value in row.items() if name != "step" and math.isfinite(value)}
        for tracker in self.each:
            tracker.log(row["step"], values)

    def show(self, step: int, seen: Seen, dataset: StoreDataset) -> None:
        """What a validation has seen."""
        if self.board is not None:
            self.board.show(step, seen, dataset)

    def close(self) -> None:
        """After the last step."""
        for tracker in self.each:
            tracker.close()


def check(services: tuple[Service, ...]) -> None:
    """Raises ImportError for one that is not installed, with how to get it."""
    for service in services:
        if find_spec(service) is None:
            how = f"pip install 'rect-train[{service}]'" if service != BOARD else "pip install tensorboard"
            raise ImportError(
                f"track={service}: the package {service} is not installed: {how}, or leave it out of track"
            )


def open_trackers(config: TrainConfig, folder: Path, step: int) -> Trackers:
    """Those that a config asks for. step: after which the run goes on; what they hold of later ones is taken back where
    they can do that."""
    check(config.track)
    board = Board(folder / BOARD, config, step) if BOARD in config.track else None
    each: list[Tracker] = [board] if board else []
    if "wandb" in config.track:
        each.append(Wandb(folder, config))
    if "mlflow" in config.track:
        each.append(Mlflow(folder, config))
    return Trackers(each=tuple(each), board=board)
