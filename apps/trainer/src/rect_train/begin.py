"""What a run's weights are at its start: drawn, given prompts, or taken from earlier runs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rect_classifier import Classifier
from rect_core.config import to_dict
from rect_core.findings import LOCALIZED_PROMPTS, PROMPTS
from rect_core.text import PromptEncoder
from rect_data.dataset import StoreDataset, collate
from rect_encoder import VisionEncoder
from rect_localizer import Localizer, PromptTokens
from rect_train.changes import changes, shown
from rect_train.config import TrainConfig
from rect_train.stack import Stack
from rect_train.trained import Trained, read_trained

_MAY_DIFFER: Final = ("grid", "encoder", "encoder_fingerprint")
"""Tensors are the same on any grid; a head's encoder is the run's own from now on."""

_USUAL: Final = 64
"""Cases that say what is usual."""


@dataclass(kw_only=True, slots=True)
class Beginning:
    """origins: what kinds of scans the weights have seen; sources: component -> where it began; notes: what else
    whoever trains should know."""

    origins: set[str] = field(default_factory=set)
    sources: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """A line a component."""
        return [f"{part} begins from {source}" for part, source in self.sources.items()]


def begin(stack: Stack, config: TrainConfig) -> Beginning:
    """Fills a stack as its config says. Raises ValueError for a source of another architecture or without a part."""
    begun = Beginning(origins={config.data.origin})
    if config.text:
        _store_prompts(stack, config.text)
    if config.init is not None:
        source = read_trained(config.init)
        heads = [part for part in ("classifier", "localizer") if part in source.parts]
        _take(stack, source, ("encoder", *heads), begun)
    elif config.phase1:
        _take_phase1(stack, config.phase1, begun)
    return begun


def standardize(stack: Stack, dataset: StoreDataset, split: str) -> None:
    """Lets a new encoder know what is usual in the training data (`VisionEncoder.standardize`), from cases spread over
    all of a split."""
    rows = [number for number, row in enumerate(dataset.rows) if row.split == split]
    batch = collate([dataset[number] for number in rows[:: max(1, len(rows) // _USUAL)][:_USUAL]])
    seen = batch.to(stack.encoder.region_mean.device)
    stack.encoder.standardize(seen.voxels, seen.regions)


def _take_phase1(stack: Stack, folders: Sequence[Path], begun: Beginning) -> None:
    classified, localized = (read_trained(folder) for folder in folders)
    for source, part in ((classified, "classifier"), (localized, "localizer")):
        if part not in source.parts:
            raise ValueError(f"{source.name} holds no {part}: give phase 1.1's run first and phase 1.2's second")
    _take(stack, classified, ("encoder", "classifier"), begun)
    _take(stack, localized, ("localizer",), begun)
    if localized.encoder.fingerprint != classified.encoder.fingerprint and stack.localizer is not None:
        begun.sources["localizer"] += " (it was trained on another encoder, so it has to adapt to this one)"


def _take(stack: Stack, source: Trained, parts: Sequence[str], begun: Beginning) -> None:
    """Copies those of the parts that the stack has."""
    mine = {"encoder": stack.encoder, "classifier": stack.classifier, "localizer": stack.localizer}
    for part in parts:
        module = mine[part]
        if module is not None:
            _copy(part, source.parts[part], module, source.name)
            begun.sources[part] = source.name
            begun.origins |= source.origins


def _copy(
    part: str,
    theirs: VisionEncoder | Classifier | Localizer,
    mine: VisionEncoder | Classifier | Localizer,
    name: str,
) -> None:
    if other := changes(to_dict(theirs.config), to_dict(mine.config), but=_MAY_DIFFER):
        raise ValueError(
            f"the {part} of {name} is of another architecture ({shown(other)}): give this run the same preset or model"
        )
    mine.load_state_dict(theirs.state_dict(), strict=True)


def _store_prompts(stack: Stack, source: str) -> None:
    text = PromptEncoder.from_pretrained(source)
    if stack.classifier is not None:
        stack.classifier.store_prompts(text.vectors(PROMPTS))
    if stack.localizer is not None:
        stack.localizer.store_prompts(PromptTokens(*text.sequences(tuple(LOCALIZED_PROMPTS.values()))))
