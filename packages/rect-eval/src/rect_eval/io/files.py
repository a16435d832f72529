"""Text, JSON and mask files, read so that what is wrong with one is said with its name and line."""

import codecs
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from rect_core.errors import DataError
from rect_core.findings import LOCALIZED
from rect_eval.io.names import case_of, nearest

_MASKS: Final = (".nii.gz", ".nii")


def read_text(path: Path, where: str = "") -> str:
    """A UTF-8 file, without its byte order mark. where: the name that an error gives it."""
    where = where or path.name
    try:
        raw = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror}): give a file that can") from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{where}: line {line}: byte 0x{raw[error.start]:02x} is not UTF-8: save the file as UTF-8"
        ) from error


def read_json(path: Path, where: str = "") -> Any:
    """The content of a JSON file; a key that stands twice in one object is refused."""
    where = where or path.name
    text = read_text(path, where)
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        what = "the file is empty" if not text.strip() else f"line {error.lineno}: no JSON ({error.msg})"
        raise DataError(f"{where}: {what}: write it again") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {error}: write it again") from error


def masks_in(folder: Path, where: str, also: Sequence[str] = ()) -> dict[str, Path]:
    """Finding -> mask file of a folder, in the order of LOCALIZED. also: other names that may be there.

    Hidden files and files that are no NIfTI are passed over. Raises DataError for a name that is no finding, which
    would otherwise count as "nothing found", and for a finding with two files.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.name.lower().endswith(_MASKS):
            continue
        name = case_of(path.name)
        if name not in LOCALIZED and name not in also:
            known = (*LOCALIZED, *also)
            raise DataError(
                f"{where}: {path.name} is none of {', '.join(known)}{nearest(name, known)}: rename or remove it"
            )
        if found.setdefault(name, path) != path:
            raise DataError(f"{where}: {found[name].name} and {path.name} are both {name}: keep one")
    return {name: found[name] for name in (*LOCALIZED, *also) if name in found}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands {names.count(twice)} times in one object, keep one")
    return found
