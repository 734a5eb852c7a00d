"""Records of Langfuse's exports: traces and observations under one roof, and scores."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from turnabout.errors import DataError
from turnabout.sources.files import reason
from turnabout.sources.reading.records import log_files, records


class Score(msgspec.Struct, omit_defaults=True):
    """One score. `source` is API, ANNOTATION or EVAL, `data_type` one of those the columns of a reply are filled by."""

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
    """One trace or observation; the latter has a `trace_id`."""

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


def rank(row: Row) -> int | None:
    """2 a trace, 1 a root observation, 0 a generation inside a trace, null any other part of a trace."""
    if row.trace_id is None:
        return 2
    if not row.parent_observation_id:
        return 1
    return 0 if row.type == "GENERATION" else None


def inline_scores(row: Row) -> list[Score]:
    """The scores that a trace holds; a list of traces from the API holds only their ids, the interface only values."""
    items = row.scores if isinstance(row.scores, list) else []
    told = [snake(item) for item in items if isinstance(item, Mapping)]
    return [msgspec.convert(item, Score, strict=False) for item in told]


def people_scores(place: str) -> dict[str, list[Score]]:
    """The scores of files that no evaluator gave, by trace. Raises `DataError` for a record that is no score."""
    by_trace: dict[str, list[Score]] = defaultdict(list)
    for record in chain.from_iterable(map(records, log_files(place))):
        try:
            score = msgspec.convert(snake(record.content), Score, strict=False)
        except ValueError as error:
            raise DataError(
                f"ingest.sources: {record.where} is no score of Langfuse: {record.fault or reason(error)}; `scores` "
                "must name exported scores only"
            ) from error
        if score.trace_id and score.source != "EVAL":
            by_trace[score.trace_id].append(score)
    return by_trace


def snake(content: Any) -> dict[str, Any]:
    """The object with its keys in snake_case, as blob storage writes them; API and interface use camelCase."""
    if not isinstance(content, Mapping):
        raise ValueError(f"record: expected `object`, got `{type(content).__name__}`")
    return {_snake_key(key): value for key, value in content.items()}


@lru_cache(1_000)  # every record has the same few keys
def _snake_key(key: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", key).lower()
