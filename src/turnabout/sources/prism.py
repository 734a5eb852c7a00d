"""The PRISM alignment dataset: people from many countries rate several models' replies in live conversations.

A line of `conversations.jsonl` (broken here for the page, text invented):

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
{"alternatives": [{"model": "m-1", "score": 30.0}]}; message 0 has what no column
holds of the line in its own.

- The reply of a turn is the chosen one, with which the conversation goes on; the others are its alternatives. A
  preference is the difference of the two scores over 100, and null where a score is missing.
- `rating` is the score as given, 1 to 100 on a slider without numbers: set `scale: [1, 100]` of the miner `explicit`.
  Scores of one person compare with each other better than with another person's.
- The release writes an empty reply as `EMPTY STRING`; it is empty again here.
- `generated_datetime` has no zone and is read as UTC. It is the one time of a conversation and is put on message 0.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import known

#: Fields of a line that columns hold.
IN_COLUMNS = ("conversation_id", "user_id", "conversation_history", "generated_datetime", "opening_prompt")


class Utterance(msgspec.Struct):
    """What a person wrote in a turn, or one model's reply to it."""

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

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it has a history of a conversation."""
        return isinstance(content, dict) and "conversation_history" in content

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """The one conversation of a line."""
        line = msgspec.convert(content, Line)
        said = list(messages(line.conversation_history))
        if not said:
            raise ValueError("conversation_history: has no message")
        said[0] = said[0]._replace(at=line.generated_datetime)
        yield LoggedConversation(
            said,
            conversation_id=f"prism:{line.conversation_id}",
            user_id=f"prism:{line.user_id}",
            extras=known(**{name: value for name, value in content.items() if name not in IN_COLUMNS}),
        )


def messages(history: Iterable[Utterance]) -> Iterator[LoggedMessage]:
    """Of each turn what the person wrote and the chosen reply."""
    for _, group in groupby(history, key=attrgetter("turn")):
        utterances = list(group)
        yield from (LoggedMessage("user", each.content) for each in utterances if each.role == "user")
        if replies := [each for each in utterances if each.role == "model"]:
            yield reply(replies)


def reply(replies: Sequence[Utterance]) -> LoggedMessage:
    """The chosen reply with the others as alternatives. Raises `ValueError` unless one was chosen."""
    chosen = [each for each in replies if each.if_chosen]
    if len(chosen) != 1:
        raise ValueError(f"conversation_history.if_chosen: {len(chosen)} replies of one turn are chosen, must be one")
    others = [each for each in replies if each is not chosen[0]]
    compared = [known(model=each.model_name, score=each.score) for each in others]
    return LoggedMessage(
        role="assistant",
        text=text(chosen[0]),
        rating=chosen[0].score,
        alternatives=[text(other) for other in others] or None,
        preferences=[preference(chosen[0], other) for other in others] or None,
        model=chosen[0].model_name,
        extras={"alternatives": compared} if compared else {},
    )


def text(utterance: Utterance) -> str:
    """What was said."""
    return "" if utterance.content == "EMPTY STRING" else utterance.content


def preference(chosen: Utterance, other: Utterance) -> float | None:
    """By how much of the scale the chosen reply scored higher."""
    if chosen.score is None or other.score is None:
        return None
    return (chosen.score - other.score) / 100
