"""The model that an evaluation asks: a run, an export, installed or published weights, or an untrained preset."""

from pathlib import Path

import torch

from rect_core.types import WeightsStatus
from rect_train.export import status_of
from rect_train.run import is_run
from rect_train.trained import read_trained
from rect_vlm import ReCTVLM


def load_model(
    checkpoint: str, *, device: torch.device, revision: str | None = None, status: WeightsStatus | None = None
) -> ReCTVLM:
    """A run's averaged weights of its best checkpoint, as they are (without operating points, which an export fits), or
    whatever `ReCTVLM.from_pretrained` takes.

    status: of a run that does not know what its scans were. Raises ValueError for a run that lacks a component.
    """
    if not is_run(Path(checkpoint)):
        return ReCTVLM.from_pretrained(checkpoint, revision=revision).to(device)
    trained = read_trained(Path(checkpoint))
    if trained.classifier is None or trained.localizer is None:
        raise ValueError(
            f"{trained.name} holds {' and '.join(trained.parts)} only: evaluate a run of phase 2, whose validation "
            "has all parts; what this one scored stands in its metrics.jsonl"
        )
    known = status_of(trained.origins, status)
    for module in trained.parts.values():
        module.weights_status = known
    return ReCTVLM(trained.encoder, trained.classifier, trained.localizer, name=trained.name).to(device)
