"""Weights that a run begins with or gives away: out of another run's checkpoint, or out of published folders."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rect_classifier import Classifier
from rect_core.hub import Published
from rect_core.types import WeightsStatus
from rect_encoder import VisionEncoder
from rect_localizer import Localizer
from rect_train.checkpoint import damage, latest, read, state_of, weights
from rect_train.frozen import fill_frozen
from rect_train.optim import Average
from rect_train.run import config_of, is_run, origins_of
from rect_train.stack import Stack, make_stack

_ORIGIN: Final[dict[WeightsStatus, frozenset[str]]] = {
    "untrained": frozenset(),
    "synthetic": frozenset({"phantoms"}),
    "clinical-data": frozenset({"clinical"}),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """Components with weights. name: where they are from; origins: what kinds of scans they have seen."""

    name: str
    encoder: VisionEncoder
    classifier: Classifier | None
    localizer: Localizer | None
    origins: frozenset[str]

    @property
    def parts(self) -> dict[str, VisionEncoder | Classifier | Localizer]:
        """Component -> module, of those that are there."""
        found = {"encoder": self.encoder, "classifier": self.classifier, "localizer": self.localizer}
        return {part: module for part, module in found.items() if module is not None}


def read_trained(source: Path, checkpoint: str = "best") -> Trained:
    """The components of a run (its averaged weights) or of a folder of published ones.

    checkpoint: "best" (the last where no validation has named one), "last", or a name such as step-00000500.
    Raises ValueError or FileNotFoundError for what is neither, and for a damaged checkpoint.
    """
    if not is_run(source):
        return _published(source)
    chosen = choose(source, checkpoint)
    stack = averaged(source, chosen)
    return Trained(
        name=f"{source.name}/{chosen.name}",
        encoder=stack.encoder,
        classifier=stack.classifier,
        localizer=stack.localizer,
        origins=origins_of(source),
    )


def choose(run: Path, checkpoint: str) -> Path:
    """A whole checkpoint of a run; raises ValueError where there is none, and where what is asked for is not it."""
    folder = run / "checkpoints"
    last, damaged = latest(folder)
    if last is None:
        raise ValueError(f"{run.name} has no whole checkpoint: train it first, or give another run")
    if damaged and checkpoint in ("best", "last"):
        raise ValueError(f"{run.name}: the last checkpoint is damaged: --resume the run first, or name {last.name}")
    if checkpoint == "best":
        checkpoint = state_of(last)["best_checkpoint"] or last.name
    chosen = last if checkpoint == "last" else folder / checkpoint
    if why := damage(chosen):
        raise ValueError(f"checkpoint {checkpoint} of {run.name} is damaged ({why}): give the last one, {last.name}")
    return chosen


def averaged(run: Path, checkpoint: Path) -> Stack:
    """All components of a run with the averaged weights of a checkpoint, in eval mode."""
    config = replace(config_of(run), checkpointing=False)
    stack = make_stack(config)
    average = Average(stack, config.optim.ema) if config.optim.ema else None
    state = read(checkpoint, weights(stack, average))
    fill_frozen(run, stack, state["frozen"])
    if average:
        average.swap()
    return stack.requires_grad_(True).eval()


def _published(source: Path) -> Trained:
    if not (source / "encoder").is_dir():
        raise ValueError(f"{source.name}: neither a run nor a folder with encoder/ in it: give one of them")
    encoder = VisionEncoder.from_pretrained(source / "encoder")
    classifier = Classifier.from_pretrained(source / "classifier") if (source / "classifier").is_dir() else None
    localizer = Localizer.from_pretrained(source / "localizer") if (source / "localizer").is_dir() else None
    modules: list[Published] = [module for module in (encoder, classifier, localizer) if module is not None]
    return Trained(
        name=source.name,
        encoder=encoder,
        classifier=classifier,
        localizer=localizer,
        origins=frozenset().union(*(_ORIGIN[module.weights_status] for module in modules)),
    )
