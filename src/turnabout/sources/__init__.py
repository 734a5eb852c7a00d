"""Log formats. A new one is one file here, one line in `SOURCES` and one entry of `ingest.sources` in `params.yaml`."""

from turnabout.sources.base import Batch, Source
from turnabout.sources.chitchat import Chitchat
from turnabout.sources.openai import OpenAI

__all__ = ["SOURCES", "Batch", "Source"]

#: Every log format by its `format` in `params.yaml`, which is also the name of its file.
SOURCES: dict[str, type[Source]] = {"chitchat": Chitchat, "openai": OpenAI}
