"""Names of scans: which suffixes are read, and the case id behind a file name."""

from pathlib import Path
from typing import Final

from rect_core.errors import ScanError

SUFFIXES: Final = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".zip", ".dcm")
"""Files that are read; a folder or a .zip holds the slices of a DICOM series, a .dcm a multi-frame one."""

_LONGEST: Final = 200


def suffix_of(path: Path | str) -> str:
    """The one of SUFFIXES that a file name ends in, in lower case, or ""."""
    name = Path(path).name.lower()
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def case_id_of(path: Path | str) -> str:
    """The file name without its suffix ("a.b.nii.gz" -> "a.b"); of a folder its whole name."""
    path = Path(path)
    name = path.resolve().name if path.name in ("", "..") else path.name
    return name if path.is_dir() else name[: len(name) - len(suffix_of(name))]


def check_case_id(case_id: str) -> None:
    """Raises ScanError("file") for a case id that cannot be the name of an output folder."""
    unusable = set(case_id) & set('/\\:*?"<>|') or not case_id.isprintable()
    if unusable or case_id.strip(" .") == "" or case_id != case_id.strip() or len(case_id.encode()) > _LONGEST:
        raise ScanError(
            "file", f"case_id {case_id[:80]!r} cannot name an output folder: rename the scan or give case_id="
        )
