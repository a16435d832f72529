"""Operating points of the heads, fitted on their run's validation split with rect-eval's methods."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rect_classifier import Classifier
from rect_core.findings import LOCALIZED
from rect_core.measure.components import components, find_runs
from rect_core.types import OperatingPoints, OutlinePoints
from rect_data.dataset import Batch, CaseSampler, Loader, StoreDataset
from rect_encoder import VisionEncoder
from rect_eval.calibration import Fitted as FittedScores
from rect_eval.calibration import FittedOutlines, Outlines, fit_peaks, fit_with_warnings
from rect_localizer import MIN_VOLUME_ML, THRESHOLD, Localizer
from rect_train.validate import patients_of


class Fitted(NamedTuple):
    """Operating points of the heads, None for one that is not there or of which the split knows nothing, and a sentence
    for all that could not be fitted."""

    scores: OperatingPoints | None
    outlines: OutlinePoints | None
    warnings: tuple[str, ...]


class _Case(NamedTuple):
    """What the heads say of one case: logits of the labels; for each finding what is outlined, None where nobody knows
    the truth. row: of the store."""

    row: int
    labels: Float[np.ndarray, " k"]
    logits: Float[np.ndarray, " k"] | None
    outlines: tuple[Outlines | None, ...]


def calibrate(
    encoder: VisionEncoder,
    classifier: Classifier | None,
    localizer: Localizer | None,
    store: Path,
    split: str,
) -> Fitted:
    """Platt scaling and cuts of every label, and the peak of every finding.

    Maps are computed as inference computes them, in float32 on the device of the weights, from the regions that
    inference finds. Lesions are told apart on the model grid, where inference brings the maps back to the scan first.
    Raises ValueError for a store on another grid, or without such cases.
    """
    dataset = StoreDataset(store)
    if (has := dataset.reader.config.grid) != encoder.config.grid:
        raise ValueError(
            f"the store {store.name} lies on a grid of {has.shape} cells of {has.spacing_mm} mm, which is not the "
            "encoder's: give the one that the run was validated on"
        )
    sampler = CaseSampler(dataset.rows, split=split, shuffle=False)
    loader = Loader(dataset, sampler, batch_size=1 if localizer else 8)
    seen = [case for batch in loader for case in _look(encoder, classifier, localizer, batch)]
    patients = patients_of(dataset, [case.row for case in seen])
    fitted_on = f"store {store.absolute().name}, split {split}"
    scores = _fit_scores(seen, patients, fitted_on)
    outlines = _fit_outlines(seen, patients, fitted_on, localizer.fingerprint if localizer else "")
    warnings = tuple(warning for found in (scores, outlines) if found for warning in found.warnings)
    return Fitted(scores and scores.points, outlines and outlines.points, warnings)


def _fit_scores(seen: Sequence[_Case], patients: Int64[np.ndarray, " n"], fitted_on: str) -> FittedScores | None:
    labels = np.stack([case.labels for case in seen])
    logits = [case.logits for case in seen if case.logits is not None]
    if not logits or np.isnan(labels).all():
        return None
    return fit_with_warnings(labels, np.stack(logits), method="platt", patients=patients, fitted_on=fitted_on)


def _fit_outlines(
    seen: Sequence[_Case], patients: Int64[np.ndarray, " n"], fitted_on: str, seal: str
) -> FittedOutlines | None:
    if all(one is None for case in seen for one in case.outlines):
        return None
    by_finding = {name: [case.outlines[i] for case in seen] for i, name in enumerate(LOCALIZED)}
    return fit_peaks(by_finding, patients=patients, seal=seal, fitted_on=fitted_on)


@torch.no_grad()
def _look(
    encoder: VisionEncoder, classifier: Classifier | None, localizer: Localizer | None, batch: Batch
) -> list[_Case]:
    seen = batch.to(next(encoder.parameters()).device)
    tokens = encoder(seen.voxels, seen.regions, seen.valid)
    logits = None if classifier is None else classifier(tokens).double().cpu().numpy()
    prob = None if localizer is None else localizer(seen.voxels, tokens).float().sigmoid().cpu()
    return [
        _Case(
            row=draw.row,
            labels=batch.labels[i].double().numpy(),
            logits=None if logits is None else logits[i],
            outlines=() if prob is None else _outlines(prob[i], batch, i),
        )
        for i, draw in enumerate(batch.draws)
    ]


def _outlines(prob: Float[Tensor, "f d h w"], batch: Batch, number: int) -> tuple[Outlines | None, ...]:
    """What is outlined of each finding inside the scan, but for what `measure` drops as too small."""
    cell_ml = float(np.prod(batch.spacing_mm)) / 1000
    valid = tuple(slice(first, end) for first, end in batch.valid[number].tolist())
    body = batch.regions[number][valid].numpy() > 0
    return tuple(
        outlines_of(prob[i][valid].numpy(), (batch.lesions[number, i][valid] > 0).numpy(), body, least / cell_ml)
        if batch.lesions_known[number, i]
        else None
        for i, least in enumerate(MIN_VOLUME_ML[name] for name in LOCALIZED)
    )


def outlines_of(
    cells: Float[np.ndarray, "d h w"],
    truth: Bool[np.ndarray, "d h w"],
    body: Bool[np.ndarray, "d h w"],
    least: float,
) -> Outlines:
    """Components (26 neighbours) of at least so many cells, largest first, and the peaks that they reach inside the
    body."""
    mask = cells >= np.float32(THRESHOLD)
    if not mask.any():
        return Outlines(int(truth.sum()), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    runs = find_runs(mask)
    d, h, w = mask.shape
    number = np.repeat(components(runs, (d, h, w)), runs.length)  # of each cell of the mask, in order
    size, peak = np.bincount(number), np.zeros(number.max() + 1)
    hit = np.bincount(number[truth[mask]], minlength=len(size))
    np.maximum.at(peak, number, (cells * body)[mask])
    large = size >= least
    return Outlines(int(truth.sum()), size[large], hit[large], peak[large])
