"""Raw calls of a chat-completion API, as proxies and providers log them.

A record is a request with its response. Two records (with line breaks added here):

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

- Request and response may also stand under `input`/`output` or `request_body`/`response_body`; in the `body` of an
  HTTP message; as JSON in a text. The request may be `messages` beside `response` (what LiteLLM logs), the response a
  message or a text alone. A batch's output file holds no requests: join it with its input file by `custom_id` first.
- Only calls that no other call of the file continues become conversations. Where a person got several replies to one
  history (several choices, or the same request sent again), the reply that they continued has the others as
  `alternatives`. If they continued none, the last reply has them; if they continued several, each is a conversation of
  its own. Equal first questions without `user` are never taken for one person's, because different people ask the same;
  with `user` in the requests they are.
- A client that shortens the history starts another conversation; `clean` finds what two of them share.
- The person is `user`, `user_id`, `safety_identifier` or `end_user`, the model that of the last call, the time of each
  reply that of its own call. Calls and results of tools stay, as `tool_calls` in `extras` and as messages.
- Of parts that are no text only their types are kept, as `parts` in `extras`. Everything else of the record goes to
  `extras` too. A call that failed, was aborted or was logged as chunks of a stream is rejected with the reason.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from turnabout.sources.base import Piece
from turnabout.sources.files import FileSource
from turnabout.sources.reading.records import Record, read_records
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.rejects import Reject, build_reject
from turnabout.sources.traffic.calls import RECORD_KEYS, Call, looks_like_call, parse_call
from turnabout.sources.traffic.continuations import MAX_REPLIES, Continuations


class ChatCompletions(FileSource):
    """Records of `{request, response}`."""

    format: Literal["chat_completions"] = "chat_completions"
    record_keys: ClassVar[frozenset[str]] = frozenset(RECORD_KEYS)

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record holds both a request and a response."""
        return looks_like_call(content)

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Yield the conversation of one call, without regard to other calls."""
        index, call = Continuations(), parse_call(content)
        index.add_history(call)
        index.close_histories()
        yield build_conversation(call, index)

    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations and rejects of one file.

        The file is read three times.
        """
        assert piece.path is not None
        index = Continuations()
        for _, call in read_calls(piece.path):
            index.add_history(call)
        index.close_histories()
        for number, call in read_calls(piece.path):
            index.add_replies(number, call)
        for number, record in enumerate(read_records(piece.path)):
            yield from self._parse_indexed(number, record, index)

    def _parse_indexed(
        self, number: int, record: Record, index: Continuations
    ) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversation or the reject of one record.

        A call that another call continues or replaces yields nothing.
        """
        call = parse_call_or_none(record)
        if call is None:
            yield from self.parse_records([record])
            return
        group = index.find_group(call)
        if group and call.replies[0].text not in group.texts:
            yield build_reject(self.format, record, f"more than {MAX_REPLIES} replies to the same history of a person")
        elif index.is_continued(call) or (group and (group.is_continued or group.last_call != number)):
            return
        else:
            yield build_conversation(call, index)._replace(location=record.location)


def build_conversation(call: Call, index: Continuations) -> LoggedConversation:
    """Return the conversation that ends with a call."""
    return LoggedConversation(
        index.complete_messages(call),
        conversation_id=call.call_id,
        user_id=call.user,
        model=call.model,
        extras=call.extras,
    )


def read_calls(path: Path) -> Iterator[tuple[int, Call]]:
    """Yield the calls of a file that can be read, numbered by record."""
    for number, record in enumerate(read_records(path)):
        if (call := parse_call_or_none(record)) is not None:
            yield number, call


def parse_call_or_none(record: Record) -> Call | None:
    """Return the call of a record; null where it holds none.

    For a record without a call, `parse_records` gives the reason.
    """
    try:
        return None if record.error is not None else parse_call(record.content)
    except (ValueError, RecursionError):
        return None
