"""WildChat-1M and WildChat-4.8M: conversations of the public with ChatGPT.

Files are JSON lines or the Hub's Parquet. A row (with line breaks added here, text invented):

    {"conversation_hash": "5e1f", "model": "gpt-4-0314", "timestamp": "2023-05-02T10:00:09Z", "turn": 1,
     "language": "French", "hashed_ip": "9ab0", "toxic": true, "redacted": false, "conversation": [
      {"role": "user", "content": "Traduis: cat", "language": "French", "toxic": true, "redacted": false,
       "turn_identifier": 41, "hashed_ip": "9ab0", "country": "France", "state": "Brittany", "timestamp": null,
       "header": {"accept-language": "fr", "user-agent": "Firefox"}},
      {"role": "assistant", "content": "chat", "language": "French", "toxic": false, "redacted": false,
       "turn_identifier": 41, "timestamp": "2023-05-02T10:00:09Z"}],
     "openai_moderation": [{"flagged": true, "categories": {"hate": true}, "category_scores": {"hate": 0.7}}, …],
     "detoxify_moderation": [{"toxicity": 0.81, "insult": 0.02}, …]}

becomes two messages, both of `model` gpt-4-0314 and `language` fr:

    conversation_id   message_index  role       text          at                    user_key  flags
    wildchat:5e1f:41  0              user       Traduis: cat  null                  9ab0      [toxic]
    wildchat:5e1f:41  1              assistant  chat          2023-05-02T10:00:09Z  null      []

with `extras` {"country": "France", "header": {…}, "moderation": {"hate": 0.7, "toxicity": 0.81}, "state": "Brittany",
"turn_identifier": 41} and {"turn_identifier": 41}.

- `conversation_hash` is a hash of the texts and no key, because different people get the same texts. Together with the
  identifier of the last turn it is a key. A chat that was continued after it was logged is another row with another id;
  no field links them.
- The person is the hashed IP address alone. Several people behind one address count as one, which keeps splits by
  person strict. The browser's header would separate them, but it would also separate one person before and after an
  update of the browser.
- `moderation` holds only what was flagged: flagged categories, and Detoxify's scores of at least 0.5.
- Location and header of the row repeat those of its last turn and are left out.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import drop_nulls
from turnabout.sources.table.moderation import Moderation, select_high_scores
from turnabout.text.language_codes import normalize_language


class Message(msgspec.Struct):
    """One message of a row."""

    role: Literal["system", "user", "assistant"]
    content: str
    timestamp: datetime | None = None
    toxic: bool | None = None
    redacted: bool | None = None
    turn_identifier: int | None = None
    hashed_ip: str | None = None
    country: str | None = None
    state: str | None = None
    header: dict[str, str | None] | None = None


class Row(msgspec.Struct):
    """One conversation."""

    conversation_hash: str
    conversation: list[Message]
    model: str | None = None
    language: str | None = None
    hashed_ip: str | None = None
    openai_moderation: list[Moderation | None] | None = None
    detoxify_moderation: list[dict[str, float | None] | None] | None = None


#: Keys of a row. Those that are no fields of `Row` repeat what its messages hold.
ROW_KEYS = (*Row.__struct_fields__, "timestamp", "turn", "toxic", "redacted", "state", "country", "header")


class WildChat(FileSource):
    """Rows of WildChat."""

    format: Literal["wildchat"] = "wildchat"
    record_keys: ClassVar[frozenset[str]] = frozenset(ROW_KEYS)

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record has a hash and a conversation."""
        return isinstance(content, dict) and {"conversation_hash", "conversation"} <= content.keys()

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Yield the one conversation of a row."""
        row = msgspec.convert(content, Row)
        if not row.conversation:
            raise ValueError("conversation: has no message")
        last = row.conversation[-1].turn_identifier
        key = f"wildchat:{row.conversation_hash}" + ("" if last is None else f":{last}")
        yield LoggedConversation(
            list(build_messages(row)),
            conversation_id=key,
            user_id=row.hashed_ip,
            model=row.model,
            language=normalize_language(row.language),
        )


def build_messages(row: Row) -> Iterator[LoggedMessage]:
    """Yield the messages of a row, each with what moderation flagged in it."""
    results = zip_longest(row.openai_moderation or (), row.detoxify_moderation or ())
    for message, result in zip_longest(row.conversation, results, fillvalue=None):
        if message is None:  # moderation of a message that does not exist
            return
        openai, detoxify = result or (None, None)
        moderation = (openai.select_flagged_scores() if openai else {}) | select_high_scores(detoxify)
        yield LoggedMessage(
            role=message.role,
            text=message.content,
            at=message.timestamp,
            flags=[flag for flag in ("toxic", "redacted") if getattr(message, flag)],
            user_key=message.hashed_ip if message.role == "user" else None,
            extras=drop_nulls(
                turn_identifier=message.turn_identifier,
                country=message.country,
                state=message.state,
                header=message.header,
                moderation=moderation or None,
            ),
        )
