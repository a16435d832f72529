"""A run's averaged weights as folders that `from_pretrained` reads: one a component, and the whole where all are."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from rect_classifier import Classifier
from rect_core.types import WeightsStatus
from rect_localizer import Localizer
from rect_train.trained import read_trained
from rect_vlm import ReCTVLM


def export(
    run: Path, out: Path, *, weights_status: WeightsStatus | None = None, checkpoint: str = "best"
) -> tuple[str, ...]:
    """Writes encoder/ and those of classifier/ and localizer/ that the run trained; returns their names.

    Heads name the encoder they are saved with. `ReCTVLM.from_pretrained(out)` reads the result of a run that has all
    three. weights_status: needed where the run's config does not say what its scans are, refused where it says
    otherwise. checkpoint: "best", "last" or a name. Raises ValueError.
    """
    if out.exists() and any(out.iterdir()):
        raise ValueError(f"{out.name} is not empty: give a new folder for the weights")
    trained = read_trained(run, checkpoint)
    status = status_of(trained.origins, weights_status)
    seal = trained.encoder.fingerprint
    classifier = None if trained.classifier is None else _sealed_classifier(trained.classifier, seal)
    localizer = None if trained.localizer is None else _sealed_localizer(trained.localizer, seal)
    if classifier is not None and localizer is not None:
        ReCTVLM(trained.encoder, classifier, localizer).save_pretrained(out, weights_status=status)
        return "encoder", "classifier", "localizer"
    modules = {"encoder": trained.encoder, "classifier": classifier, "localizer": localizer}
    there = {part: module for part, module in modules.items() if module is not None}
    for part, module in there.items():
        module.save_pretrained(out / part, weights_status=status)
    return tuple(there)


def status_of(origins: Collection[str], given: WeightsStatus | None) -> WeightsStatus:
    """The status of weights that have seen such scans; raises ValueError where it is unknown or another than given."""
    if "clinical" in origins:
        known: WeightsStatus | None = "clinical-data"
    else:
        known = "synthetic" if set(origins) == {"phantoms"} else None
    if known is None and given is None:
        raise ValueError("the run does not say what its scans are (data.origin): give --weights-status")
    if known is not None and given is not None and given != known:
        raise ValueError(f"--weights-status {given}: these weights have seen {' and '.join(sorted(origins))} scans")
    status = known or given
    assert status is not None
    return status


def _sealed_classifier(head: Classifier, fingerprint: str) -> Classifier:
    sealed = Classifier(replace(head.config, encoder_fingerprint=fingerprint))
    sealed.load_state_dict(head.state_dict(), strict=True)
    return sealed


def _sealed_localizer(head: Localizer, fingerprint: str) -> Localizer:
    sealed = Localizer(replace(head.config, encoder_fingerprint=fingerprint))
    sealed.load_state_dict(head.state_dict(), strict=True)
    return sealed
