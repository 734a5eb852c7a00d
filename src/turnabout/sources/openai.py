"""Conversation logs as JSON lines: one conversation a line, its messages as chat-completion APIs write them.

A line (broken here for the page):

    {"conversation_id": "c1", "user_id": "ann", "model": "m-7", "channel": "web", "messages": [
      {"role": "user", "content": "Sort a list?", "created_at": 1714550400},
      {"role": "assistant", "content": [{"type": "text", "text": "sorted(xs)"}], "rating": 1, "reaction": "thumbs_up"}]}

becomes two messages, both of `model` m-7:

    conversation_id  message_index  role       text          at                    user_key  rating  reaction
    c1               0              user       Sort a list?  2024-05-01T08:00:00Z  ann       null    null
    c1               1              assistant  sorted(xs)    null                  null      1.0     thumbs_up

with `extras` {"conversation": {"channel": "web"}} and {}.

Of a line only `messages` must be there, of a message only `role` and `content`.
- `conversation_id` defaults to the first 16 hex digits of the SHA-256 of the messages as canonical JSON.
- `user_id` is kept as it comes, so log a pseudonym. Without it every conversation is taken for another person's
  (`conversation:<conversation_id>`), because splits are by person.
- `role` is system, developer (read as system), user, assistant or tool.
- `content` is a string or a list of text parts, joined by line breaks; null (read as no text) only beside `tool_calls`.
- `created_at` is Unix time or ISO 8601, UTC where it names no zone.
- `language` of a line, and `edited_text` and `alternatives` of a reply, fill the columns of these names.
- Any other key is kept in `extras`: a message's in its own, the line's under `conversation` in that of message 0.
Blank lines are skipped. A line that cannot be read whole is rejected whole.
"""

import codecs
import glob
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, FiniteFloat, ValidationError, model_validator

from turnabout import schemas
from turnabout.errors import DataError
from turnabout.sources.base import Batch, Source

#: A batch is handed on once it holds this many messages and rejects.
BATCH_MESSAGES = 20_000


def text_of(content: Any) -> Any:
    """Text parts as one text; anything else as it came, for the field's own type to judge."""
    if not isinstance(content, list):
        return content
    for part in content:
        if not (isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)):
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise ValueError(f"only text parts can be read, came {kind!r}")
    return "\n".join(part["text"] for part in content)


def in_utc(at: datetime) -> datetime:
    """The same instant in UTC; a time without a zone is taken as UTC."""
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("lies outside the years 1 to 9999 in UTC") from error


Id = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class LoggedMessage(BaseModel, extra="allow"):
    """One message of a line."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[str | None, BeforeValidator(text_of)] = None
    created_at: Annotated[datetime, AfterValidator(in_utc)] | None = None
    rating: FiniteFloat | None = None
    reaction: str | None = None
    edited_text: str | None = None
    alternatives: list[str] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "LoggedMessage":
        if self.content is None and not (self.model_extra or {}).get("tool_calls"):
            raise ValueError("content may be absent or null only beside tool_calls")
        return self


class LoggedConversation(BaseModel, extra="allow"):
    """One line of a log."""

    conversation_id: Id | None = None
    user_id: Id | None = None
    model: str | None = None
    language: str | None = None
    messages: list[LoggedMessage] = Field(min_length=1)


class OpenAI(Source):
    """JSON lines of `{conversation_id, user_id, model, messages: [{role, content, …}]}`."""

    format: Literal["openai"] = "openai"
    path: str
    """Glob of the log files, such as `logs/*.jsonl`; `**` reaches into subfolders."""

    def batches(self) -> Iterator[Batch]:
        """The files in order of name, in batches of about `BATCH_MESSAGES`; `DataError` where there is no file."""
        paths = [path for path in map(Path, sorted(glob.glob(self.path, recursive=True))) if path.is_file()]
        if not paths:
            raise DataError(
                f"ingest.sources: path '{self.path}' matches no file; "
                "put logs there or give a glob of files such as logs/*.jsonl"
            )
        return _batches(paths)

    def inputs(self) -> list[str]:
        """The glob."""
        return [self.path]


def _batches(paths: list[Path]) -> Iterator[Batch]:
    messages: list[dict[str, Any]] = []
    rejected: list[dict[str, str]] = []
    seen: set[str] = set()
    for path in paths:
        for number, line in _lines(path):
            try:
                conversation = LoggedConversation.model_validate_json(line)
                key = conversation.conversation_id or content_id(line)
                if key in seen:
                    raise ValueError("conversation_id occurs earlier in the log")
                messages += rows(key, conversation)
                seen.add(key)
            except ValueError as error:  # pydantic's ValidationError is one
                rejected.append(
                    {
                        "source": path.name,
                        "record": f"{path.name}:{number}",
                        "reason": reason(error),
                        "excerpt": line.decode("utf-8", "replace").strip()[:200],
                    }
                )
            if len(messages) + len(rejected) >= BATCH_MESSAGES:
                yield _batch(messages, rejected)
                messages, rejected = [], []
    yield _batch(messages, rejected)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank with their numbers from 1; bytes, so that one undecodable line costs only itself."""
    with path.open("rb") as log:
        for number, line in enumerate(log, start=1):
            if line.strip():
                yield number, line.removeprefix(codecs.BOM_UTF8)


def _batch(messages: list[dict[str, Any]], rejected: list[dict[str, str]]) -> Batch:
    return Batch(pl.DataFrame(messages, schema=schemas.MESSAGES), pl.DataFrame(rejected, schema=schemas.QUARANTINE))


def content_id(line: bytes) -> str:
    """The id of a conversation that was logged without one: the same messages give the same id."""
    canonical = json.dumps(json.loads(line)["messages"], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def rows(key: str, conversation: LoggedConversation) -> list[dict[str, Any]]:
    """One row of `schemas.MESSAGES` per message."""
    user_key = conversation.user_id or f"conversation:{key}"
    built = []
    for index, message in enumerate(conversation.messages):
        extras = dict(message.model_extra or {})
        if index == 0 and conversation.model_extra:
            extras["conversation"] = conversation.model_extra
        built.append(
            {
                "conversation_id": key,
                "message_index": index,
                "role": "system" if message.role == "developer" else message.role,
                "text": message.content or "",
                "at": message.created_at,
                "user_key": user_key if message.role == "user" else None,
                "source": "openai",
                "model": conversation.model,
                "language": conversation.language,
                "rating": message.rating,
                "reaction": message.reaction,
                "edited_text": message.edited_text,
                "alternatives": message.alternatives,
                "extras": json.dumps(extras, sort_keys=True, ensure_ascii=False, allow_nan=False),
            }
        )
    return built


def reason(error: ValueError) -> str:
    """Why a line was rejected, without positions, so that equal faults are counted together."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    if first["type"] == "json_invalid":
        return f"broken JSON: {first['ctx']['error'].partition(' at line ')[0]}"
    where = ".".join(part for part in first["loc"] if isinstance(part, str))
    return f"{where or 'line'}: {first['msg'].removeprefix('Value error, ')}"
