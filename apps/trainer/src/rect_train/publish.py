"""What of an export goes to which repository of the Hub, after everything about it has been checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rect_classifier import Classifier
from rect_core.published import CARD_NAME, CONFIG_NAME, FILES
from rect_encoder import VisionEncoder
from rect_localizer import Localizer

PARTS: Final = ("encoder", "classifier", "localizer", "reporter")
WHOLE: Final = ("encoder", "classifier", "localizer")
"""What `ReCTVLM.from_pretrained` needs."""

_ENCODER: Final = "../encoder"

Content = Path | bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """One repository. files: path in it -> a file here, or bytes; seals: component -> fingerprint; notes: what whoever
    publishes should know."""

    repo_id: str
    files: Mapping[str, Content]
    seals: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What would be uploaded, for people."""
        sizes = {name: len(x) if isinstance(x, bytes) else x.stat().st_size for name, x in self.files.items()}
        return [
            f"{self.repo_id}: {len(sizes)} files, {sum(sizes.values()) / 1e6:.3f} MB",
            *(f"  {name:<34} {size:>14,} bytes" for name, size in sizes.items()),
            *(f"  fingerprint of {part}: {seal}" for part, seal in self.seals.items()),
            *(f"  note: {note}" for note in self.notes),
        ]


def plan(export: Path, parts: Sequence[str], prefix: str, *, whole: bool = False) -> list[Upload]:
    """The uploads of some components, each to `<prefix>-<component>`, and of the whole to `<prefix>`.

    A head alone names `<prefix>-encoder` as its encoder instead of the folder beside it. Every tensor is read and
    compared with its fingerprint. Raises ValueError or FileNotFoundError for a folder that is no export, weights that
    are untrained, a component without a card, and a head of another encoder.
    """
    owner, slash, name = prefix.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise ValueError(f"--repo-prefix {prefix!r}: give ORG/NAME, of which ORG/NAME-encoder and so on are made")
    wanted = [part for part in PARTS if part in parts or (whole and part in WHOLE)]
    if not wanted:
        raise ValueError("nothing to publish: give --encoder, --classifier, --localizer, --reporter or --all")
    for part in wanted:
        _check_there(export, part)
    seals = _seals(export, wanted)
    uploads = [_alone(export, part, prefix, seals) for part in wanted if part in parts]
    return [*uploads, _together(export, prefix, seals)] if whole else uploads


def _check_there(export: Path, part: str) -> None:
    if not (export / part / CONFIG_NAME).is_file():
        held = [name for name in PARTS if (export / name / CONFIG_NAME).is_file()]
        raise FileNotFoundError(f"{export.name} holds no {part}, only {', '.join(held) or 'no weights'}: leave it out")
    _check_card(export / part)


def _check_card(folder: Path) -> None:
    path = folder / CARD_NAME
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not text.startswith("---\n") or "\nlicense:" not in text.partition("\n---\n")[0]:
        raise ValueError(
            f"{folder.name}/{CARD_NAME} is missing or names no licence in its front matter: `rect-train export` writes "
            "cards"
        )


def _seals(export: Path, parts: Sequence[str]) -> dict[str, str]:
    """Component -> fingerprint, of weights that are trained and of one encoder."""
    encoder = VisionEncoder.from_pretrained(export / "encoder")
    modules: dict[str, VisionEncoder | Classifier | Localizer] = {"encoder": encoder}
    if "classifier" in parts:
        modules["classifier"] = Classifier.from_pretrained(export / "classifier")
    if "localizer" in parts:
        modules["localizer"] = Localizer.from_pretrained(export / "localizer")
    for part, module in modules.items():
        if module.weights_status == "untrained":
            raise ValueError(f"{export.name}/{part} is untrained: random numbers are not published")
        named = module.config.encoder_fingerprint if not isinstance(module, VisionEncoder) else encoder.fingerprint
        if named != encoder.fingerprint:
            raise ValueError(
                f"{export.name}/{part} belongs to encoder {named[:12] or '(none named)'} but {export.name}/encoder is "
                f"{encoder.fingerprint[:12]}: export them together"
            )
    return {part: modules[part].fingerprint for part in parts}


def _alone(export: Path, part: str, prefix: str, seals: Mapping[str, str]) -> Upload:
    files: dict[str, Content] = dict(_files(export / part))
    notes: tuple[str, ...] = ()
    if part != "encoder":
        config = json.loads((export / part / CONFIG_NAME).read_text(encoding="utf-8"))
        if config["config"]["encoder"] == _ENCODER:
            config["config"]["encoder"] = f"{prefix}-encoder"
            files[CONFIG_NAME] = (json.dumps(config, indent=2) + "\n").encode()
        notes = (f"it reads the tokens of {config['config']['encoder']}, which has to be published too",)
    return Upload(repo_id=f"{prefix}-{part}", files=files, seals={part: seals[part]}, notes=notes)


def _together(export: Path, prefix: str, seals: Mapping[str, str]) -> Upload:
    _check_card(export)
    files: dict[str, Content] = {CARD_NAME: export / CARD_NAME}
    for part in seals:
        files |= {f"{part}/{name}": path for name, path in _files(export / part).items()}
    return Upload(repo_id=prefix, files=files, seals=seals)


def _files(folder: Path) -> dict[str, Path]:
    """The files of a component; what else lies in its folder is never published."""
    return {name: folder / name for name in FILES if (folder / name).is_file()}
