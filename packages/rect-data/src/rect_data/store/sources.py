"""Which files a case was made from, so that nothing is made twice and nothing stale is kept."""

import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from rect_core.types import ManifestRow
from rect_data.readers import Reader
from rect_data.readers.masks import file_and_part

_DATA: Final = re.compile(rb"^(?:ElementDataFile\s*=|data ?file\s*:)\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
"""Where a header of MetaImage or NRRD names the file that its voxels are in."""

Stamp = dict[str, Any]
"""`bytes`, `mtime_ns` and `sha256` of a file, or of all files of a folder together."""


def inputs(reader: Reader, row: ManifestRow) -> dict[str, Any]:
    """What says what is made of a row beside the files: their paths, and what its reader takes from tables."""
    paths = {"volume": row.volume, "regions": row.regions, "lesions": dict(row.lesions)}
    tables = dict(reader.from_tables(row))
    return {**paths, "tables": tables} if tables else paths


def stamps(root: Path, row: ManifestRow) -> dict[str, Stamp]:
    """A stamp of every file that a row names."""
    return {name: _stamp(root / name, hashed=True) for name in _names(row)}


def unchanged(root: Path, row: ManifestRow, before: dict[str, Stamp]) -> bool:
    """Whether the files of a row are those of the stamps: by size and time, by content where only the time differs.
    Files that are gone count as unchanged: a disk budget may delete what is prepared."""
    for name in _names(row):
        path, known = root / name, before.get(name)
        if known is None:
            return False
        if path.exists():
            now = _stamp(path, hashed=False)
            if now["bytes"] != known["bytes"]:
                return False
            if now["mtime_ns"] != known["mtime_ns"] and _stamp(path, hashed=True)["sha256"] != known["sha256"]:
                return False
    return True


def _names(row: ManifestRow) -> list[str]:
    masks = {file_and_part(mask)[0] for mask in row.lesions.values()}
    return sorted({row.volume, *masks, *([row.regions] if row.regions else [])})


def _stamp(path: Path, *, hashed: bool) -> Stamp:
    """Of a folder its own time counts as well, and the names in it: two masks that change places are a change."""
    below = sorted(path.rglob("*")) if path.is_dir() else []
    files = [p for p in below if p.is_file()] or [p for p in (path, *_data_of(path)) if p.is_file()]
    folders = [p for p in (path, *below) if p.is_dir()]
    out: Stamp = {
        "bytes": sum(file.stat().st_size for file in files),
        "mtime_ns": max((place.stat().st_mtime_ns for place in (*files, *folders)), default=0),
    }
    if hashed:
        found = sha256()
        for file in files:
            if folders:
                found.update(f"{file.relative_to(path).as_posix()}\n".encode())
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    found.update(block)
        out["sha256"] = found.hexdigest()
    return out


def _data_of(path: Path) -> list[Path]:
    """The voxels' file of a header that stands alone (.mhd, .nhdr)."""
    if path.suffix.lower() not in (".mhd", ".nhdr") or not path.is_file():
        return []
    with path.open("rb") as file:
        return [path.parent / name.decode(errors="replace") for name in _DATA.findall(file.read(1 << 16))]
