"""The folder of published weights: `config.json` + `model.safetensors` + `README.md`, strict in both directions.

    config.json   {"class": "rect_encoder.VisionEncoder", "format": 1, "rect_version": "0.1.0",
                   "weights_status": "synthetic", "fingerprint": "<sha256>", "config": {...}}

Nothing here knows of models: `rect_core.hub.Published` gives tensors and gets tensors.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

import torch
from einops import rearrange
from torch import Tensor

from rect_core.types.prediction import SYNTHETIC, WeightsStatus

FORMAT = 1
CONFIG_NAME, WEIGHTS_NAME, CARD_NAME = "config.json", "model.safetensors", "README.md"
POINTS_NAME = "operating_points.json"
"""Lies beside the weights of a head whose operating points have been fitted."""

FILES: Final = (CARD_NAME, CONFIG_NAME, WEIGHTS_NAME, POINTS_NAME)
"""All that a component's folder may hold."""

_KEYS = ("class", "format", "rect_version", "weights_status", "fingerprint", "config")
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What config.json says about the tensors beside it. `kind` is its "class": top package and class name."""

    kind: str
    weights_status: WeightsStatus
    fingerprint: str
    config: dict[str, Any]
    rect_version: str = ""
    format: int = FORMAT


def fingerprint_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, shapes and values of tensors in the order of their names.

    Floats count as rounded to bfloat16, so it is the same in float32, in bfloat16 and on any device.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach()
        value = value.to("cpu", torch.bfloat16 if value.is_floating_point() else value.dtype).contiguous()
        digest.update(f"{name} {tuple(value.shape)}\n".encode())
        digest.update(rearrange(value, "... -> (...)").view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_header(folder: Path, *, kind: str) -> Header:
    """The checked config.json of a folder that must hold a `kind`; FileNotFoundError or ValueError in one line."""
    where = f"{folder.name}/{CONFIG_NAME}"
    if not (folder / CONFIG_NAME).is_file():
        raise FileNotFoundError(f"{where} is missing: give a folder with {CONFIG_NAME} and {WEIGHTS_NAME}")
    try:
        data = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{where} is not JSON ({error}): copy or download the folder again") from None
    _check_keys(where, data, kind)
    return Header(kind=data.pop("class"), **data)


def read_tensors(folder: Path, expected: Shapes) -> dict[str, Tensor]:
    """The tensors of model.safetensors in the dtypes they have there; names and shapes must be exactly `expected`.

    Names and shapes are compared before any tensor is read. Raises FileNotFoundError or ValueError in one line.
    """
    from safetensors import SafetensorError, safe_open

    where = f"{folder.name}/{WEIGHTS_NAME}"
    if not (folder / WEIGHTS_NAME).is_file():
        raise FileNotFoundError(f"{where} is missing: copy or download the folder again")
    try:
        with safe_open(folder / WEIGHTS_NAME, framework="pt") as file:
            check_shapes(where, {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}, expected)  # noqa: SIM118
            return {name: file.get_tensor(name) for name in expected}
    except SafetensorError as error:
        raise ValueError(f"{where} is damaged ({error}): copy or download it again") from None


def check_status(where: str, status: Any) -> None:
    """Raises ValueError unless the status is a `WeightsStatus`."""
    if status not in get_args(WeightsStatus):
        raise ValueError(f"{where}: weights_status {status!r} is not one of {', '.join(get_args(WeightsStatus))}")


def check_shapes(where: str, found: Shapes, expected: Shapes) -> None:
    """Raises ValueError naming every missing, unexpected or differently shaped tensor."""
    wrong = []
    if missing := [name for name in expected if name not in found]:
        wrong.append(f"missing {_some(missing)}")
    if unexpected := [name for name in found if name not in expected]:
        wrong.append(f"unexpected {_some(unexpected)}")
    shapes = [f"{n} is {found[n]} instead of {expected[n]}" for n in expected if n in found and found[n] != expected[n]]
    if shapes:
        wrong.append(f"wrong shape: {_some(shapes)}")
    if wrong:
        raise ValueError(f"{where} does not fit its class: {'; '.join(wrong)}")


def check_fingerprint(folder: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
    """Raises ValueError unless the tensors are the ones config.json was written for."""
    found = fingerprint_of(tensors)
    if found != header.fingerprint:
        raise ValueError(
            f"{folder.name}/{WEIGHTS_NAME} has fingerprint {found[:12]} but {CONFIG_NAME} says "
            f"{header.fingerprint[:12]}: the files do not belong together, copy or download the folder again"
        )


def write_folder(folder: Path, header: Header, tensors: Mapping[str, Tensor], card: str) -> None:
    """Writes the three files, all or nothing for a new folder.

    In a folder that exists each file is replaced in one step and others stay; a write that is cut off between two of
    them leaves files whose fingerprints differ, which loading refuses.
    """
    from safetensors.torch import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.parent / f".{folder.name}-{uuid.uuid4().hex[:8]}"
    fresh.mkdir()
    try:
        save_file(dict(tensors), fresh / WEIGHTS_NAME, metadata={"format": "pt"})
        (fresh / CONFIG_NAME).write_text(json.dumps(_json(header), indent=2) + "\n", encoding="utf-8")
        (fresh / CARD_NAME).write_text(model_card(header, card), encoding="utf-8")
        # safetensors makes its file readable by the owner alone; shared weights are like any other file.
        (fresh / WEIGHTS_NAME).chmod((fresh / CONFIG_NAME).stat().st_mode)
        _move(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def model_card(header: Header, body: str) -> str:
    """The README.md of a folder: the Hub's front matter, where the weights come from, and the author's own text.

    A body that has front matter of its own is the whole card.
    """
    if body.startswith("---\n"):
        return body
    package, _, name = header.kind.partition(".")
    # Weights trained on clinical data inherit that data's licence; the others are ours to give away.
    licence = "other" if header.weights_status == "clinical-data" else "apache-2.0"
    return (
        f"---\nlibrary_name: {package}\nlicense: {licence}\ntags: [chest-ct, medical-imaging]\n---\n\n"
        f"# {name}\n\n{_ORIGIN[header.weights_status]} Research software, not a medical device.\n\n"
        f'```python\nfrom {package} import {name}\n\nmodel = {name}.from_pretrained("this folder")\n```\n\n'
        f"Fingerprint of the weights: `{header.fingerprint}`.\n" + (f"\n{body.strip()}\n" if body.strip() else "")
    )


_ORIGIN = {
    "untrained": "**Untrained**: the weights are random numbers from a seed, and so is every output.",
    "synthetic": f"**{SYNTHETIC.capitalize()}.**",
    "clinical-data": "Trained on **clinical data**; the licence of that data applies to these weights.",
}


def _check_keys(where: str, data: Any, kind: str) -> None:
    if not isinstance(data, dict):
        raise ValueError(f"{where} holds a {type(data).__name__}, not an object: copy or download the folder again")
    if isinstance(data.get("format"), int) and data["format"] > FORMAT:
        raise ValueError(
            f"{where} has format {data['format']} but this rect-core reads up to {FORMAT}: upgrade rect-core"
        )
    if missing := [key for key in _KEYS if key not in data]:
        raise ValueError(f"{where} lacks {', '.join(missing)}: it was not written by save_pretrained")
    if unknown := [key for key in data if key not in _KEYS]:
        raise ValueError(f"{where} has unknown keys {', '.join(unknown)}: known are {', '.join(_KEYS)}")
    if data["format"] != FORMAT or not isinstance(data["fingerprint"], str) or not isinstance(data["config"], dict):
        raise ValueError(f"{where} has no proper format, fingerprint or config: it was not written by save_pretrained")
    check_status(where, data["weights_status"])
    if data["class"] != kind:
        raise ValueError(
            f"{where} holds a {data['class']}, not a {kind}: load it with its own class or give another folder"
        )


def _json(header: Header) -> dict[str, Any]:
    return {
        "class": header.kind,
        "format": header.format,
        "rect_version": header.rect_version or version("rect-core"),
        "weights_status": header.weights_status,
        "fingerprint": header.fingerprint,
        "config": header.config,
    }


def _move(fresh: Path, folder: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    for name in (WEIGHTS_NAME, CARD_NAME, CONFIG_NAME):
        (fresh / name).replace(folder / name)


def _some(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
