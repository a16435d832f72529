"""What every reader of a data set offers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from rect_core.types import ManifestRow
from rect_core.volume import Volume


@runtime_checkable
class Reader(Protocol):
    """A data set on disk. Readers are small, frozen and can be pickled, so that workers may hold one each."""

    @property
    def root(self) -> Path:
        """The folder that the paths of the rows are relative to."""

    def rows(self) -> list[ManifestRow]:
        """One row a reconstruction, in the order of their names; of scans only headers are read. Raises DataError."""

    def load(self, row: ManifestRow) -> Volume:
        """The scan of a row in HU, after whatever this set's files need and nothing else. Raises ScanError."""

    def from_tables(self, row: ManifestRow) -> Mapping[str, str]:
        """What `load` takes from a table and not from the row's files: a store makes the case again when it changes."""
