"""Log formats.

A new format is one file here, one line in `SOURCES` (or, if its records can be recognised by their keys, in
`detection.RECORD_FORMATS`) and one entry of `ingest.sources` in `params.yaml`.
"""

from turnabout.sources.auto import Auto
from turnabout.sources.base import Source
from turnabout.sources.chitchat import Chitchat
from turnabout.sources.detection import RECORD_FORMATS
from turnabout.sources.hub import Hub
from turnabout.sources.mlflow_traces import MlflowTraces
from turnabout.sources.sql import Sql
from turnabout.sources.table.batches import Batch

__all__ = ["SOURCES", "Batch", "Source"]

#: Every log format by its `format` in `params.yaml`, which is also the name of its file.
SOURCES: dict[str, type[Source]] = {
    **RECORD_FORMATS,
    "auto": Auto,
    "chitchat": Chitchat,
    "hub": Hub,
    "mlflow_traces": MlflowTraces,
    "sql": Sql,
}
