"""Who a case is: CT-RATE has several reconstructions of a scan and several scans of a patient, and so have we."""

from dataclasses import dataclass
from typing import Final

_BLOCK: Final = (
    *((patient, 0, 0) for patient in range(6)),
    *((6, 0, 0), (6, 0, 1)),
    *((7, 0, 0), (7, 1, 0)),
)
"""(patient, scan, reconstruction) of ten cases in a row: six plain patients, one with two reconstructions of a scan,
one who came back for a second scan."""

_PATIENTS: Final = 8

MOST: Final = 1 << 30
"""Cases of a world: the sequence that their labels are drawn from has no more points."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """Patient, scan of the patient and reconstruction of the scan, counted from 0."""

    patient: int
    scan: int
    reconstruction: int

    @property
    def ordinal(self) -> int:
        """Number of the scan among all scans, from 0; reconstructions of one scan share it."""
        block, place = divmod(self.patient, _PATIENTS)
        return block * (_PATIENTS + 1) + place + self.scan

    @property
    def name(self) -> str:
        """As CT-RATE names them after the split, such as "1_a_1" for the first."""
        return f"{self.patient + 1}_{chr(ord('a') + self.scan)}_{self.reconstruction + 1}"


def study(index: int) -> Study:
    """The study of a case; an index that is negative or MOST and more raises ValueError."""
    if not 0 <= index < MOST:
        raise ValueError(f"index {index} is {'negative' if index < 0 else 'too large'}: give 0 to {MOST - 1}")
    block, place = divmod(index, len(_BLOCK))
    patient, scan, reconstruction = _BLOCK[place]
    return Study(patient=block * _PATIENTS + patient, scan=scan, reconstruction=reconstruction)
