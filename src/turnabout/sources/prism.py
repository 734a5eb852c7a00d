"""The PRISM alignment dataset.

People from many countries rate several models' replies in live conversations. A line of `conversations.jsonl` (with
line breaks added here, text invented):

    {"conversation_id": "c7", "user_id": "user3", "conversation_type": "unguided", "opening_prompt": "Is tea good?",
     "generated_datetime": "2023-12-01 09:30:00", "open_feedback": "Honest enough.",
     "performance_attributes": {"fluency": 90}, "choice_attributes": {"fluency": 70}, "conversation_history": [
      {"turn": 0, "role": "user", "content": "Is tea good?"},
      {"turn": 0, "role": "model", "content": "Yes.", "model_provider": "p", "model_name": "m-1", "score": 30,
       "if_chosen": false, "within_turn_id": 0},
      {"turn": 0, "role": "model", "content": "It depends.", "model_provider": "q", "model_name": "m-2", "score": 80,
       "if_chosen": true, "within_turn_id": 1}]}

becomes two messages:

    conversation_id  message_index  role       text          at                    user_key     model  rating
    prism:c7         0              user       Is tea good?  2023-12-01T09:30:00Z  prism:user3  null   null
    prism:c7         1              assistant  It depends.   null                  null         m-2    80.0

The reply has `alternatives` [Yes.], `preferences` [0.5] and `extras`
{"alternatives": [{"model": "m-1", "score": 30.0}]}; the extras of message 0 hold the
fields of the line that no column holds.

- The reply of a turn is the chosen one, with which the conversation continues; the others are its alternatives. A
  preference is the difference of the two scores divided by 100, and null where a score is missing.
- `rating` is the score as given, 1 to 100 on a slider without numbers: set `scale: [1, 100]` of the miner `explicit`.
  Scores of one person are better compared with each other than with another person's.
- The release writes an empty reply as `EMPTY STRING`; it becomes empty again here.
- `generated_datetime` has no zone and is read as UTC. It is the only time of a conversation and is put on message 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import drop_nulls

#: Fields of a line that columns hold.
IN_COLUMNS = ("conversation_id", "user_id", "conversation_history", "generated_datetime", "opening_prompt")


class Utterance(msgspec.Struct):
    """A person's message of a turn, or one model's reply to it."""

    turn: int
    role: Literal["user", "model"]
    content: str
    model_name: str | None = None
    score: Annotated[float, msgspec.Meta(ge=1, le=100)] | None = None
    if_chosen: bool | None = None


class Line(msgspec.Struct):
    """One conversation."""

    conversation_id: str
    user_id: str
    conversation_history: list[Utterance]
    generated_datetime: datetime | None = None


class Prism(FileSource):
    """Lines of PRISM's `conversations.jsonl`."""

    format: Literal["prism"] = "prism"
    record_keys: ClassVar[frozenset[str]] = frozenset(IN_COLUMNS)

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record has a `conversation_history`."""
        return isinstance(content, dict) and "conversation_history" in content

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Yield the one conversation of a line."""
        line = msgspec.convert(content, Line)
        messages = list(build_messages(line.conversation_history))
        if not messages:
            raise ValueError("conversation_history: has no message")
        messages[0] = messages[0]._replace(at=line.generated_datetime)
        yield LoggedConversation(
            messages,
            conversation_id=f"prism:{line.conversation_id}",
            user_id=f"prism:{line.user_id}",
            extras=drop_nulls(**{name: value for name, value in content.items() if name not in IN_COLUMNS}),
        )


def build_messages(history: Iterable[Utterance]) -> Iterator[LoggedMessage]:
    """Yield the person's message and the chosen reply of each turn."""
    for _, group in groupby(history, key=attrgetter("turn")):
        utterances = list(group)
        for utterance in utterances:
            if utterance.role == "user":
                yield LoggedMessage("user", utterance.content)
        if replies := [utterance for utterance in utterances if utterance.role == "model"]:
            yield build_reply(replies)


def build_reply(replies: Sequence[Utterance]) -> LoggedMessage:
    """Return the chosen reply with the other replies as alternatives.

    Raises `ValueError` unless exactly one was chosen.
    """
    chosen = [reply for reply in replies if reply.if_chosen]
    if len(chosen) != 1:
        raise ValueError(f"conversation_history.if_chosen: {len(chosen)} replies of one turn are chosen, must be one")
    alternatives = [reply for reply in replies if reply is not chosen[0]]
    extras = [drop_nulls(model=reply.model_name, score=reply.score) for reply in alternatives]
    return LoggedMessage(
        role="assistant",
        text=restore_empty_text(chosen[0]),
        rating=chosen[0].score,
        alternatives=[restore_empty_text(reply) for reply in alternatives] or None,
        preferences=[compare_scores(chosen[0], reply) for reply in alternatives] or None,
        model=chosen[0].model_name,
        extras={"alternatives": extras} if extras else {},
    )


def restore_empty_text(reply: Utterance) -> str:
    """Return the text of a reply; `EMPTY STRING` stands for an empty one."""
    return "" if reply.content == "EMPTY STRING" else reply.content


def compare_scores(chosen: Utterance, other: Utterance) -> float | None:
    """Return the difference of two scores as a fraction of the scale.

    Null where a score is missing.
    """
    if chosen.score is None or other.score is None:
        return None
    return (chosen.score - other.score) / 100
