"""The memory allocator of the stages: tcmalloc if it is installed.

Training on a CPU is faster with it. Every training step allocates and frees the same memory. glibc returns much of it
to the system, which clears the pages again, or searches for free memory on one core while the others wait. tcmalloc
keeps it (`python -m benchmarks.allocators`).
"""

import os
import sys
from ctypes.util import find_library


def allocator_environment() -> dict[str, str]:
    """Return environment variables that make a new process use tcmalloc.

    The result is empty if tcmalloc is not installed or another library is preloaded.
    """
    if sys.platform != "linux" or "LD_PRELOAD" in os.environ:
        return {}
    library = find_library("tcmalloc_minimal")
    return {"LD_PRELOAD": library} if library else {}
