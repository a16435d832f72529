"""Which files a case was made from, so that nothing is made twice and nothing stale is kept."""

from hashlib import sha256
from pathlib import Path
from typing import Any

from rect_core.types import ManifestRow

Stamp = dict[str, Any]
"""`bytes`, `mtime_ns` and `sha256` of a file, or of all files of a folder together."""


def inputs(row: ManifestRow) -> dict[str, Any]:
    """The paths of a row, which say what is made of it."""
    return {"volume": row.volume, "regions": row.regions, "lesions": dict(row.lesions)}


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
    masks = {path.partition("#")[0] for path in (row.regions, *row.lesions.values()) if path}
    return sorted({row.volume, *masks})


def _stamp(path: Path, *, hashed: bool) -> Stamp:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path] if path.is_file() else []
    sizes = [file.stat() for file in files]
    out: Stamp = {
        "bytes": sum(size.st_size for size in sizes),
        "mtime_ns": max((size.st_mtime_ns for size in sizes), default=0),
    }
    if hashed:
        found = sha256()
        for file in files:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    found.update(block)
        out["sha256"] = found.hexdigest()
    return out
