"""What a training took: figures that differ from run to run."""

import sys

import polars as pl


def cost(history: pl.DataFrame) -> dict[str, float]:
    """Seconds of the steps, over all runs of a training that was resumed; tokens per second; memory.

    Memory is the most that this process has had, in 10⁶ bytes; on a GPU, the most that torch has used of it, as well.
    """
    import resource

    import torch

    seconds = history["seconds"].sum()
    unit = 1 if sys.platform == "darwin" else 1024
    found = {
        "seconds": seconds,
        "tokens_per_second": history["tokens"][-1] / seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6,
    }
    gpu = {"peak_gpu_memory_mb": torch.cuda.max_memory_allocated() / 1e6} if torch.cuda.is_available() else {}
    return found | gpu
