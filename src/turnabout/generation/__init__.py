"""Language models that write: the protocol, the transformers implementation, the fake that ships."""

from turnabout.generation.base import Completion, Generator, Message, Sampling

__all__ = ["Completion", "Generator", "Message", "Sampling"]
