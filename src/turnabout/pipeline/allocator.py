"""Which memory allocator the stages run on: tcmalloc where it is installed, for training on a CPU.

A training step allocates and frees what the last one did. glibc gives much of it back and has the pages cleared again,
or searches for it on one core while the others wait; tcmalloc keeps it at hand (`python -m benchmarks.allocators`).
"""

import os
import sys
from ctypes.util import find_library


def preloaded() -> dict[str, str]:
    """The environment in which a new process uses tcmalloc; empty where it is not there or another is preloaded."""
    if sys.platform != "linux" or "LD_PRELOAD" in os.environ:
        return {}
    library = find_library("tcmalloc_minimal")
    return {"LD_PRELOAD": library} if library else {}
