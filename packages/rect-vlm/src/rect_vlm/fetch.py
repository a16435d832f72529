"""Weights into a folder of one's own: from the Hub or from another folder, checked before they are in place."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rect_classifier import Classifier
from rect_core.errors import ScanError
from rect_core.folders import check_place, whole_folder
from rect_core.published import CARD_NAME, CONFIG_NAME, FILES
from rect_core.sources import source_folder
from rect_encoder import VisionEncoder
from rect_localizer import Localizer

CLASSES: Final[Mapping[str, type[VisionEncoder] | type[Classifier] | type[Localizer]]] = {
    "encoder": VisionEncoder,
    "classifier": Classifier,
    "localizer": Localizer,
}
WHOLE: Final = ("encoder", "classifier", "localizer")
"""What `ReCTVLM.from_pretrained` needs."""


def fetch(
    source: str | Path, out: Path, parts: Sequence[str] = (), *, revision: str | None = None, force: bool = False
) -> dict[str, str]:
    """Copies components to `<out>/<component>` and the card of the whole beside them; returns their fingerprints.

    source: a Hub id or a folder, of a whole model or of one component. parts: without any, all that are there.
    revision: of a Hub id; force: replace weights that are in `out`. Every tensor is compared with its fingerprint, and
    heads with the encoder that they come with, before anything is put in place. Raises ScanError, FileNotFoundError or
    ValueError in one line.
    """
    check_place(out, force=force, ours=is_weights)
    folder = source_folder(source, revision=revision, wanted=_wanted(parts))
    held = held_in(folder)
    if not held:
        raise FileNotFoundError(f"{source} holds no weights: give a folder with encoder/ and so on, or a Hub id")
    if missing := [part for part in parts if part not in held]:
        raise FileNotFoundError(f"{source} holds no {missing[0]}, only {', '.join(held)}: leave it out")
    chosen = [part for part in CLASSES if part in (parts or held)]
    with whole_folder(out, force=force, ours=is_weights) as fresh:
        for part in chosen:
            (fresh / part).mkdir()
            _copy(held[part], fresh / part)
        if folder not in held.values() and (folder / CARD_NAME).is_file():
            shutil.copyfile(folder / CARD_NAME, fresh / CARD_NAME)
        return _verified(fresh, chosen)


def held_in(folder: Path) -> dict[str, Path]:
    """Component -> its folder, of a whole model, or of one component that lies in the folder itself."""
    found = {part: folder / part for part in CLASSES if (folder / part / CONFIG_NAME).is_file()}
    if found or not (folder / CONFIG_NAME).is_file():
        return found
    text = (folder / CONFIG_NAME).read_text(encoding="utf-8")
    return {part: folder for part, kind in CLASSES.items() if f'"rect_{part}.{kind.__name__}"' in text}


def is_weights(folder: Path) -> bool:
    """Whether a folder holds components as `fetch` writes them, and nothing else."""
    names = {path.name for path in folder.iterdir()}
    return bool(names & CLASSES.keys()) and names <= {*CLASSES, CARD_NAME}


def _wanted(parts: Sequence[str]) -> list[str]:
    """Patterns of what to download: these components, and one that is alone in its repository."""
    return [*FILES, *(f"{part}/{name}" for part in (parts or CLASSES) for name in FILES)]


def _copy(source: Path, target: Path) -> None:
    for name in FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _verified(folder: Path, parts: Sequence[str]) -> dict[str, str]:
    """The fingerprints of components that load, with heads of the encoder that is with them."""
    modules = {part: CLASSES[part].from_pretrained(folder / part) for part in parts}
    seals = {part: module.fingerprint for part, module in modules.items()}
    for part, module in modules.items():
        named = "" if isinstance(module, VisionEncoder) else module.config.encoder_fingerprint
        if named and named != seals.get("encoder", named):
            raise ScanError(
                "file", f"{part} belongs to encoder {named[:12]}, not to {seals['encoder'][:12]} that it comes with"
            )
    return seals
