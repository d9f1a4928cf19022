"""Returns freed memory to the operating system."""

from __future__ import annotations

import ctypes
import gc


def return_free_memory() -> bool:
    """Give memory that Python and native libraries have freed back to the operating system.

    glibc keeps freed blocks for later allocations, so that a node without models would still take
    as much memory as one with models.

    Returns:
        Whether the C library offers that; only glibc does.

    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), 'malloc_trim', None)
    if trim is None:
        return False
    trim(0)
    return True
