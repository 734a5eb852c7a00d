"""The chat log that the `chitchat-dataset` wheel ships."""

from collections.abc import Iterator
from typing import Literal

from turnabout.sources.base import Batch, Source


class Chitchat(Source):
    """Real chats of people with people."""

    format: Literal["chitchat"] = "chitchat"

    def batches(self) -> Iterator[Batch]:
        """The whole log as one batch."""
        yield from ()
