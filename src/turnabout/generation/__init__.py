"""Language models that write: the protocol, its local, endpoint and vLLM implementations, and a fake."""

from turnabout.generation.base import Completion, Generator, Sampling

__all__ = ["Completion", "Generator", "Sampling"]
