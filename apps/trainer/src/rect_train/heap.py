"""Memory that a process keeps once it has it."""

import ctypes
import platform
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_MAX: Final = -4
"""Numbers of parameters in glibc's <malloc.h>."""


def keep_heap() -> None:
    """Tells glibc's allocator to reuse what a step has freed. By default it returns every large tensor to the system,
    which clears the pages again when the next step asks: a quarter of a step's CPU time. Elsewhere nothing changes."""
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, -1)
