"""Anthropic HH-RLHF: pairs of dialogues that differ in the last reply, and its red-team attempts.

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

- Pairs have no id, person or time: the id is made of both dialogues, and each pair is taken for another person's.
- A pair that differs before its last reply, or nowhere, compares no two replies to the same words: it is rejected.
- Blank space around a text is the format's own and is taken off. A last reply may be empty.
"""

import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage, content_id
from turnabout.sources.table.extras import known

#: The speakers as a dialogue marks them.
ROLES = {"Human": "user", "Assistant": "assistant"}


class Pair(msgspec.Struct):
    """Two dialogues, of which somebody preferred the first."""

    chosen: str
    rejected: str


class Attempt(msgspec.Struct):
    """One attempt at making a model do harm."""

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

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it holds a dialogue that begins as they do here."""
        text = isinstance(content, dict) and (content.get("chosen") or content.get("transcript"))
        return isinstance(text, str) and text.lstrip().startswith("Human:")

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """The one conversation of a pair or an attempt."""
        if isinstance(content, dict) and "transcript" in content:
            yield attempt(msgspec.convert(content, Attempt))
        else:
            yield compared(msgspec.convert(content, Pair))


def compared(pair: Pair) -> LoggedConversation:
    """The chosen dialogue, the last reply of the rejected one being the alternative of its own."""
    *before, reply = messages(pair.chosen, "chosen")
    *other_before, other = messages(pair.rejected, "rejected")
    if before != other_before or reply.role != "assistant" or other.role != "assistant":
        raise ValueError("rejected: differs from chosen before its last reply")
    if reply == other:
        raise ValueError("rejected: is the same as chosen")
    key = content_id([*before, reply, other])
    said = [*before, reply._replace(alternatives=[other.text], preferences=[1.0])]
    return LoggedConversation(said, conversation_id=f"hh:{key}")


def attempt(record: Attempt) -> LoggedConversation:
    """The transcript, all that was measured or told of it as extras."""
    further = msgspec.structs.asdict(record)
    said = messages(further.pop("transcript"), "transcript")
    member, model = further.pop("red_team_member_id"), further.pop("model_type")
    return LoggedConversation(
        said,
        conversation_id=f"hh:{content_id(said)}",
        user_id=None if member is None else f"hh:{member}",
        model=model,
        extras=known(**further),
    )


def messages(dialogue: str, field: str) -> list[LoggedMessage]:
    """The messages of a dialogue. Raises `ValueError` where it does not begin with a person."""
    blank, *parts = re.split(r"(?:^|\n\n)(Human|Assistant):", dialogue)
    if blank.strip() or parts[:1] != ["Human"]:
        raise ValueError(f"{field}: expected a dialogue that begins with 'Human:'")
    return [
        LoggedMessage(role=ROLES[name], text=text.strip()) for name, text in zip(parts[::2], parts[1::2], strict=True)
    ]
