"""Validation on the model grid, with rect-eval's definitions: quick enough to run every epoch."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rect_core.findings import LOCALIZED
from rect_data.dataset import Batch, CaseSampler, Loader, StoreDataset
from rect_eval.classification import auroc
from rect_eval.controls import lower_is_better, mismatch
from rect_train.config import Task, TrainConfig
from rect_train.guard import RunError
from rect_train.stack import Stack
from rect_train.stop import shielded
from rect_train.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a stack said about the cases of a split. logits, labels: of the 18; dice: of the five findings on the model
    grid, NaN where the truth is unknown or empty; hidden: the error of hidden patches."""

    case_ids: tuple[str, ...]
    patients: Int64[np.ndarray, " n"]
    labels: Float[np.ndarray, "n k"]
    logits: Float[np.ndarray, "n k"]
    dice: Float[np.ndarray, "n f"]
    hidden: Float[np.ndarray, " n"]


@torch.no_grad()
def look(stack: Stack, dataset: StoreDataset, config: TrainConfig, world: World) -> Seen:
    """Runs the stack over the validation split: each process over a part of it, and all get the whole."""
    sampler = CaseSampler(dataset.rows, split=config.data.valid, shuffle=False, rank=world.rank, world=world.size)
    loader = Loader(dataset, sampler, batch_size=config.batch_size, workers=config.data.workers)
    training = stack.training
    stack.eval()
    stack.encoder.training = True  # not its blocks: it only leaves out the fingerprint, which shards do not have
    mine = [one for batch in shielded(loader) for one in _look(stack, batch.to(world.device), config)]
    stack.train(training)
    place = {row.case_id: number for number, row in enumerate(dataset.rows)}
    rows = sorted((one for part in world.gathered(mine) for one in part), key=lambda one: place[one.case_ids[0]])
    if any(np.isinf(found.logits).any() or np.isinf(found.dice).any() for found in rows):
        raise RunError("the weights give scores that are no numbers: begin again with a lower optim.lr")
    ids = tuple(case for found in rows for case in found.case_ids)
    patient = {row.case_id: row.patient for row in dataset.rows}
    codes = np.unique([patient[case] for case in ids], return_inverse=True)[1].astype(np.int64)
    return Seen(
        case_ids=ids,
        patients=codes,
        labels=np.concatenate([found.labels for found in rows]),
        logits=np.concatenate([found.logits for found in rows]),
        dice=np.concatenate([found.dice for found in rows]),
        hidden=np.concatenate([found.hidden for found in rows]),
    )


def metrics(seen: Seen, tasks: tuple[Task, ...], seed: int) -> dict[str, float]:
    """Scores of a validation, with the control of another patient's scores beside them."""
    found: dict[str, float] = {}
    if "masking" in tasks:
        found["hidden_error"] = _mean(seen.hidden)
    if "classification" in tasks:
        found["macro_auroc"] = _mean(auroc(seen.labels, seen.logits))
        others = [auroc(seen.labels, seen.logits[row]) for row in mismatch(seen.patients, seed=seed)]
        found["macro_auroc_mismatched"] = _mean(np.stack(others))
    if "localization" in tasks:
        found["macro_dice"] = _mean(np.array([_mean(column) for column in seen.dice.T]))
        found |= {f"dice_{name}": _mean(column) for name, column in zip(LOCALIZED, seen.dice.T, strict=True)}
    return found


def metric_names(tasks: tuple[Task, ...]) -> tuple[str, ...]:
    """Metrics that can decide which checkpoint is best; the first is the one that does unless another is asked for."""
    names: Mapping[Task, tuple[str, ...]] = {
        "masking": ("hidden_error",),
        "classification": ("macro_auroc",),
        "localization": ("macro_dice", *(f"dice_{name}" for name in LOCALIZED)),
    }
    return tuple(name for task in tasks for name in names[task])


def best_of(config: TrainConfig) -> str:
    """The metric that decides which checkpoint is best."""
    return config.save.best or metric_names(config.asked)[0]


def better(name: str, value: float, best: float) -> bool:
    """Whether a value reaches the best one so far (NaN: none yet), since longer training decides between equals; an
    undefined one never does."""
    if isnan(value) or isnan(best):
        return not isnan(value)
    return value <= best if lower_is_better(name) else value >= best


def _look(stack: Stack, batch: Batch, config: TrainConfig) -> list[Seen]:
    """What is said about each case of a batch, but for those that only pad the processes."""
    n = len(batch)
    nothing = np.full((n, batch.labels.shape[1]), np.nan)
    logits, dice, hidden = nothing, np.full((n, len(LOCALIZED)), np.nan), np.full(n, np.nan)
    with torch.autocast(batch.voxels.device.type, torch.bfloat16, enabled=config.precision == "bf16"):
        if stack.masking is not None:
            generator = torch.Generator(batch.voxels.device).manual_seed(config.seed)
            hidden = stack.hidden_errors(batch, generator).double().cpu().numpy()
        if stack.classifier is not None or stack.localizer is not None:
            tokens = stack.tokens(batch)
        if stack.classifier is not None:
            logits = _loud(stack.classifier(tokens)).double().cpu().numpy()
        if stack.localizer is not None:
            outlined = _loud(stack.localizer(batch.voxels, tokens))
            broken = outlined.isinf().flatten(1).any(1)
            found = _dice(outlined > 0, batch).double()
            dice = torch.where(broken[:, None], torch.inf, found).cpu().numpy()
    labels = batch.labels.double().cpu().numpy()
    return [
        Seen(
            case_ids=(batch.case_ids[i],),
            patients=np.zeros(1, np.int64),
            labels=labels[i : i + 1],
            logits=logits[i : i + 1],
            dice=dice[i : i + 1],
            hidden=hidden[i : i + 1],
        )
        for i in (~batch.repeated).nonzero()[:, 0].tolist()
    ]


def _loud(logits: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Infinite where they are no numbers, which no score would say: `look` refuses it once all processes are there."""
    return torch.where(logits.isfinite(), logits, torch.inf)


def _dice(outlined: Bool[Tensor, "b k d h w"], batch: Batch) -> Float[Tensor, "b k"]:
    """Dice of each case and finding; NaN where the truth is unknown or empty."""
    truth = batch.lesions > 0
    both = (outlined & truth).sum((2, 3, 4)).double()
    size = outlined.sum((2, 3, 4)) + truth.sum((2, 3, 4))
    drawn = batch.lesions_known & truth.any(-1).any(-1).any(-1)
    return torch.where(drawn, 2 * both / size, torch.nan)


def _mean(values: Float[np.ndarray, "..."]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
