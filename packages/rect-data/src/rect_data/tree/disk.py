"""Folders and small files of a tree, written whole, and refused in one line where disk or content do not play along."""

import json
from pathlib import Path
from typing import Any

from rect_core.errors import ScanError
from rect_core.masks import replacing


def place(path: Path) -> Path:
    """The path, in a folder that now exists; a folder that cannot be made raises ScanError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScanError(
            "output", f"{path.parent}: cannot be made: {error.strerror}: give a folder that can be written"
        ) from error
    return path


def write_text(path: Path, text: str) -> None:
    """Replaces a small file whole."""
    with replacing(place(path)) as file:
        file.write(text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """A file that was written here; anything but a JSON object raises ValueError."""
    try:
        content = json.loads(path.read_text())
    except ValueError as error:  # no JSON, or no text at all
        raise ValueError(f"{path}: is damaged ({error}): remove it and run again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: is damaged (it holds no object): remove it and run again")
    return content
