"""A store as WebDataset shards and back: plain tar files whose members lie case by case.

    shard-000000.tar   <case>.row.json, <case>.hu.b2nd, <case>.regions_classical.b2nd, ..., <case>.case.json, next case
    index.json         settings of the store; name, cases and SHA-256 of each shard; written last

Arrays are the store's own files byte for byte (`blosc2.ndarray_from_cframe` reads one), and so is `case.json`;
`row.json` is the manifest's row. The same store gives the same bytes.
"""

import io
import json
import secrets
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np

from rect_core.errors import DataError
from rect_core.findings import LOCALIZED
from rect_core.manifest import PARTIAL, write_manifest
from rect_core.masks import replacing
from rect_core.readers.names import check_case_id
from rect_core.types.manifest import ManifestRow
from rect_data.store import StoredCase, StoreReader
from rect_data.store.layout import CASES, CLASSICAL, HU, LESIONS, MANIFEST, RECORD, SETTINGS, TRUE, case_folder, claim
from rect_data.store.rows import row_from_json, row_to_json

INDEX: Final = "index.json"
ROW: Final = "row.json"


def export_shards(root: Path | str, out: Path | str, *, cases_per_shard: int = 256, split: str = "") -> list[Path]:
    """Writes the cases of a store (of one split, "" for all) as shards in a new folder, each whole or not at all.

    Raises DataError for a folder that holds an export or a part of one, a store without such cases, and a damaged file.
    """
    reader, out = StoreReader(root), Path(out)
    rows = [row for row in reader.rows if split in ("", row.split)]
    if not rows or cases_per_shard < 1:
        raise DataError(
            f"{reader.root.name}: {len(rows)} cases in split {split!r}, {cases_per_shard} a shard: give both"
        )
    if (out / INDEX).exists() or any(out.glob("shard-*.tar")):
        raise DataError(f"{out.name}: holds an export already, or a part of one: give a new folder")
    out.mkdir(parents=True, exist_ok=True)
    shards = []
    for number, first in enumerate(range(0, len(rows), cases_per_shard)):
        name = f"shard-{number:06d}.tar"
        shards.append(_shard(out / name, reader, rows[first : first + cases_per_shard]))
    settings = json.loads((reader.root / SETTINGS).read_text())
    with replacing(out / INDEX) as file:
        file.write((json.dumps({"store": settings, "shards": shards}, indent=1) + "\n").encode())
    return [out / shard["name"] for shard in shards]


def read_shards(folder: Path | str) -> Iterator[tuple[ManifestRow, StoredCase]]:
    """Every case of an export in its order.

    Raises DataError for a shard that is missing, cut short or damaged: no case is handed out before its shard's
    checksum is compared.
    """
    for row, held in _held(Path(folder)):
        yield row, _case(json.loads(held[RECORD]), held)


def import_shards(folder: Path | str, out: Path | str) -> list[ManifestRow]:
    """Makes the store again that an export was made of, as far as it was exported; the same files byte for byte.

    out: a new folder, or one where this import was stopped. Raises DataError as `read_shards` does.
    """
    folder, out = Path(folder), Path(out)
    claim(out, json.dumps(_index(folder)["store"], indent=1) + "\n")
    for left in (out / CASES).glob(".*.tmp"):
        shutil.rmtree(left)  # of an import that was killed
    rows = []
    for row, held in _held(folder):
        check_case_id(row.case_id)
        place = case_folder(out, row.case_id)
        scratch = place.with_name(f".{place.name}.{secrets.token_hex(4)}.tmp")
        scratch.mkdir(parents=True)
        for name in sorted(held.keys() & {HU, CLASSICAL, TRUE, LESIONS, RECORD}):
            (scratch / name).write_bytes(held[name])
        shutil.rmtree(place, ignore_errors=True)
        scratch.replace(place)
        rows.append(row)
    write_manifest(out / MANIFEST, rows)
    return rows


def _index(folder: Path) -> dict[str, Any]:
    if not (folder / INDEX).is_file():
        raise DataError(f"{folder.name}: no {INDEX} in it: give a folder that export_shards wrote to its end")
    said: dict[str, Any] = json.loads((folder / INDEX).read_text())
    return said


def _held(folder: Path) -> Iterator[tuple[ManifestRow, dict[str, bytes]]]:
    """The row of each case and the contents of its files by their names."""
    for shard in _index(folder)["shards"]:
        path = folder / shard["name"]
        if not path.is_file():
            raise DataError(f"{path.name}: named in {INDEX} but not there: copy all shards")
        if _digest(path) != shard["sha256"]:
            raise DataError(f"{path.name}: cut short or damaged, its checksum is not that of {INDEX}: copy it again")
        for held in _members(path):
            yield row_from_json(json.loads(held[ROW])), held


def _shard(path: Path, reader: StoreReader, rows: Sequence[ManifestRow]) -> dict[str, Any]:
    """Writes one shard; its line of the index."""
    with replacing(path) as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for row in rows:
            _add(tar, reader, row)
    return {"name": path.name, "cases": len(rows), "sha256": _digest(path)}


def _add(tar: tarfile.TarFile, reader: StoreReader, row: ManifestRow) -> None:
    """The members of one case, its record last; no times, owners or rights of this machine."""
    folder = case_folder(reader.root, row.case_id)
    record = reader.record(row.case_id)
    members = {ROW: json.dumps(row_to_json(row)).encode()}
    for name in sorted(record["files"]):
        members[name] = (folder / name).read_bytes()
        if sha256(members[name]).hexdigest() != record["files"][name]:
            raise DataError(f"case {row.case_id!r}: {name} differs from its checksum: prepare the case again")
    members[RECORD] = (folder / RECORD).read_bytes()
    for name, content in members.items():
        info = tarfile.TarInfo(f"{_key(row.case_id)}.{name}")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))


def _key(case_id: str) -> str:
    """WebDataset ends a key at the first dot."""
    return case_id.replace("%", "%25").replace(".", "%2E")


def _members(path: Path) -> Iterator[dict[str, bytes]]:
    """Contents of each case by the name behind its key."""
    held: dict[str, bytes] = {}
    with tarfile.open(path, mode="r|") as tar:
        for info in tar:
            file = tar.extractfile(info)
            if file is None:
                raise DataError(f"{path.name}: member {info.name!r} is no file: export it again")
            name = info.name.partition(".")[2]
            held[name] = file.read()
            if name == RECORD:
                yield held
                held = {}


def _case(record: dict[str, Any], held: dict[str, bytes]) -> StoredCase:
    arrays = {name: _unpacked(held[name]) for name in record["files"]}
    d, h, w = ((first, end) for first, end in record["valid"])
    return StoredCase(
        case_id=record["case_id"],
        hu=arrays[HU],
        regions_classical=arrays[CLASSICAL],
        regions_true=arrays.get(TRUE),
        lesions=arrays.get(LESIONS),
        known={finding: finding in record["masks"] for finding in LOCALIZED},
        partial={finding: f"{PARTIAL}{finding}" in record["masks"] for finding in LOCALIZED},
        valid=(d, h, w),
    )


def _unpacked(content: bytes) -> np.ndarray:
    import blosc2

    return np.asarray(blosc2.ndarray_from_cframe(content)[:])


def _digest(path: Path) -> str:
    found = sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
