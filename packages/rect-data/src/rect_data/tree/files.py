"""The files of one phantom: the scan, its masks and maps, each written whole or not at all."""

import gzip
import zlib
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from rect_core.anatomy.totalsegmentator import V2
from rect_core.findings import LOCALIZED
from rect_core.masks import save_mask, save_volume
from rect_data.ct_rate import lesion_path, map_path, ts_path, volume_path
from rect_data.phantom.case import Case
from rect_data.phantom.parts import LUNGS, Part
from rect_data.tree.disk import place

_NOTE = "synthetic chest CT (rect-data phantom), no patient"
_TS_LOBES = (
    "lung_upper_lobe_right",
    "lung_middle_lobe_right",
    "lung_lower_lobe_right",
    "lung_upper_lobe_left",
    "lung_lower_lobe_left",
)
_TS_PARTS = {
    Part.HEART: "heart",
    Part.AORTA: "aorta",
    Part.AIRWAY: "trachea",
    Part.OESOPHAGUS: "esophagus",
    Part.LIVER: "liver",
    Part.STOMACH: "stomach",
    Part.SPLEEN: "spleen",
    Part.STERNUM: "sternum",
}
"""TotalSegmentator numbers ribs and vertebrae one by one; a phantom's are not numbered and stay out."""


def write_files(case: Case, name: str, root: Path) -> dict[str, str]:
    """Writes every file of a case under CT-RATE's name for it; path relative to the root -> SHA-256."""
    volume, written = case.volume, {}

    def save(relative: str, labels: np.ndarray) -> None:
        path = place(root / relative)
        save_mask(path, labels, volume, description=_NOTE)
        written[relative] = digest(path)

    scan = place(root / volume_path(name))
    save_volume(scan, volume, description=_NOTE)
    written[volume_path(name)] = digest(scan)
    for finding in LOCALIZED:
        save(lesion_path(name, finding), case.lesions.crops[finding].dense())
    save(map_path("regions", name), case.regions.labels)
    save(map_path("lobes", name), case.lobes)
    save(ts_path("ts_total", name), total(case))
    save(ts_path("ts_lung_nodules", name), _lung_nodules(case))
    save(ts_path("ts_pleural_pericard_effusion", name), _effusions(case))
    return written


def total(case: Case) -> UInt8[np.ndarray, "d h w"]:
    """What TotalSegmentator's `total` task would say (values of version 2) of the organs that a phantom tells apart."""
    of_part = np.zeros(len(Part), np.uint8)
    for part, organ in _TS_PARTS.items():
        of_part[part] = V2.index(organ) + 1
    of_lobe = np.array([0, *(V2.index(lobe) + 1 for lobe in _TS_LOBES)], np.uint8)
    return np.asarray(np.maximum(of_part[case.parts], of_lobe[case.lobes]))


def digest(path: Path) -> str:
    """SHA-256 of what a .nii.gz holds once unpacked, empty for one that cannot be.

    Not of the packed bytes: ISA-L's choice of matches depends on the processor and on memory that it does not clear, so
    the same voxels can be packed in more than one way.
    """
    try:
        return sha256(gzip.decompress(path.read_bytes())).hexdigest()
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return ""


def _lung_nodules(case: Case) -> UInt8[np.ndarray, "d h w"]:
    out = np.isin(case.parts, LUNGS).astype(np.uint8)
    out[case.lesions.crops["lung_nodule"].dense() > 0] = 2
    return out


def _effusions(case: Case) -> UInt8[np.ndarray, "d h w"]:
    out = np.zeros(case.parts.shape, np.uint8)
    out[case.lesions.crops["pleural_effusion"].dense() > 0] = 2
    out[case.lesions.crops["pericardial_effusion"].dense() > 0] = 3
    return out
