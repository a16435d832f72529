"""A run's averaged weights as folders that `from_pretrained` reads: one a component, and the whole where all are."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import torch

from rect_classifier import Classifier
from rect_core.folders import whole_folder
from rect_core.published import CARD_NAME, POINTS_NAME
from rect_core.types import WeightsStatus
from rect_data.store.layout import SETTINGS
from rect_encoder import VisionEncoder
from rect_localizer import Localizer
from rect_train.calibrate import Fitted, calibrate
from rect_train.card import Export, card
from rect_train.facts import RunFacts, facts_of
from rect_train.run import config_of
from rect_train.trained import Trained, read_trained

Modules = Mapping[str, VisionEncoder | Classifier | Localizer]


def export(
    run: Path,
    out: Path,
    *,
    weights_status: WeightsStatus | None = None,
    checkpoint: str = "best",
    store: Path | None = None,
    calibrated: bool = True,
    dtype: torch.dtype = torch.float32,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[str, ...]:
    """Writes encoder/ and those of classifier/ and localizer/ that the run trained, each with its model card, whole or
    not at all; returns their names.

    Heads name the encoder they are saved with. `ReCTVLM.from_pretrained(out)` reads the result of a run that has all
    three. weights_status: needed where the run's config does not say what its scans are, refused where it says
    otherwise. checkpoint: "best", "last" or a name. dtype: float32, or bfloat16 for files half as large, whose
    operating points are those of the rounded weights. store: where the run's store is now (default: where it was);
    calibrated: fit the heads' operating points on its validation split; say: is told what could not be fitted.
    Raises ValueError.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out.name} is not empty: give a new folder for the weights")
    config = config_of(run)
    trained = read_trained(run, checkpoint)
    for module in trained.parts.values():
        module.to(dtype).float()
    status = status_of(trained.origins, weights_status)
    store = store or config.data.store
    fitted = _fitted(trained, store, config.data.valid, say) if calibrated else None
    modules = _sealed(trained)
    said = Export(
        status=status,
        fingerprints={part: module.fingerprint for part, module in modules.items()},
        parameters={part: sum(p.numel() for p in module.parameters()) for part, module in modules.items()},
        fitted=fitted,
        split=config.data.valid,
    )
    facts = facts_of(run, trained.name.rpartition("/")[2], store)
    for module in modules.values():
        module.to(dtype)
    with whole_folder(out, force=False, ours=lambda folder: False) as folder:
        _write(folder, modules, facts, said)
    return tuple(modules)


def _write(folder: Path, modules: Modules, facts: RunFacts, said: Export) -> None:
    for part, module in modules.items():
        module.save_pretrained(folder / part, weights_status=said.status, card=card(part, facts, said))
    if said.scores:
        said.scores.save(folder / "classifier" / POINTS_NAME)
    if said.outlines:
        said.outlines.save(folder / "localizer" / POINTS_NAME)
    if len(modules) == 3:
        (folder / CARD_NAME).write_text(card("whole", facts, said), encoding="utf-8")


def _fitted(trained: Trained, store: Path, split: str, say: Callable[[str], None]) -> Fitted | None:
    """Operating points of the heads; None where there is no head."""
    if trained.classifier is None and trained.localizer is None:
        return None
    if not (store / SETTINGS).is_file():
        raise ValueError(
            f"the store {store.name}, whose split {split!r} calibrates the heads, is not there: give --store STORE, or "
            "--no-calibration"
        )
    fitted = calibrate(trained.encoder, trained.classifier, trained.localizer, store, split)
    if trained.classifier is not None and fitted.scores is None:
        say(f"not calibrated: split {split} has no known label")
    if trained.localizer is not None and fitted.outlines is None:
        say(f"no peaks: split {split} has no known mask")
    for warning in fitted.warnings:
        say(f"calibration: {warning}")
    return fitted


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


def _sealed(trained: Trained) -> dict[str, VisionEncoder | Classifier | Localizer]:
    """The components, the heads with the fingerprint of the encoder."""
    seal = trained.encoder.fingerprint
    modules: dict[str, VisionEncoder | Classifier | Localizer] = {"encoder": trained.encoder}
    if (head := trained.classifier) is not None:
        modules["classifier"] = Classifier(replace(head.config, encoder_fingerprint=seal))
        modules["classifier"].load_state_dict(head.state_dict(), strict=True)
    if (outliner := trained.localizer) is not None:
        modules["localizer"] = Localizer(replace(outliner.config, encoder_fingerprint=seal))
        modules["localizer"].load_state_dict(outliner.state_dict(), strict=True)
    return modules
