"""rect-core: chest CT volumes, geometry, preprocessing, anatomy and strict weight files.

The names below are imported when first used, so `import rect_core` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rect_core.anatomy import RegionMap, regions
    from rect_core.errors import ScanError
    from rect_core.masks import read_mask, save_mask
    from rect_core.preprocess import GridConfig, Preprocess
    from rect_core.read import read_volume
    from rect_core.volume import Volume

__all__ = [
    "GridConfig",
    "Preprocess",
    "RegionMap",
    "ScanError",
    "Volume",
    "read_mask",
    "read_volume",
    "regions",
    "save_mask",
]

_HOMES = {
    "GridConfig": "preprocess",
    "Preprocess": "preprocess",
    "RegionMap": "anatomy",
    "ScanError": "errors",
    "Volume": "volume",
    "read_mask": "masks",
    "read_volume": "read",
    "regions": "anatomy",
    "save_mask": "masks",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("rect-core")
    if name not in _HOMES:
        raise AttributeError(f"module 'rect_core' has no attribute {name!r}")
    value = getattr(import_module(f"rect_core.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
