"""Records of Langfuse's exports: traces, observations and scores."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from turnabout.errors import DataError
from turnabout.sources.reading.records import list_log_files, read_records
from turnabout.sources.table.rejects import describe_error


class Score(msgspec.Struct, omit_defaults=True):
    """One score.

    `source` is API, ANNOTATION or EVAL; `data_type` is NUMERIC, BOOLEAN, CATEGORICAL, TEXT or CORRECTION.
    """

    name: str
    source: str
    value: float | str | None = None
    trace_id: str | None = None
    string_value: str | None = None
    long_string_value: str | None = None
    data_type: str = "NUMERIC"
    comment: str | None = None
    timestamp: str | None = None


class Row(msgspec.Struct):
    """One trace or observation; an observation has a `trace_id`."""

    id: str
    trace_id: str | None = None
    type: str | None = None
    parent_observation_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    input: Any = None
    output: Any = None
    timestamp: Any = None
    start_time: Any = None
    model: str | None = None
    provided_model_name: str | None = None
    level: str | None = None
    status_message: str | None = None
    name: str | None = None
    trace_name: str | None = None
    version: str | None = None
    release: str | None = None
    tags: Any = None
    scores: Any = None


#: Keys that no other tracer gives to a record of `id`, `input` and `output`; a trace or an observation has one of them.
LANGFUSE_KEYS = frozenset({"session_id", "trace_id", "html_path", "project_id"})

#: Keys of traces and observations, in snake_case; those that are no fields of `Row` are not read.
RECORD_KEYS = (
    *Row.__struct_fields__,
    *LANGFUSE_KEYS,
    "bookmarked",
    "created_at",
    "end_time",
    "environment",
    "external_id",
    "latency",
    "metadata",
    "observations",
    "public",
    "total_cost",
    "updated_at",
    "usage_details",
)


def rank_record(row: Row) -> int | None:
    """Return the rank of a record among those of its trace.

    It is 2 for a trace, 1 for a root observation, 0 for a generation inside a trace, null for any other part of one.
    """
    if row.trace_id is None:
        return 2
    if not row.parent_observation_id:
        return 1
    return 0 if row.type == "GENERATION" else None


def parse_inline_scores(row: Row) -> list[Score]:
    """Return the scores that a trace holds.

    A list of traces from the API holds only the ids of scores, the interface only their values: both give none.
    """
    items = row.scores if isinstance(row.scores, list) else []
    objects = [convert_keys(item) for item in items if isinstance(item, Mapping)]
    return [msgspec.convert(item, Score, strict=False) for item in objects]


def read_people_scores(path: str) -> dict[str, list[Score]]:
    """Return the scores of files by trace, without those of evaluators.

    Raises `DataError` for a record that is no score.
    """
    by_trace: dict[str, list[Score]] = defaultdict(list)
    for file in list_log_files(path):
        for record in read_records(file):
            try:
                score = msgspec.convert(convert_keys(record.content), Score, strict=False)
            except ValueError as error:
                raise DataError(
                    f"ingest.sources: {record.location} is no score of Langfuse: "
                    f"{record.error or describe_error(error)}; `scores` must name exported scores only"
                ) from error
            if score.trace_id and score.source != "EVAL":
                by_trace[score.trace_id].append(score)
    return by_trace


def convert_keys(content: Any) -> dict[str, Any]:
    """Return an object with its keys in snake_case.

    Blob storage writes them so; API and interface use camelCase. Raises `ValueError` for what is no object.
    """
    if not isinstance(content, Mapping):
        raise ValueError(f"record: expected `object`, got `{type(content).__name__}`")
    return {_to_snake_case(key): value for key, value in content.items()}


@lru_cache(1_000)  # every record has the same few keys
def _to_snake_case(key: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", key).lower()
