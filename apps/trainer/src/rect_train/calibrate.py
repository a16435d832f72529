"""Operating points of the heads, fitted on their run's validation split with rect-eval's methods."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rect_classifier import Classifier
from rect_core.findings import LOCALIZED
from rect_core.measure.components import components, find_runs
from rect_core.types import OperatingPoints, OutlinePoints
from rect_data.dataset import Batch, CaseSampler, Loader, StoreDataset
from rect_encoder import VisionEncoder
from rect_eval.calibration import Outlines, fit_peaks, fit_with_warnings
from rect_localizer import MIN_VOLUME_ML, THRESHOLD, Localizer


class Fitted(NamedTuple):
    """Operating points of the heads, None for one that is not there or of which the split knows nothing, and a sentence
    for all that could not be fitted."""

    scores: OperatingPoints | None
    outlines: OutlinePoints | None
    warnings: tuple[str, ...]


class _Case(NamedTuple):
    """What the heads say of one case: logits of the labels; for each finding what is outlined, None where nobody knows
    the truth."""

    patient: str
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
    patient = {row.case_id: row.patient for row in dataset.rows}
    loader = Loader(dataset, CaseSampler(dataset.rows, split=split, shuffle=False), batch_size=1 if localizer else 8)
    seen = [case for batch in loader for case in _look(encoder, classifier, localizer, batch, patient)]
    patients = np.unique([case.patient for case in seen], return_inverse=True)[1].astype(np.int64)
    labels = np.stack([case.labels for case in seen])
    logits = np.stack([case.logits for case in seen if case.logits is not None] or [np.zeros(0)])
    fitted_on = f"store {store.absolute().name}, split {split}"
    scores = outlines = None
    if classifier is not None and not np.isnan(labels).all():
        scores = fit_with_warnings(labels, logits, method="platt", patients=patients, fitted_on=fitted_on)
    if localizer is not None and any(one for case in seen for one in case.outlines):
        by_finding = {name: [case.outlines[i] for case in seen] for i, name in enumerate(LOCALIZED)}
        outlines = fit_peaks(by_finding, patients=patients, seal=localizer.fingerprint, fitted_on=fitted_on)
    warnings = tuple(warning for found in (scores, outlines) if found for warning in found.warnings)
    return Fitted(scores and scores.points, outlines and outlines.points, warnings)


@torch.no_grad()
def _look(
    encoder: VisionEncoder,
    classifier: Classifier | None,
    localizer: Localizer | None,
    batch: Batch,
    patient: Mapping[str, str],
) -> list[_Case]:
    seen = batch.to(next(encoder.parameters()).device)
    tokens = encoder(seen.voxels, seen.regions, seen.valid)
    logits = None if classifier is None else classifier(tokens).double().cpu().numpy()
    prob = None if localizer is None else localizer(seen.voxels, tokens).float().sigmoid().cpu()
    return [
        _Case(
            patient=patient[case_id],
            labels=batch.labels[i].double().numpy(),
            logits=None if logits is None else logits[i],
            outlines=() if localizer is None or prob is None else _outlines(localizer, prob[i], batch, i),
        )
        for i, case_id in enumerate(batch.case_ids)
    ]


def _outlines(
    localizer: Localizer, prob: Float[Tensor, "f d h w"], batch: Batch, number: int
) -> tuple[Outlines | None, ...]:
    """What is outlined of each finding inside the scan, but for what `measure` drops as too small."""
    cell_ml = float(np.prod(localizer.config.grid.spacing_mm)) / 1000
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
