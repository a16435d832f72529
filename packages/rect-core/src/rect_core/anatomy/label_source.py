"""What a given label map is: our own 0..20, TotalSegmentator's classes in one file, or a folder of its masks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Integer

from rect_core.anatomy.totalsegmentator import KNOWN, V2, by_value, has_region
from rect_core.errors import ScanError
from rect_core.masks import read_mask
from rect_core.volume import Volume

_SUFFIXES: Final = (".nii.gz", ".nii")


def read_labels(source: Any, volume: Volume) -> tuple[Integer[np.ndarray, "d h w"], Mapping[int, str]]:
    """Labels on the scan's voxels and the class names that came with them: from the NIfTI header that TotalSegmentator
    writes, or from the file names of its folder; no names for other sources. Raises ScanError."""
    if isinstance(source, str | Path) and Path(source).is_dir():
        return _read_folder(Path(source), volume)
    return read_mask(source, volume), _header_names(source)


def _read_folder(folder: Path, volume: Volume) -> tuple[Integer[np.ndarray, "d h w"], Mapping[int, str]]:
    found = {file.name[: -len(suffix)]: file for suffix in _SUFFIXES for file in sorted(folder.glob(f"*{suffix}"))}
    wanted = [name for name in V2 if name in found] + sorted(KNOWN.intersection(found).difference(V2))
    wanted = [name for name in wanted if has_region(name)]
    if not wanted:
        raise ScanError(
            "regions",
            f"{folder.name}: no TotalSegmentator mask in this folder: give one with files such as "
            "lung_upper_lobe_left.nii.gz, or one label file",
        )
    labels = np.zeros(volume.shape, np.uint8)
    for value, name in enumerate(wanted, start=1):
        labels[read_mask(found[name], volume) > 0] = value
    return labels, by_value(wanted)


def _header_names(source: Any) -> Mapping[int, str]:
    """Class names in the label table that TotalSegmentator puts into a NIfTI header (Connectome Workbench's XML)."""
    import nibabel as nib

    if isinstance(source, str | Path):
        if not str(source).endswith(_SUFFIXES):
            return {}
        source = nib.load(source)
    if not isinstance(source, nib.Nifti1Image):
        return {}
    for extension in source.header.extensions:
        content = extension.get_content()
        text = content if isinstance(content, bytes) else str(content).encode()
        if b"<LabelTable" in text:
            return _parse_table(text)
    return {}


def _parse_table(text: bytes) -> Mapping[int, str]:
    try:
        root = ElementTree.fromstring(text.strip(b"\x00 \n"))
    except ElementTree.ParseError:
        return {}
    names = {int(label.get("Key", "0")): (label.text or "").strip() for label in root.iter("Label")}
    return {value: name for value, name in names.items() if name in KNOWN}
