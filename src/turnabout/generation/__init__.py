"""Language models that write: the protocol, its implementations and the fake that ships."""

from turnabout.generation.base import Completion, Generator, Sampling

__all__ = ["Completion", "Generator", "Sampling"]
