"""Raw calls of a chat-completion API, as proxies and providers log them: a request and its response a record.

Two records (broken here for the page):

    {"request": {"model": "m-7", "user": "ann", "messages": [{"role": "user", "content": "Capital of Peru?"}]},
     "response": {"id": "chatcmpl-1", "created": 1714550400, "model": "m-7-2024", "usage": {"total_tokens": 12},
                  "choices": [{"message": {"role": "assistant", "content": "Lima."}, "finish_reason": "stop"}]}}
    {"request": {"model": "m-7", "user": "ann", "messages": [
       {"role": "user", "content": "Capital of Peru?"}, {"role": "assistant", "content": "Lima."},
       {"role": "user", "content": "And Chile?"}]},
     "response": {"id": "chatcmpl-2", "created": 1714550460, "model": "m-7-2024", "choices": [
       {"message": {"role": "assistant", "content": "Santiago."}},
       {"message": {"role": "assistant", "content": "Santiago de Chile."}}]}}

become one conversation, because the second call's history holds the first:

    conversation_id  message_index  role       text              at                    user_key  alternatives
    chatcmpl-2       0              user       Capital of Peru?  null                  ann       null
    chatcmpl-2       1              assistant  Lima.             2024-05-01T08:00:00Z  null      null
    chatcmpl-2       2              user       And Chile?        null                  ann       null
    chatcmpl-2       3              assistant  Santiago.         2024-05-01T08:01:00Z  null      [Santiago de Chile.]

- Also read: `input`/`output` and `request_body`/`response_body` for the two sides; an HTTP message whose `body` is the
  request or response; either as JSON in a text; `messages` beside `response` (what LiteLLM logs); a response that is a
  message or a text alone. A batch's output file holds no requests: join it with its input file by `custom_id` first.
- Of the calls of a file only those stay that no other call goes on from. A person who got several replies to one
  history (several choices, or asked again) has the others as `alternatives` of the reply that they went on from; where
  they went on from none, of the last; where from several, each is a conversation. A stranger's first question is never
  taken for asked again, because different people ask the same; with `user` in the requests it is.
- A client that shortens the history starts another conversation; `clean` finds what two of them share.
- The person is `user`, `user_id`, `safety_identifier` or `end_user`, the model that of the last call, the time of each
  reply that of its own call. Calls and results of tools stay, as `tool_calls` in `extras` and as messages.
- Of parts that are no text only their kinds are kept, as `parts` in `extras`. Everything else of the record goes to
  `extras` too. A call that failed, was aborted or was logged as chunks of a stream is rejected with the reason.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from turnabout.sources.base import Batch, Piece
from turnabout.sources.files import FileSource, batched, rejection
from turnabout.sources.reading.records import Record, records
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.traffic.calls import Call, call_of, looks_like_call
from turnabout.sources.traffic.continuations import MOST_REPLIES, Continuations


class ChatCompletions(FileSource):
    """Records of `{request, response}`."""

    format: Literal["chat_completions"] = "chat_completions"

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it holds both sides of a call."""
        return looks_like_call(content)

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """The conversation of one call, by itself."""
        known, call = Continuations(), call_of(content)
        known.note(call)
        known.noted()
        yield conversation(call, known)

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """The conversations of one file; it is read three times."""
        assert piece.path is not None
        return batched(self._merged(piece.path), self.format)

    def _merged(self, path: Path) -> Iterator[LoggedConversation | dict[str, str]]:
        known = Continuations()
        for _, noted in calls(path):
            known.note(noted)
        known.noted()
        for number, gathered in calls(path):
            known.gather(number, gathered)
        for number, record in enumerate(records(path)):
            if (call := readable(record)) is None:
                yield from self.judged([record])
            elif (group := known.group_of(call)) and call.replies[0].text not in group.texts:
                yield rejection(
                    self.format, record, f"more than {MOST_REPLIES} replies to the same history of a person"
                )
            elif not (known.is_gone_on_from(call) or (group and (group.went_on or group.last != number))):
                yield conversation(call, known)._replace(where=record.where)


def conversation(call: Call, known: Continuations) -> LoggedConversation:
    """A call that nobody went on from, as the conversation that it ends."""
    return LoggedConversation(known.completed(call), call.call_id, call.user, call.model, extras=call.extras)


def calls(path: Path) -> Iterator[tuple[int, Call]]:
    """The calls of a file that can be read, with the numbers of their records."""
    for number, record in enumerate(records(path)):
        if (call := readable(record)) is not None:
            yield number, call


def readable(record: Record) -> Call | None:
    """The call that a record holds; null where it holds none, for which `judged` gives the reason."""
    try:
        return None if record.fault is not None else call_of(record.content)
    except (ValueError, RecursionError):
        return None
