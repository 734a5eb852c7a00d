"""Log formats. A new one is one file here, one line in `SOURCES` and one entry of `ingest.sources` in `params.yaml`."""

from turnabout.sources.auto import Auto
from turnabout.sources.base import Batch, Source
from turnabout.sources.chat_completions import ChatCompletions
from turnabout.sources.chitchat import Chitchat
from turnabout.sources.hh import HH
from turnabout.sources.hub import Hub
from turnabout.sources.langfuse import Langfuse
from turnabout.sources.lmsys import Lmsys
from turnabout.sources.messages import Messages
from turnabout.sources.mlflow_traces import MlflowTraces
from turnabout.sources.oasst import Oasst
from turnabout.sources.open_webui import OpenWebui
from turnabout.sources.openai import OpenAI
from turnabout.sources.prism import Prism
from turnabout.sources.sharegpt import ShareGPT
from turnabout.sources.sql import Sql
from turnabout.sources.wildchat import WildChat

__all__ = ["SOURCES", "Batch", "Source"]

#: Every log format by its `format` in `params.yaml`, which is also the name of its file.
SOURCES: dict[str, type[Source]] = {
    "auto": Auto,
    "chitchat": Chitchat,
    "openai": OpenAI,
    "messages": Messages,
    "chat_completions": ChatCompletions,
    "sharegpt": ShareGPT,
    "wildchat": WildChat,
    "lmsys": Lmsys,
    "oasst": Oasst,
    "hh": HH,
    "prism": Prism,
    "hub": Hub,
    "open_webui": OpenWebui,
    "mlflow_traces": MlflowTraces,
    "langfuse": Langfuse,
    "sql": Sql,
}
