"""How a process that computes units one after the other keeps its memory: the next needs what the last gave back."""

from __future__ import annotations

import ctypes
import gc
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_KEPT, _LARGEST = 512 << 20, 32 << 20  # bytes


@cache
def keep_freed_memory() -> None:
    """Let this process keep freed memory for the next unit, up to 512 MB (glibc; nothing elsewhere).

    Otherwise most arrays are handed back to the system and faulted in anew: 5 % more time for a unit; 70 % more
    processor time where Dask's nanny started the worker with MALLOC_TRIM_THRESHOLD_=65536.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # another C library
    for option, value in ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _KEPT)):
        mallopt(option, value)


@cache
def spare_collector() -> None:
    """Let the garbage collector pass over what a worker has imported: loky calls it every second without psutil."""
    gc.freeze()
