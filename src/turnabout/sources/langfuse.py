"""Langfuse: exported traces or observations, with people's scores on them.

Three records of a file of traces (from the API, or `traces/` of an export to blob storage):

    {"id": "t1", "sessionId": "s1", "userId": "ann", "timestamp": "2024-05-01T08:00:00Z",
     "input": "Is the shop open?", "output": "Until six.",
     "scores": [{"name": "user-feedback", "source": "API", "dataType": "BOOLEAN", "value": 0, "comment": "closed!"},
                {"name": "relevance", "source": "EVAL", "dataType": "NUMERIC", "value": 0.9}]}
    {"id": "t2", "sessionId": "s1", "timestamp": "2024-05-01T08:01:00Z", "input": "Sure?", "output": null}
    {"id": "t3", "sessionId": "s1", "timestamp": "2024-05-01T08:02:00Z",
     "input": {"messages": [{"role": "user", "content": "Really?"}]},
     "output": {"role": "assistant", "content": "Yes."}}

become the conversation

    conversation_id  message_index  role       text               at                    user_key  rating
    s1               0              user       Is the shop open?  2024-05-01T08:00:00Z  ann
    s1               1              assistant  Until six.                                         -1.0
    s1               2              user       Really?            2024-05-01T08:02:00Z  ann
    s1               3              assistant  Yes.

and a row of quarantine for t2, "output: holds no reply, came NoneType".

What to export. From a blob storage integration: "enriched observations" with the field groups of input, output and
trace context (or legacy traces), and the folder of scores, to be named as `scores`. From the interface: the table of
traces or observations as JSON, JSONL or CSV, and the table of scores, because the former keep the values of scores but
not who gave them. Names may be written in camelCase or snake_case.

- A turn is a trace. Of the records of one trace in a file, the turn is read from the trace itself, else from its root
  observation, else from its last generation; other observations inside a trace are parts of a turn and are skipped. Of
  a trace or root observation that occurs several times, the latest counts and the others are rejected.
- Input and output are read in any shape of `payloads.py`, histories and regenerations as in `turns.py`.
- A session is one conversation only within one file; a later file that continues it is rejected as a duplicate, so
  export whole sessions. A trace without a session is a conversation of its own.
- Scores of source ANNOTATION, and API scores whose name mentions feedback, a rating, thumbs or satisfaction, fill the
  rating (BOOLEAN 1 and -1, NUMERIC as it is) or the reaction (CATEGORICAL, TEXT); the latest of each counts. A
  CORRECTION is the edited text. Scores of evaluators fill no column. All scores of a trace stay in the reply's
  `extras`; of `scores` files only people's. Thumbs logged as NUMERIC 0 and 1 need `scale: [0, 1]` in the miner
  `explicit`.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

import msgspec

from turnabout.sources.base import Piece, Source
from turnabout.sources.langfuse_records import (
    LANGFUSE_KEYS,
    RECORD_KEYS,
    Row,
    Score,
    convert_keys,
    parse_inline_scores,
    rank_record,
    read_people_scores,
)
from turnabout.sources.reading.records import list_log_files, read_records
from turnabout.sources.table.conversation import LoggedConversation, parse_time
from turnabout.sources.table.rejects import Reject, build_reject, describe_error
from turnabout.sources.traffic.payloads import find_model, parse_input, parse_output
from turnabout.sources.traffic.turns import Turn, group_by_session, parse_feedback

#: Names of API scores that people give.
_FEEDBACK = re.compile(r"feedback|rating|thumb|satisf", re.I)


class Langfuse(Source):
    """Traces or observations in files, joined by session."""

    format: Literal["langfuse"] = "langfuse"
    record_keys: ClassVar[frozenset[str]] = frozenset(RECORD_KEYS)
    path: str
    """A file, a folder, or a glob of traces or observations."""
    scores: str | None = None
    """A file, a folder, or a glob of scores; null where the traces hold their scores. People's scores are kept in
    memory. New scores may be on any trace, so all traces are then read again."""
    feedback: list[str] | None = None
    """Names of the scores that rate a reply; null takes the default above. Name them where people also mark errors."""

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record is a trace or an observation."""
        keys = convert_keys(content).keys() if isinstance(content, dict) else set()
        return {"id", "input", "output"} <= keys and bool(LANGFUSE_KEYS & keys)

    @classmethod
    def count_known_keys(cls, content: Any) -> int:
        """Return how many keys of a record are known, in either spelling."""
        return super().count_known_keys(convert_keys(content)) if isinstance(content, dict) else 0

    def list_pieces(self) -> list[Piece]:
        """Return the files in order of name; each depends on all files of scores."""
        scores = tuple(list_log_files(self.scores)) if self.scores else ()
        return [Piece(path.name, path, scores) for path in list_log_files(self.path)]

    def list_inputs(self) -> list[str]:
        """Return the path, and the path of the scores."""
        return [self.path, *([self.scores] if self.scores else [])]

    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield rejects and the sessions of one file.

        The session that began first comes first.
        """
        assert piece.path is not None
        return group_by_session(self._read_turns(piece.path), self.format)

    @cached_property
    def _people_scores(self) -> dict[str, list[Score]]:
        return read_people_scores(self.scores) if self.scores else {}

    def _read_turns(self, path: Path) -> Iterator[Turn | Reject]:
        scores_by_trace = self._people_scores
        for record in read_records(path):
            if record.error is not None:
                yield build_reject(self.format, record, record.error)
                continue
            try:
                row = msgspec.convert(convert_keys(record.content), Row, strict=False)
                if rank_record(row) is not None:
                    turn = build_turn(row, scores_by_trace.get(row.trace_id or row.id, ()), self.feedback)
                    turn.location = record.location
                    yield turn
            except ValueError as error:
                yield build_reject(self.format, record, describe_error(error), may_be_other_format=True)
            except RecursionError:
                yield build_reject(self.format, record, "nested too deeply")


def build_turn(row: Row, exported_scores: Sequence[Score], feedback: list[str] | None) -> Turn:
    """Return the turn of one record.

    `exported_scores` are those of its trace in files of scores. Raises `ValueError` where the call ended in an error or
    holds no texts.
    """
    if row.level == "ERROR":
        raise ValueError(f"{(row.type or 'trace').lower()} ended in an error: {row.status_message or 'none told'}")
    time = row.timestamp or row.start_time
    turn = Turn(
        trace_id=row.trace_id or row.id,
        session=row.session_id or None,
        rank=rank_record(row) or 0,
        input=parse_input(row.input),
        reply=parse_output(row.output),
        at=parse_time(time, "timestamp") if time else None,
        user_id=row.user_id or None,
        model=row.model or row.provided_model_name or find_model(row.input, row.output),
    )
    scores = [*parse_inline_scores(row), *exported_scores]
    scores.sort(key=lambda score: (score.timestamp or "", score.name))
    for score in scores:
        if _is_feedback(score, feedback):
            _apply_score(turn, score)
    extras = {"trace_id": turn.trace_id, "name": row.trace_name or row.name, "tags": row.tags}
    extras |= {"version": row.version, "release": row.release, "scores": msgspec.to_builtins(scores)}
    turn.extras = {key: value for key, value in extras.items() if value}
    return turn


def _is_feedback(score: Score, feedback: list[str] | None) -> bool:
    """Return whether a person rated or corrected the reply by a score."""
    if score.source == "EVAL":
        return False
    if score.data_type == "CORRECTION":
        return True
    if feedback is not None:
        return score.name in feedback
    return score.source == "ANNOTATION" or bool(_FEEDBACK.search(score.name))


def _apply_score(turn: Turn, score: Score) -> None:
    """Fill the feedback fields of the reply, in place, by a person's score."""
    text = score.long_string_value or score.string_value
    if score.data_type == "CORRECTION":
        turn.edited_text = text or (score.value if isinstance(score.value, str) else None)
    elif score.data_type in ("CATEGORICAL", "TEXT"):
        turn.reaction = text or turn.reaction
    elif score.value is not None:
        turn.rating = parse_feedback(score.value != 0 if score.data_type == "BOOLEAN" else score.value)[0]
