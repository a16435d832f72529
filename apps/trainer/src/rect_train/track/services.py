"""Weights & Biases and MLflow: numbers alone. Where they are, and by what names, their own environment says."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rect_core.config import to_dict
from rect_train.config import TrainConfig
from rect_train.facts import without_folders
from rect_train.guard import RunError
from rect_train.screen import one_line


class Wandb:
    """A run of Weights & Biases (WANDB_PROJECT, WANDB_MODE...), which a resumed run goes on with: steps that it has
    already it keeps as they are."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        import wandb  # type: ignore[import-not-found,unused-ignore]

        file = folder / "wandb.id"
        self._run = wandb.init(
            id=_known(file),
            resume="allow",
            name=folder.absolute().name,
            dir=str(folder),
            config=without_folders(to_dict(config)),
        )
        file.write_text(self._run.id, encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """To the step of that number, which is written when the next one begins."""
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        """Sends what is left."""
        self._run.finish()


class Mlflow:
    """A run of MLflow (MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME...), which a resumed run goes on with: steps that
    are taken again stand there twice, since it cannot forget."""

    def __init__(self, folder: Path, config: TrainConfig) -> None:
        import mlflow  # type: ignore[import-not-found,unused-ignore]

        self._mlflow = mlflow
        file = folder / "mlflow.id"
        known = _known(file)
        with self._answers():
            run = mlflow.start_run(run_id=known, run_name=None if known else folder.absolute().name)
            mlflow.log_dict(without_folders(to_dict(config)), "config.json")
        file.write_text(run.info.run_id, encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """At once, with dots in the names: a store of files has no room for `loss` beside `loss/...`. Raises RunError
        where the server does not take them."""
        with self._answers():
            self._mlflow.log_metrics({name.replace("/", "."): value for name, value in values.items()}, step=step)

    @contextmanager
    def _answers(self) -> Iterator[None]:
        try:
            yield
        except self._mlflow.MlflowException as error:
            raise RunError(
                f"MLflow does not answer as it should ({one_line(error)}): --resume goes on, with another track too"
            ) from error

    def close(self) -> None:
        """Ends the run."""
        self._mlflow.end_run()


def _known(file: Path) -> str | None:
    """The id under which a run was begun."""
    return file.read_text(encoding="utf-8") if file.is_file() else None
