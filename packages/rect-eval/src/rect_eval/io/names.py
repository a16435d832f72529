"""Names of cases: without folder and suffix, and what CT-RATE's names say about patient and scan."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final, NamedTuple

from rect_core.readers.names import suffix_of

_CT_RATE: Final = re.compile(r"((train|valid|test)_[0-9]+)_[a-z]+_[0-9]+")


class Origin(NamedTuple):
    """Whose case it is: patient, scan and split ("" where the name does not say)."""

    patient: str
    scan: str
    split: str


def case_of(name: str) -> str:
    """The case that a file name stands for: "dir/a.b.nii.gz" -> "a.b"; a suffix that no scan has stays."""
    name = name.strip().replace("\\", "/").rstrip("/").rpartition("/")[2]
    return name[: len(name) - len(suffix_of(name))]


def origin_of(case_id: str) -> Origin:
    """Patient, scan and split of a CT-RATE name ("valid_7_a_2"); any other case is a patient and a scan of its own."""
    found = _CT_RATE.fullmatch(case_id)
    if found is None:
        return Origin(case_id, case_id, "")
    return Origin(found[1], case_id.rpartition("_")[0], found[2])


def nearest(name: str, names: Iterable[str]) -> str:
    """ "; the nearest is 'x'", or "" where none is like it. Capitals, spaces and underscores do not count."""
    plain = {_plain(known): known for known in names}
    like = get_close_matches(_plain(name), list(plain), n=1, cutoff=0.6)
    return f"; the nearest is {plain[like[0]]!r}" if like else ""


def resembles(name: str, names: Iterable[str]) -> bool:
    """Whether a name is one of the others, or one of them misspelt."""
    return bool(get_close_matches(_plain(name), list(map(_plain, names)), n=1, cutoff=0.85))


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
