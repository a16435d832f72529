"""Where a store keeps things, and what all its cases have in common.

store.json                  version, grid, HU range, origin and licence: one store, one grid, one kind of scans
manifest.parquet            a row a case; paths relative to the store
cases/<case_id>/            hu, regions_classical, regions_true, lesions (.b2nd) and case.json, which comes last
quarantine/<case_id>.json   what could not be prepared, and why
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

from rect_core.errors import DataError
from rect_core.frame import GridConfig
from rect_core.masks import replacing
from rect_data.ct_rate import PHANTOMS

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


Origin = Literal["unknown", "phantoms", "clinical"]
"""What kind of scans a store holds."""

_SAYS: Final = ("origin", "licence")
"""What a store may say of its scans besides what decides how they are prepared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreConfig:
    """What all cases of a store have in common: the grid that they lie on, and what is said of their scans.

    origin: what kind of scans they are. licence: of the data, as whoever prepares them states it; "" is not stated.
    """

    grid: GridConfig = field(default_factory=GridConfig)
    origin: Origin = "unknown"
    licence: str = ""

    def to_json(self) -> str:
        """The text of `store.json`."""
        said = {"kind": "rect-store", "version": VERSION, "grid": asdict(self.grid), "origin": self.origin}
        return json.dumps({**said, "licence": self.licence} if self.licence else said, indent=1) + "\n"


def with_origin(config: StoreConfig, root: Path) -> StoreConfig:
    """The config of a store of the data set in a folder: of one that tools/make_phantoms.py wrote the scans are
    phantoms, whether or not the config says so; DataError where it says something else."""
    if not (root / PHANTOMS).is_file():
        return config
    if config.origin not in ("unknown", "phantoms"):
        raise DataError(f"{root.name}: holds {PHANTOMS}, so its scans are phantoms and not {config.origin}")
    return replace(config, origin="phantoms")


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
    grid = GridConfig(shape=shape, spacing_mm=spacing, hu_range=hu_range)
    origin = said.get("origin", "unknown")
    if origin not in get_args(Origin):
        raise DataError(f"{root.name}/{SETTINGS}: origin {origin!r}: give one of {', '.join(get_args(Origin))}")
    return StoreConfig(grid=grid, origin=origin, licence=said.get("licence", ""))


def claim(root: Path, text: str) -> None:
    """Makes `root` a store with this `store.json`, or checks that it is one already: nothing is mixed.

    A store that says nothing of its scans' origin or licence goes on saying nothing, whatever the new ones are.
    """
    path = root / SETTINGS
    root.mkdir(parents=True, exist_ok=True)
    others = [child.name for child in root.iterdir() if not child.name.startswith(".")]
    if others and not path.exists():  # asked last: another shard may have written it just now
        raise DataError(f"{root.name}: not empty and no store: give a new folder, or a store to go on with")
    if not path.exists():
        write_text(path, text)
    old, new = (json.loads(said) for said in (path.read_text(), text))
    if _settings(old) != _settings(new):
        raise DataError(
            f"{root.name}: was made with other settings ({SETTINGS} differs): give the same or a new folder"
        )
    for name in _SAYS:
        if old.get(name, "unknown") != "unknown" and old[name] != new.get(name, "unknown"):
            raise DataError(
                f"{root.name}: its scans have {name} {old[name]!r} and these {new.get(name, 'unknown')!r}: give "
                f"--{name} {old[name]!r} where it is the same, or a new folder"
            )


def _settings(said: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key not in _SAYS}


def write_text(path: Path, text: str) -> None:
    """Replaces a small file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.encode())
