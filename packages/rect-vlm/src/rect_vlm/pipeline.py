"""One scan through the house: read, regions, model grid, tokens, scores, lesions, report."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from rect_classifier import Threshold, to_scores
from rect_core.anatomy import RegionMap, regions
from rect_core.errors import ScanError
from rect_core.findings import LOCALIZED
from rect_core.preprocess import ModelInput, Preprocess
from rect_core.raw import Check
from rect_core.read import examine
from rect_core.types import FindingScores, Lesions, OutlinePoints, PredictionRecord, Report, VisionTokens
from rect_core.volume import Volume
from rect_localizer import PromptTokens, measure
from rect_reporter import write_report
from rect_vlm.prediction import Prediction
from rect_vlm.prompting import Prompting
from rect_vlm.runinfo import describe_run

if TYPE_CHECKING:
    from rect_vlm.model import ReCTVLM

TASKS = ("classification", "localization")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One scan and what is wanted of it; see ReCTVLM.predict for the fields."""

    source: Any
    regions: Any = None
    affine: Shaped[np.ndarray, "..."] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    axes: str | None = None
    case_id: str | None = None
    report: bool = True
    classification_threshold: Threshold | None = None
    localization_threshold: float | None = None
    allow_tilt: bool = False
    prompting: Prompting | None = None

    def __post_init__(self) -> None:
        cut = self.localization_threshold
        if cut is not None and not (_is_number(cut) and 0.0 < cut < 1.0):
            raise ValueError(f"localization_threshold {cut!r} is not between 0 and 1: give one number such as 0.5")
        given: Any = self.classification_threshold
        # None and the name of an objective are the classifier's to judge
        cuts = given.values() if isinstance(given, Mapping) else () if isinstance(given, str | None) else (given,)
        if wrong := [value for value in cuts if not _is_number(value) or not 0.0 <= value <= 1.0]:
            raise ValueError(
                f"classification_threshold {wrong[0]!r:.60} is not from 0 to 1: give one number, or label -> number"
            )

    def outline_points(self, model: "ReCTVLM") -> OutlinePoints | None:
        """Those that apply: the weights' own, but none to new prompts or under a threshold of the caller."""
        return None if self.prompting or self.localization_threshold is not None else model.outline_points


@dataclass
class Clock:
    """Seconds each named stage took."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Times what runs inside."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 4)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A scan on the model grid with its tokens."""

    volume: Volume
    checks: tuple[Check, ...]
    regions: RegionMap
    item: ModelInput
    tokens: VisionTokens


@torch.no_grad()
def encode(model: "ReCTVLM", request: Request, clock: Clock | None = None) -> Encoded:
    """Reads, checks and encodes one scan."""
    clock = clock or Clock()
    with clock.stage("read"):
        volume, checks = read(request)
    with clock.stage("regions"):
        region_map = _regions(volume, request.regions)
    with clock.stage("preprocess"):
        item = Preprocess(model.encoder.config.grid)(volume, region_map)
    with clock.stage("encode"):
        tokens = model.encoder.encode(item)
    return Encoded(volume=volume, checks=checks, regions=region_map, item=item, tokens=tokens)


def run(model: "ReCTVLM", request: Request, tasks: tuple[str, ...] = TASKS) -> Prediction:
    """Reads, encodes and concludes; see `encode` and `conclude`."""
    clock = Clock()
    return conclude(model, request, encode(model, request, clock), tasks, clock)


@torch.no_grad()
def conclude(
    model: "ReCTVLM", request: Request, seen: Encoded, tasks: tuple[str, ...] = TASKS, clock: Clock | None = None
) -> Prediction:
    """What the heads make of an encoded scan. A task that was not asked for leaves NaN scores or no asked findings,
    and no report."""
    clock = clock or Clock()
    with clock.stage("classify"):
        scores = _scores(model, seen.tokens, request, asked="classification" in tasks)
    with clock.stage("localize"):
        prob = _prob_maps(model, seen, request, asked="localization" in tasks)
    with clock.stage("measure"):
        lesions = _lesions(model, prob, seen, request)
    record = PredictionRecord(
        case_id=seen.volume.case_id,
        weights_status=model.weights_status,
        scores=scores,
        assessed_masks=lesions.asked,
        lesions=lesions.items,
        warnings=(*seen.volume.warnings, *seen.regions.warnings, *lesions.warnings),
    )
    with clock.stage("report"):
        report = _report(record, seen.item) if request.report and tasks == TASKS else None
    return Prediction(
        record=record,
        lesions=lesions,
        report=report,
        volume=seen.volume,
        regions=seen.regions,
        frame=seen.item.frame,
        prob_maps=prob,
        run=describe_run(model, seen, request, clock.seconds),
    )


def read(request: Request) -> tuple[Volume, tuple[Check, ...]]:
    """The volume and every check of the door; the first failed check raises ScanError."""
    if isinstance(request.source, Volume) and any(
        given is not None for given in (request.affine, request.spacing_mm, request.axes)
    ):
        raise ScanError("orientation", "affine=, spacing_mm= and axes= belong to an array: a Volume has its own")
    seen = examine(
        request.source,
        affine=request.affine,
        spacing_mm=request.spacing_mm,
        axes=request.axes,
        case_id=request.case_id,
        allow_tilt=request.allow_tilt,
    )
    if seen.volume is None:
        assert seen.failure is not None, "a scan without a failed check has a volume"
        raise ScanError(seen.failure.name, seen.failure.message)
    return seen.volume, seen.checks


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _regions(volume: Volume, source: Any) -> RegionMap:
    """The regions; a map that is refused is named."""
    try:
        return regions(volume, source)
    except ScanError as error:
        if isinstance(source, str | PathLike) and Path(source).name not in str(error):
            raise ScanError(error.check, f"{Path(source).name}: {error}") from error
        raise


def _scores(model: "ReCTVLM", tokens: VisionTokens, request: Request, *, asked: bool) -> FindingScores:
    prompts = request.prompting
    labels = prompts.texts if prompts else model.classifier.config.labels
    if not asked:
        nan = (float("nan"),) * len(labels)
        return FindingScores(labels=labels, logits=nan, prob=nan, threshold=nan)
    vectors = prompts.encoder.vectors(prompts.texts).to(model.device) if prompts else None
    logits = model.classifier(tokens, vectors)[0].float().cpu()
    points = None if prompts else model.points
    return to_scores(logits, threshold=request.classification_threshold, points=points, labels=labels)


def _prob_maps(model: "ReCTVLM", seen: Encoded, request: Request, *, asked: bool) -> Float[Tensor, "k d h w"]:
    if not asked:
        return seen.item.voxels.new_zeros((0, *seen.item.frame.grid.shape))
    prompts = request.prompting
    tokens = PromptTokens(*prompts.encoder.sequences(prompts.texts)).to(model.device) if prompts else None
    logits = model.localizer(seen.item.voxels[None].to(model.device), seen.tokens, tokens)
    return torch.sigmoid(logits[0].float()).cpu()


def _lesions(model: "ReCTVLM", prob: Float[Tensor, "k d h w"], seen: Encoded, request: Request) -> Lesions:
    if not prob.shape[0]:
        return Lesions(asked=(), items=())
    return measure(
        prob,
        seen.item.frame,
        seen.volume,
        seen.regions,
        findings=request.prompting.names if request.prompting else LOCALIZED,
        threshold=request.localization_threshold,
        points=request.outline_points(model),
    )


def _report(record: PredictionRecord, item: ModelInput) -> Report:
    return write_report(record, lung_outside=item.frame.lung_outside)
