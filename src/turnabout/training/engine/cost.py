"""Cost of a training: figures that differ from run to run."""

import sys

import polars as pl


def measure_cost(history: pl.DataFrame) -> dict[str, float]:
    """Return seconds of the steps, tokens per second, and peak memory.

    Seconds cover all runs of a training that was resumed. Memory is the peak of this process, in 10⁶ bytes; on a GPU,
    also the peak that torch has allocated on it.
    """
    import resource

    import torch

    seconds = history["seconds"].sum()
    bytes_per_unit = 1 if sys.platform == "darwin" else 1024
    figures = {
        "seconds": seconds,
        "tokens_per_second": history["tokens"][-1] / seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_per_unit / 1e6,
    }
    if torch.cuda.is_available():
        figures["peak_gpu_memory_mb"] = torch.cuda.max_memory_allocated() / 1e6
    return figures
