"""Chat logs as JSON lines of OpenAI-style messages."""

from collections.abc import Iterator
from typing import Literal

from turnabout.sources.base import Batch, Source


class OpenAI(Source):
    """JSON lines, one conversation each."""

    format: Literal["openai"] = "openai"
    path: str
    """Glob of the log files."""

    def batches(self) -> Iterator[Batch]:
        """The files in name order."""
        yield from ()

    def inputs(self) -> list[str]:
        """The glob."""
        return [self.path]
