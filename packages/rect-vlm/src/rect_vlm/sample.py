"""A real chest CT that installs from PyPI, so that the first prediction needs no data of one's own."""

from importlib.util import find_spec
from pathlib import Path

from rect_core.errors import ScanError


def sample_path(name: str = "chest") -> Path:
    """Path of a sample scan: "chest" is CTChest of slicerio (34 x 128 x 128 voxels of 10 x 3.05 x 3.05 mm).

    Raises ScanError when the name is unknown or slicerio is not installed.
    """
    if name != "chest":
        raise ScanError("file", f"there is no sample {name!r}: the one sample is sample:chest")
    spec = find_spec("slicerio")
    if spec is None or spec.origin is None:
        raise ScanError("file", "sample:chest comes with slicerio: pip install 'rect-vlm[sample]'")
    return Path(spec.origin).parent / "data" / "CTChest4.nrrd"
