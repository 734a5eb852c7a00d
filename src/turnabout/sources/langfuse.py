"""Langfuse: traces or observations exported to files, with people's scores on them.

Three records, of a file of traces (from the API, or `traces/` of an export to blob storage):

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

- A turn is a trace. Of the records of one trace in a file it is the trace itself, else its root observation, else its
  last generation; other observations inside a trace are parts of a turn and are passed over. A trace or root
  observation that comes again is a double: the latest counts, the others are rejected.
- Input and output are read in any shape of `payloads.py`, histories and regenerations as `turns.py` says.
- A session is one conversation as far as it stands in one file; a later file that goes on with it is refused as a
  double, so export whole sessions. A trace without a session is a conversation of its own.
- Scores of source ANNOTATION, and API scores whose name speaks of feedback, a rating, thumbs or satisfaction, are the
  rating (BOOLEAN 1 and -1, NUMERIC as it is) or the reaction (CATEGORICAL, TEXT), the latest of each; a CORRECTION is
  the edited text. Scores of evaluators never are. All scores of a trace stay in the reply's `extras`; of `scores`
  files, people's only. Thumbs logged as NUMERIC 0 and 1 need `scale: [0, 1]` in the miner `explicit`.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import msgspec

from turnabout.sources.base import Batch, Piece, Source
from turnabout.sources.detection import hint
from turnabout.sources.files import batched, reason, rejection
from turnabout.sources.langfuse_records import Row, Score, inline_scores, people_scores, rank, snake
from turnabout.sources.reading.records import log_files, records
from turnabout.sources.table.conversation import instant
from turnabout.sources.traffic.payloads import asked, model_of, replied
from turnabout.sources.traffic.turns import Turn, by_session, verdict

#: Names of API scores that people gave.
_FEEDBACK = re.compile(r"feedback|rating|thumb|satisf", re.I)


class Langfuse(Source):
    """Traces or observations of files, joined by session."""

    format: Literal["langfuse"] = "langfuse"
    path: str
    """A file, a folder, or a glob of traces or observations."""
    scores: str | None = None
    """The same for files of scores; null where the traces hold theirs. What people scored is kept in memory. New scores
    may be on any trace: all traces are read again."""
    feedback: list[str] | None = None
    """Names of the scores that rate a reply; null takes those said above. Name them where people score faults too."""

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it is a trace or an observation."""
        keys = snake(content).keys() if isinstance(content, dict) else set()
        return {"id", "input", "output"} <= keys and bool({"session_id", "trace_id"} & keys)

    def pieces(self) -> list[Piece]:
        """The files by name: give later days later names. Each takes all the scores."""
        scores = tuple(log_files(self.scores)) if self.scores else ()
        return [Piece(path.name, path, scores) for path in log_files(self.path)]

    def inputs(self) -> list[str]:
        """The path, and that of the scores."""
        return [self.path, *([self.scores] if self.scores else [])]

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """The sessions of one file, the one that began first first."""
        assert piece.path is not None
        return batched(by_session(self._judged(piece.path), self.format), self.format)

    @cached_property
    def _people_scores(self) -> dict[str, list[Score]]:
        return people_scores(self.scores) if self.scores else {}

    def _judged(self, path: Path) -> Iterator[Turn | dict[str, str]]:
        apart = self._people_scores
        for record in records(path):
            if record.fault is not None:
                yield rejection(self.format, record, record.fault)
                continue
            try:
                row = msgspec.convert(snake(record.content), Row, strict=False)
                if rank(row) is not None:
                    built = turn(row, apart.get(row.trace_id or row.id, ()), self.feedback)
                    built.where = record.where
                    yield built
            except ValueError as error:
                yield rejection(self.format, record, reason(error) + hint(record.content, type(self)))
            except RecursionError:
                yield rejection(self.format, record, "nested too deeply")


def turn(row: Row, apart: Sequence[Score], feedback: list[str] | None) -> Turn:
    """The turn of one record. Raises `ValueError` where it ended in an error or holds no texts."""
    if row.level == "ERROR":
        raise ValueError(f"{(row.type or 'trace').lower()} ended in an error: {row.status_message or 'none told'}")
    at = row.timestamp or row.start_time
    built = Turn(
        trace_id=row.trace_id or row.id,
        session=row.session_id or None,
        rank=rank(row) or 0,
        asked=asked(row.input),
        reply=replied(row.output),
        at=instant(at, "timestamp") if at else None,
        user_id=row.user_id or None,
        model=row.model or row.provided_model_name or model_of(row.input, row.output),
    )
    scores = sorted([*inline_scores(row), *apart], key=lambda score: (score.timestamp or "", score.name))
    for score in scores:
        if _is_feedback(score, feedback):
            _take(built, score)
    further = {"trace_id": built.trace_id, "name": row.trace_name or row.name, "tags": row.tags}
    further |= {"version": row.version, "release": row.release, "scores": msgspec.to_builtins(scores)}
    built.extras = {key: value for key, value in further.items() if value}
    return built


def _is_feedback(score: Score, feedback: list[str] | None) -> bool:
    if score.source == "EVAL":
        return False
    if score.data_type == "CORRECTION":
        return True
    if feedback is not None:
        return score.name in feedback
    return score.source == "ANNOTATION" or bool(_FEEDBACK.search(score.name))


def _take(built: Turn, score: Score) -> None:
    """Let a person's score fill the columns of the reply."""
    text = score.long_string_value or score.string_value
    if score.data_type == "CORRECTION":
        built.edited_text = text or (score.value if isinstance(score.value, str) else None)
    elif score.data_type in ("CATEGORICAL", "TEXT"):
        built.reaction = text or built.reaction
    elif score.value is not None:
        built.rating = verdict(score.value != 0 if score.data_type == "BOOLEAN" else score.value)[0]
