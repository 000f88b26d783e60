"""Keeps a service small: glibc holds on to what many threads have freed, some 40 MB here, unless it is told not to."""

import ctypes
import platform

# The names are those of mallopt(3).
_M_ARENA_MAX, _M_TRIM_THRESHOLD = -8, -1
_ARENAS = 2
_FREE_BYTES = 100_000


def limit_memory() -> bool:
    """Give freed memory back to the system soon; False where the C library is another one. Before any thread starts."""
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    taken = [library.mallopt(_M_ARENA_MAX, _ARENAS), library.mallopt(_M_TRIM_THRESHOLD, _FREE_BYTES)]
    return all(taken)
