"""Language models that write: the protocol and its implementations.

Models run locally (transformers), behind an endpoint, or in vLLM; `scripted` and `testing` have fakes.
"""

from turnabout.generation.base import Completion, Generator, Sampling

__all__ = ["Completion", "Generator", "Sampling"]
