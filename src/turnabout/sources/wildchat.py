"""WildChat-1M and WildChat-4.8M: conversations of the public with ChatGPT, as JSON lines or the Hub's Parquet.

A row (broken here for the page, text invented):

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

- `conversation_hash` is a hash of the texts and no key: people get the same texts. With the identifier of the last turn
  it is one. A chat that somebody continued after it was logged is another row of another id; no field links them.
- The person is the hashed IP address, alone. Several people behind one address count as one, which keeps splits by
  person strict; the browser's header would part them, but also one person from their next version of it.
- `moderation` holds only what was found: flagged categories, and Detoxify's scores of at least 0.5.
- Place and header of the row repeat those of its last turn and are left out.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import zip_longest
from typing import Any, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import known
from turnabout.sources.table.moderation import Moderation, found_by_score
from turnabout.text.language_codes import language_code


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


class WildChat(FileSource):
    """Rows of WildChat."""

    format: Literal["wildchat"] = "wildchat"

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it has a hash and a conversation."""
        return isinstance(content, dict) and {"conversation_hash", "conversation"} <= content.keys()

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """The one conversation of a row."""
        row = msgspec.convert(content, Row)
        if not row.conversation:
            raise ValueError("conversation: has no message")
        last = row.conversation[-1].turn_identifier
        key = f"wildchat:{row.conversation_hash}" + ("" if last is None else f":{last}")
        yield LoggedConversation(
            list(messages(row)),
            conversation_id=key,
            user_id=row.hashed_ip,
            model=row.model,
            language=language_code(row.language),
        )


def messages(row: Row) -> Iterator[LoggedMessage]:
    """The messages of a row, with what moderation found in each."""
    verdicts = zip_longest(row.openai_moderation or (), row.detoxify_moderation or ())
    for message, verdict in zip_longest(row.conversation, verdicts, fillvalue=None):
        if message is None:  # moderation of a message that is not there
            return
        openai, detoxify = verdict or (None, None)
        moderation = (openai.found() if openai else {}) | found_by_score(detoxify)
        yield LoggedMessage(
            role=message.role,
            text=message.content,
            at=message.timestamp,
            flags=[flag for flag in ("toxic", "redacted") if getattr(message, flag)],
            user_key=message.hashed_ip if message.role == "user" else None,
            extras=known(
                turn_identifier=message.turn_identifier,
                country=message.country,
                state=message.state,
                header=message.header,
                moderation=moderation or None,
            ),
        )
