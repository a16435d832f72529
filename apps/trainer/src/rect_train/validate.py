"""Validation on the model grid, with rect-eval's definitions: quick enough to run every epoch."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from math import isnan

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rect_core.findings import LOCALIZED
from rect_data.dataset import Batch, CaseSampler, Loader, StoreDataset
from rect_eval.controls import lower_is_better, mismatch
from rect_train.config import Task, TrainConfig
from rect_train.guard import RunError
from rect_train.stack import Stack
from rect_train.stop import shielded
from rect_train.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What a stack said about the cases of a split. logits, labels: of the 18; dice: of the five findings on the model
    grid, NaN where the truth is unknown or empty; mismatched: the same against the truth of another patient's case;
    silent: 1 where nothing is outlined of what is not there, 0 where something is, NaN where it is there or unknown;
    hidden: the error of hidden patches; outlined: case -> probabilities of the five, of those that were asked for."""

    case_ids: tuple[str, ...]
    patients: Int64[np.ndarray, " n"]
    labels: Float[np.ndarray, "n k"]
    logits: Float[np.ndarray, "n k"]
    dice: Float[np.ndarray, "n f"]
    mismatched: Float[np.ndarray, "n f"]
    silent: Float[np.ndarray, "n f"]
    hidden: Float[np.ndarray, " n"]
    outlined: Mapping[str, Float[np.ndarray, "f d h w"]]


@torch.no_grad()
def look(stack: Stack, dataset: StoreDataset, config: TrainConfig, world: World, show: Collection[str] = ()) -> Seen:
    """Runs the stack over the validation split: each process over a part of it, and all get the whole.

    show: cases whose outlines are wanted.
    """
    sampler = CaseSampler(dataset.rows, split=config.data.valid, shuffle=False, rank=world.rank, world=world.size)
    loader = Loader(dataset, sampler, batch_size=config.batch_size, workers=config.data.workers)
    eye = _Eye(stack, config, _Others(dataset, sampler.indices, config.seed), show)
    training = stack.training
    stack.eval()
    stack.encoder.training = True  # not its blocks: it only leaves out the fingerprint, which shards do not have
    with closing(loader):
        mine = [one for batch in shielded(loader) for one in eye.look(batch.to(world.device))]
    stack.train(training)
    place = {row.case_id: number for number, row in enumerate(dataset.rows)}
    rows = sorted((one for part in world.gathered(mine) for one in part), key=lambda one: place[one.case_ids[0]])
    if any(np.isinf(found.logits).any() or np.isinf(found.dice).any() for found in rows):
        raise RunError("the weights give scores that are no numbers: begin again with a lower optim.lr")
    return Seen(
        case_ids=tuple(case for found in rows for case in found.case_ids),
        patients=patients_of(dataset, [place[case] for found in rows for case in found.case_ids]),
        labels=np.concatenate([found.labels for found in rows]),
        logits=np.concatenate([found.logits for found in rows]),
        dice=np.concatenate([found.dice for found in rows]),
        mismatched=np.concatenate([found.mismatched for found in rows]),
        silent=np.concatenate([found.silent for found in rows]),
        hidden=np.concatenate([found.hidden for found in rows]),
        outlined={case: probabilities for found in rows for case, probabilities in found.outlined.items()},
    )


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


class _Others:
    """The truth of another patient's case, the same one whoever asks."""

    def __init__(self, dataset: StoreDataset, rows: Int64[np.ndarray, " n"], seed: int) -> None:
        self._dataset = dataset
        patients = patients_of(dataset, rows.tolist())
        others = mismatch(patients, seed=seed, times=1)[0] if patients.max() else np.empty(0, np.int64)
        self._other = dict(zip(rows.tolist(), rows[others].tolist(), strict=False))

    def lesions(self, batch: Batch) -> tuple[Bool[Tensor, "b k d h w"], Bool[Tensor, "b k"]]:
        """Masks, and which of them are known: none where there is one patient only."""
        masks, known = torch.zeros_like(batch.lesions, dtype=torch.bool), torch.zeros_like(batch.lesions_known)
        for i, draw in enumerate(batch.draws):
            if draw.row in self._other:
                case = self._dataset.reader.read(self._dataset.rows[self._other[draw.row]].case_id)
                known[i] = torch.tensor([case.known[name] for name in LOCALIZED])
                if case.lesions is not None:
                    masks[i] = torch.from_numpy(case.lesions).to(masks.device) > 0
        return masks, known


@dataclass(frozen=True)
class _Eye:
    """What looks at batches. others: the truth of other patients; show: cases whose outlines are wanted."""

    stack: Stack
    config: TrainConfig
    others: _Others
    show: Collection[str]

    def look(self, batch: Batch) -> list[Seen]:
        """What is said about each case of a batch, but for those that only pad the processes."""
        n, stack = len(batch), self.stack
        logits = np.full((n, batch.labels.shape[1]), np.nan)
        dice = mismatched = silent = np.full((n, len(LOCALIZED)), np.nan)
        hidden, outlined = np.full(n, np.nan), None
        with torch.autocast(batch.voxels.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            if stack.masking is not None:
                generator = torch.Generator(batch.voxels.device).manual_seed(self.config.seed)
                hidden = stack.hidden_errors(batch, generator).double().cpu().numpy()
            if stack.classifier is not None or stack.localizer is not None:
                tokens = stack.tokens(batch)
            if stack.classifier is not None:
                logits = _loud(stack.classifier(tokens)).double().cpu().numpy()
            if stack.localizer is not None:
                outlined = _loud(stack.localizer(batch.voxels, tokens))
        if outlined is not None:
            truth = batch.lesions > 0
            dice = _dice(outlined, truth, batch.lesions_known)
            mismatched = _dice(outlined, *self.others.lesions(batch))
            silent = _silent(outlined, truth, batch.lesions_known)
        labels = batch.labels.double().cpu().numpy()
        return [
            Seen(
                case_ids=(batch.case_ids[i],),
                patients=np.zeros(1, np.int64),
                labels=labels[i : i + 1],
                logits=logits[i : i + 1],
                dice=dice[i : i + 1],
                mismatched=mismatched[i : i + 1],
                silent=silent[i : i + 1],
                hidden=hidden[i : i + 1],
                outlined={} if outlined is None else self._shown(batch.case_ids[i], outlined[i]),
            )
            for i in (~batch.repeated).nonzero()[:, 0].tolist()
        ]

    def _shown(self, case_id: str, logits: Float[Tensor, "k d h w"]) -> dict[str, Float[np.ndarray, "k d h w"]]:
        return {case_id: logits.float().sigmoid().cpu().numpy()} if case_id in self.show else {}


def patients_of(dataset: StoreDataset, rows: Sequence[int]) -> Int64[np.ndarray, " n"]:
    """The patient of each row, numbered from 0."""
    return np.unique([dataset.rows[row].patient for row in rows], return_inverse=True)[1].astype(np.int64)


def _loud(logits: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Infinite where they are no numbers, which no score would say: `look` refuses it once all processes are there."""
    return torch.where(logits.isfinite(), logits, torch.inf)


def _dice(
    logits: Float[Tensor, "b k d h w"], truth: Bool[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
) -> Float[np.ndarray, "b k"]:
    """Dice of each case and finding; NaN where the truth is unknown or empty, infinite where the logits are."""
    outlined = logits > 0
    both = (outlined & truth).sum((2, 3, 4)).double()
    size = outlined.sum((2, 3, 4)) + truth.sum((2, 3, 4))
    drawn = known & truth.any(-1).any(-1).any(-1)
    broken = logits.isinf().flatten(1).any(1)
    found = torch.where(drawn, 2 * both / size, torch.nan)
    dice: Float[np.ndarray, "b k"] = torch.where(broken[:, None], torch.inf, found).cpu().numpy()
    return dice


def _silent(
    logits: Float[Tensor, "b k d h w"], truth: Bool[Tensor, "b k d h w"], known: Bool[Tensor, "b k"]
) -> Float[np.ndarray, "b k"]:
    """Whether nothing is outlined; NaN where the truth is unknown or there is something."""
    empty = known & ~truth.flatten(2).any(2)
    silent: Float[np.ndarray, "b k"] = (
        torch.where(empty, (logits <= 0).flatten(2).all(2).double(), torch.nan).cpu().numpy()
    )
    return silent
