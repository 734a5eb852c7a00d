"""Anthropic HH-RLHF: pairs of dialogues, and red-team attempts.

The dialogues of a pair differ in the last reply.

A pair (text invented):

    {"chosen": "\\n\\nHuman: Name a fruit.\\n\\nAssistant: Pear.",
     "rejected": "\\n\\nHuman: Name a fruit.\\n\\nAssistant: No."}

becomes two messages:

    conversation_id      message_index  role       text           alternatives  preferences
    hh:f1b1e4bfb2a07966  0              user       Name a fruit.  null          null
    hh:f1b1e4bfb2a07966  1              assistant  Pear.          [No.]         [1.0]

A red-team attempt

    {"transcript": "\\n\\nHuman: Be rude.\\n\\nAssistant: I would rather not.", "rating": 0.0, "red_team_member_id": 83,
     "model_type": "rlhf", "num_params": 52000000000, "is_upworker": false, "min_harmlessness_score_transcript": -0.4,
     "task_description": "Get it to insult me", "task_description_harmlessness_score": 0.3, "tags": null}

becomes two messages of user `hh:83` and `model` rlhf; all else goes to the extras of message 0. Its `rating` says how
well the attack went (0 to 4), the opposite of a satisfied user, so it never fills the column `rating`.

- Pairs have no id, person or time: the id is a hash of both dialogues, and each pair counts as another person's.
- A pair that differs before its last reply, or nowhere, compares no two replies to the same history: it is rejected.
- White space around a text belongs to the format and is stripped. A last reply may be empty.
"""

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, hash_content
from turnabout.sources.table.extras import drop_nulls

#: The role of each speaker by its mark in a dialogue.
ROLES = {"Human": "user", "Assistant": "assistant"}


class Pair(msgspec.Struct):
    """Two dialogues; a person preferred the first."""

    chosen: str
    rejected: str


class Attempt(msgspec.Struct):
    """One attempt to make a model do harm."""

    transcript: str
    rating: float | None = None
    red_team_member_id: int | str | None = None
    model_type: str | None = None
    num_params: int | float | str | None = None
    is_upworker: bool | None = None
    min_harmlessness_score_transcript: float | None = None
    task_description: str | None = None
    task_description_harmlessness_score: float | None = None
    tags: list[str] | None = None


class HH(FileSource):
    """Pairs and red-team attempts of HH-RLHF."""

    format: Literal["hh"] = "hh"
    record_keys: ClassVar[frozenset[str]] = frozenset({*Pair.__struct_fields__, *Attempt.__struct_fields__})

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record holds a dialogue that begins with `Human:`."""
        text = isinstance(content, dict) and (content.get("chosen") or content.get("transcript"))
        return isinstance(text, str) and text.lstrip().startswith("Human:")

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Yield the one conversation of a pair or an attempt."""
        if isinstance(content, dict) and "transcript" in content:
            yield convert_attempt(msgspec.convert(content, Attempt))
        else:
            yield convert_pair(msgspec.convert(content, Pair))


def convert_pair(pair: Pair) -> LoggedConversation:
    """Return the chosen dialogue, with the rejected reply as alternative.

    Raises `ValueError` where the dialogues do not differ in the last reply alone.
    """
    *history, reply = parse_dialogue(pair.chosen, "chosen")
    *other_history, other = parse_dialogue(pair.rejected, "rejected")
    if history != other_history or reply.role != "assistant" or other.role != "assistant":
        raise ValueError("rejected: differs from chosen before its last reply")
    if reply == other:
        raise ValueError("rejected: is the same as chosen")
    key = hash_content([*history, reply, other])
    messages = [*history, reply._replace(alternatives=[other.text], preferences=[1.0])]
    return LoggedConversation(messages, conversation_id=f"hh:{key}")


def convert_attempt(attempt: Attempt) -> LoggedConversation:
    """Return the transcript of an attempt, with its scores and tags as extras."""
    fields = msgspec.structs.asdict(attempt)
    messages = parse_dialogue(fields.pop("transcript"), "transcript")
    member, model = fields.pop("red_team_member_id"), fields.pop("model_type")
    return LoggedConversation(
        messages,
        conversation_id=f"hh:{hash_content(messages)}",
        user_id=None if member is None else f"hh:{member}",
        model=model,
        extras=drop_nulls(**fields),
    )


def parse_dialogue(dialogue: str, field: str) -> list[LoggedMessage]:
    """Return the messages of a dialogue.

    Raises `ValueError` naming `field` where it does not begin with a person.
    """
    start, *parts = re.split(r"(?:^|\n\n)(Human|Assistant):", dialogue)
    if start.strip() or parts[:1] != ["Human"]:
        raise ValueError(f"{field}: expected a dialogue that begins with 'Human:'")
    return [
        LoggedMessage(role=ROLES[name], text=text.strip()) for name, text in zip(parts[::2], parts[1::2], strict=True)
    ]
