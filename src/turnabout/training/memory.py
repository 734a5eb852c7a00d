"""What a training frees it needs again in the next step: on Linux, keep it instead of giving it back."""

import ctypes
import sys

#: Parameters of glibc's `mallopt`, as its manual page has them.
TRIM_THRESHOLD, MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """From now on this process gives no freed memory back to the system; elsewhere than on glibc nothing changes.

    By default glibc maps large blocks one by one, and each comes back as pages that the system must clear first
    (`python -m benchmarks.freed_memory`).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, -1)
        mallopt(MMAP_MAX, 0)
