"""LMSYS-Chat-1M: conversations of the public with 25 models.

Files are JSON lines or the Hub's Parquet. A row (with line breaks added here, text invented):

    {"conversation_id": "7d20", "model": "vicuna-13b", "turn": 1, "language": "Portuguese", "redacted": true,
     "conversation": [{"role": "user", "content": "Oi, sou NAME_1"}, {"role": "assistant", "content": "Oi, NAME_1!"}],
     "openai_moderation": [{"flagged": true, "categories": {"hate": true}, "category_scores": {"hate": 0.6}},
                           {"flagged": false, "categories": {"hate": false}, "category_scores": {"hate": 0.0}}]}

becomes two messages, both of `model` vicuna-13b and `language` pt:

    conversation_id  message_index  role       text            user_key                 flags
    lmsys:7d20       0              user       Oi, sou NAME_1  conversation:lmsys:7d20  [toxic, redacted]
    lmsys:7d20       1              assistant  Oi, NAME_1!     null                     [redacted]

with `extras` {"moderation": {"hate": 0.6}} and {}.

The release names no people: every conversation counts as another person's, so a split by person is a split by
conversation here, and the same person may be on both sides of it. It has no times either. `redacted` is a field of the
whole conversation and flags each of its messages; `toxic` is what moderation flagged.
"""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import drop_nulls
from turnabout.sources.table.moderation import Moderation
from turnabout.text.language_codes import normalize_language


class Message(msgspec.Struct):
    """One message of a row."""

    role: Literal["system", "user", "assistant"]
    content: str


class Row(msgspec.Struct):
    """One conversation."""

    conversation_id: str
    conversation: list[Message]
    model: str | None = None
    language: str | None = None
    redacted: bool | None = None
    openai_moderation: list[Moderation | None] | None = None


class Lmsys(FileSource):
    """Rows of LMSYS-Chat-1M."""

    format: Literal["lmsys"] = "lmsys"
    record_keys: ClassVar[frozenset[str]] = frozenset({*Row.__struct_fields__, "turn"})

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record has an id and a conversation."""
        return isinstance(content, dict) and {"conversation_id", "conversation"} <= content.keys()

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Yield the one conversation of a row."""
        row = msgspec.convert(content, Row)
        moderation = (row.openai_moderation or [])[: len(row.conversation)]
        yield LoggedConversation(
            [build_message(message, result, row) for message, result in zip_longest(row.conversation, moderation)],
            conversation_id=f"lmsys:{row.conversation_id}",
            model=row.model,
            language=normalize_language(row.language),
        )


def build_message(message: Message, moderation: Moderation | None, row: Row) -> LoggedMessage:
    """Return one message with the result of its moderation."""
    is_flagged = {"toxic": moderation and moderation.flagged, "redacted": row.redacted}
    return LoggedMessage(
        role=message.role,
        text=message.content,
        flags=[flag for flag, is_set in is_flagged.items() if is_set],
        extras=drop_nulls(moderation=(moderation.select_flagged_scores() if moderation else None) or None),
    )
