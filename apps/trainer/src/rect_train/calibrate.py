"""Calibration and cuts of a classifier, fitted on its run's validation split with rect-eval's methods."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64

from rect_classifier import Classifier
from rect_core.types import OperatingPoints
from rect_data.dataset import CaseSampler, Loader, StoreDataset
from rect_encoder import VisionEncoder
from rect_eval.calibration import Fitted, fit_with_warnings


def calibrate(
    encoder: VisionEncoder, classifier: Classifier, store: Path, split: str, *, batch_size: int = 8
) -> Fitted | None:
    """Platt scaling and cuts of every label; None where the split knows no label.

    The logits are computed as inference computes them, in float32 on the device of the weights, from the regions that
    inference finds. Raises ValueError for a store on another grid, or without such cases.
    """
    dataset = StoreDataset(store)
    if (has := dataset.reader.config.grid) != encoder.config.grid:
        raise ValueError(
            f"the store {store.name} lies on a grid of {has.shape} cells of {has.spacing_mm} mm, which is not the "
            "encoder's: give the one that the run was validated on"
        )
    labels, logits, patients = _scores(encoder, classifier, dataset, split, batch_size)
    if np.isnan(labels).all():
        return None
    return fit_with_warnings(
        labels, logits, method="platt", patients=patients, fitted_on=f"store {store.absolute().name}, split {split}"
    )


def describe(points: OperatingPoints | None) -> str:
    """One sentence about the calibration of weights."""
    return f"Platt scaling and cuts, fitted on {points.fitted_on}" if points else "Not calibrated."


@torch.no_grad()
def _scores(
    encoder: VisionEncoder, classifier: Classifier, dataset: StoreDataset, split: str, batch_size: int
) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "n k"], Int64[np.ndarray, " n"]]:
    """Labels, logits and the number of the patient of each case."""
    device = next(encoder.parameters()).device
    sampler = CaseSampler(dataset.rows, split=split, shuffle=False)
    labels: list[Float[np.ndarray, "b k"]] = []
    logits: list[Float[np.ndarray, "b k"]] = []
    ids: list[str] = []
    for batch in Loader(dataset, sampler, batch_size=batch_size):
        seen = batch.to(device)
        found = classifier(encoder(seen.voxels, seen.regions, seen.valid))
        logits.append(found.double().cpu().numpy())
        labels.append(batch.labels.double().numpy())
        ids += batch.case_ids
    patient = {row.case_id: row.patient for row in dataset.rows}
    codes = np.unique([patient[case] for case in ids], return_inverse=True)[1].astype(np.int64)
    return np.concatenate(labels), np.concatenate(logits), codes
