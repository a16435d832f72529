"""Where a store keeps things, and what all its cases have in common.

store.json                  version, grid and HU range: one store, one grid
manifest.parquet            a row a case; paths relative to the store
cases/<case_id>/            hu, regions_classical, regions_true, lesions (.b2nd) and case.json, which comes last
quarantine/<case_id>.json   what could not be prepared, and why
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from rect_core.errors import DataError
from rect_core.frame import GridConfig
from rect_core.masks import replacing

VERSION: Final = 1
"""Raised when the files of a case change their meaning; a store of another version is refused, not guessed at."""

SETTINGS: Final = "store.json"
MANIFEST: Final = "manifest.parquet"
CASES: Final = "cases"
QUARANTINE: Final = "quarantine"
RECORD: Final = "case.json"

PADDING_HU: Final = -1024
"""Value of `hu` outside the scan."""

HU: Final = "hu.b2nd"
CLASSICAL: Final = "regions_classical.b2nd"
TRUE: Final = "regions_true.b2nd"
LESIONS: Final = "lesions.b2nd"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreConfig:
    """The grid that every case of a store lies on."""

    grid: GridConfig = field(default_factory=GridConfig)

    def to_json(self) -> str:
        """The text of `store.json`."""
        return json.dumps({"kind": "rect-store", "version": VERSION, "grid": asdict(self.grid)}, indent=1) + "\n"


def case_folder(root: Path, case_id: str) -> Path:
    """Folder of one case."""
    return root / CASES / case_id


def read_config(root: Path) -> StoreConfig:
    """What `store.json` says. Raises DataError for a folder that is no store, or one of another version."""
    path = root / SETTINGS
    if not path.is_file():
        raise DataError(f"{root.name}: no {SETTINGS} in it: give a store that tools/prepare_ct_rate.py wrote")
    said = json.loads(path.read_text())
    if said.get("kind") != "rect-store":
        raise DataError(
            f"{root.name}: {said.get('kind', 'something else')}, no store: windowed uint8 is not HU and nothing here "
            "trains on it; prepare the scans again without --format npz"
        )
    if said["version"] != VERSION:
        raise DataError(f"{root.name}: store version {said['version']}, this code reads {VERSION}: prepare it again")
    shape, spacing, hu_range = (tuple(said["grid"][key]) for key in ("shape", "spacing_mm", "hu_range"))
    return StoreConfig(grid=GridConfig(shape=shape, spacing_mm=spacing, hu_range=hu_range))


def claim(root: Path, text: str) -> None:
    """Makes `root` a store with this `store.json`, or checks that it is one already: nothing is mixed."""
    path = root / SETTINGS
    root.mkdir(parents=True, exist_ok=True)
    others = [child.name for child in root.iterdir() if not child.name.startswith(".")]
    if others and not path.exists():  # asked last: another shard may have written it just now
        raise DataError(f"{root.name}: not empty and no store: give a new folder, or a store to go on with")
    if not path.exists():
        write_text(path, text)
    if path.read_text() != text:
        raise DataError(
            f"{root.name}: was made with other settings ({SETTINGS} differs): give the same or a new folder"
        )


def write_text(path: Path, text: str) -> None:
    """Replaces a small file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.encode())
