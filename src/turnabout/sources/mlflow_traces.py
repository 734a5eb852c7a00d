"""Traces of an MLflow tracking store, with people's feedback on them.

Two traces of session s1 by user ann, the second with her thumb and with the reply that a person expected:

    inputs  {"messages": [{"role": "user", "content": "Is the shop open?"}]}
    outputs {"choices": [{"message": {"role": "assistant", "content": "Until six."}}]}

    inputs  {"messages": [{"role": "user", "content": "On Sundays too?"}], "model": "m-7"}
    outputs {"choices": [{"message": {"role": "assistant", "content": "Yes."}}]}
    feedback    {"name": "thumb", "value": false, "rationale": "closed!", "source": {"source_type": "HUMAN"}}
    expectation {"name": "expected_response", "value": "No, closed.", "source": {"source_type": "HUMAN"}}

become the conversation

    conversation_id  message_index  role       text               user_key  model  rating  edited_text
    s1               0              user       Is the shop open?  ann
    s1               1              assistant  Until six.
    s1               2              user       On Sundays too?    ann
    s1               3              assistant  Yes.                         m-7    -1.0    No, closed.

- A turn is a trace, its texts are those of the root span, in any shape of `payloads.py`. Where inputs carry the
  history, only what is new becomes messages, and a second trace with the same input is a regeneration: the earlier
  reply is the later one's alternative. A trace without a session is a conversation of its own.
- Session and user are the metadata `mlflow.trace.session` and `mlflow.trace.user`.
- Feedback of source HUMAN is the rating (a number as it is, true 1, false -1) or, where it is a text, the reaction; the
  latest counts. HUMAN expectations of a name in `CORRECTIONS` are the edited text. All assessments, also those of
  judges and code, stay in the reply's `extras`, with their rationales.
- Traces in error go to quarantine. Traces of simulated users, ours and those of MLflow's simulator, are not read.
The store is read again at every run.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from turnabout.sources.base import Piece, Source
from turnabout.sources.database.addresses import Address, expand_variables, redact_errors
from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation
from turnabout.sources.table.rejects import Reject, build_reject
from turnabout.sources.traffic.payloads import find_model, parse_input, parse_output
from turnabout.sources.traffic.turns import Turn, group_by_session, parse_feedback

#: Names of expectations that hold the whole corrected reply.
CORRECTIONS = ("expected_response", "expected_output", "expected_answer", "corrected_response", "correction")


class MlflowTraces(Source):
    """Sessions and assessments of one experiment."""

    format: Literal["mlflow_traces"] = "mlflow_traces"
    is_live: ClassVar[bool] = True
    tracking_uri: Address
    """Address of the store, such as `sqlite:///mlflow.db` or `http://$MLFLOW_USER:$MLFLOW_PASSWORD@host:5000`."""
    experiment: str
    """Name of the experiment that the assistant logs its traces to."""
    feedback: list[str] | None = None
    """Names of the feedback that rates a reply; null takes all by people. Name them where people also mark errors."""

    def list_pieces(self) -> list[Piece]:
        """Return the experiment as one piece."""
        return [Piece(self.experiment, None)]

    def read_piece(self, piece: Piece) -> Iterator[LoggedConversation | Reject]:
        """Yield rejects and the sessions of the experiment.

        The session that began first comes first.
        """
        return group_by_session(self._read_turns(), self.format)

    def _read_turns(self) -> Iterator[Turn | Reject]:
        from turnabout.tracking.traces import read_traces

        with redact_errors(self.tracking_uri):
            for trace in read_traces(expand_variables(self.tracking_uri), self.experiment):
                try:
                    yield build_turn(trace, self.feedback)
                except (ValueError, RecursionError) as error:
                    record = Record(trace["id"], trace["inputs"], None, "")
                    yield build_reject(self.format, record, str(error))


def build_turn(trace: dict[str, Any], feedback: list[str] | None) -> Turn:
    """Return the turn of one trace.

    Raises `ValueError` where the call ended in an error or holds no texts.
    """
    if trace["fault"]:
        raise ValueError(trace["fault"])
    assessments = sorted(trace["assessments"], key=lambda item: (item["at_ms"], item["name"]))
    rating, reaction, edited_text = None, None, None
    for item in assessments:
        if item["source"] != "HUMAN":
            continue
        if item["kind"] == "expectation" and item["name"] in CORRECTIONS and isinstance(item["value"], str):
            edited_text = item["value"]
        elif item["kind"] == "feedback" and (feedback is None or item["name"] in feedback):
            new_rating, new_reaction = parse_feedback(item["value"])
            rating = rating if new_rating is None else new_rating
            reaction = new_reaction or reaction
    return Turn(
        trace_id=trace["id"],
        session=trace["session"],
        input=parse_input(trace["inputs"]),
        reply=parse_output(trace["outputs"]),
        at=datetime.fromtimestamp(trace["at_ms"] / 1000, UTC),
        user_id=trace["user"],
        model=trace["model"] or find_model(trace["inputs"], trace["outputs"]),
        rating=rating,
        reaction=reaction,
        edited_text=edited_text,
        extras={"trace_id": trace["id"]} | ({"assessments": assessments} if assessments else {}),
    )
