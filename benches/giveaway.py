"""What can be told of labels from plain numbers: a logistic regression a label, and the area under its ROC curve."""

from typing import Final

import numpy as np
import torch
from scipy.stats import rankdata

from rect_core.findings import LABELS

STRENGTHS: Final = (1e-3, 1e-2, 1e-1, 1.0)
"""Penalties to choose from."""


def giveaway(features: np.ndarray, labels: np.ndarray, train: int) -> dict[str, float]:
    """AUROC of each label on the cases after the first `train`; the penalty is the one that does best on the last
    quarter of these."""
    inner = train * 3 // 4
    tried = [
        (_macro(_fit(features[:inner], labels[:inner], s, features[inner:train]), labels[inner:train]), s)
        for s in STRENGTHS
    ]
    logits = _fit(features[:train], labels[:train], max(tried)[1], features[train:])
    return {name: auroc(logits[:, k], labels[train:, k]) for k, name in enumerate(LABELS)}


def auroc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve (Mann-Whitney); NaN where one class is missing."""
    positive = truth > 0
    n, m = int(positive.sum()), int((~positive).sum())
    return float((rankdata(scores)[positive].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


def _macro(logits: np.ndarray, labels: np.ndarray) -> float:
    return float(np.nanmean([auroc(logits[:, k], labels[:, k]) for k in range(labels.shape[1])]))


def _fit(features: np.ndarray, labels: np.ndarray, strength: float, unseen: np.ndarray) -> np.ndarray:
    """Logits of unseen cases from an L2-penalised logistic regression on standardised features."""
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
    x, y = torch.from_numpy((features - mean) / scale), torch.from_numpy(labels)
    weight = torch.zeros(x.shape[1], y.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(y.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(x @ weight + bias, y) * y.shape[1]
        loss = loss + strength * (weight**2).sum() / 2
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return np.asarray((torch.from_numpy((unseen - mean) / scale) @ weight + bias).numpy())
