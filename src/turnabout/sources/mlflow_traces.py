"""Traces of an assistant in use, with people's feedback on them, read from an MLflow tracking store.

Two traces of session s1 by user ann, the second with a thumb of hers and the reply somebody would rather have seen:

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

- A turn is a trace, its texts those of the root span, in any shape that `payloads.py` reads. Where inputs carry the
  history, only what is new becomes messages, and a second trace with the same input is a regeneration: the earlier
  reply is the later one's alternative. A trace without a session is a conversation of its own.
- Session and user are the metadata `mlflow.trace.session` and `mlflow.trace.user`.
- Feedback of source HUMAN is the rating (a number as it is, true 1, false -1) or, where it is a text, the reaction; the
  latest counts. HUMAN expectations of a name in `CORRECTIONS` are the edited text. All assessments, those of judges and
  code too, stay in the reply's `extras`, with their rationales.
- Traces in error go to quarantine. Traces of simulated users, ours and those of MLflow's simulator, are not read.
The store is read anew at every run.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from turnabout.sources.base import Batch, Piece, Source
from turnabout.sources.database.addresses import Address, expanded, hiding
from turnabout.sources.files import batched, rejection
from turnabout.sources.reading.records import Record
from turnabout.sources.traffic.payloads import asked, model_of, replied
from turnabout.sources.traffic.turns import Turn, by_session, verdict

#: Names of expectations that hold the whole reply as it should have been.
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
    """Names of the feedback that rates a reply; null takes all by people. Name them where people also mark faults."""

    def pieces(self) -> list[Piece]:
        """The experiment, as one piece."""
        return [Piece(self.experiment, None)]

    def batches(self, piece: Piece) -> Iterator[Batch]:
        """Its sessions, the one that began first first."""
        return batched(by_session(self._judged(), self.format), self.format)

    def _judged(self) -> Iterator[Turn | dict[str, str]]:
        from turnabout.tracking.traces import traces

        with hiding(self.tracking_uri):
            for trace in traces(expanded(self.tracking_uri), self.experiment):
                try:
                    yield turn(trace, self.feedback)
                except (ValueError, RecursionError) as error:
                    yield self._rejection(trace, str(error))

    def _rejection(self, trace: dict[str, Any], why: str) -> dict[str, str]:
        return rejection(self.format, Record(trace["id"], trace["inputs"], None, ""), why)


def turn(trace: dict[str, Any], feedback: list[str] | None) -> Turn:
    """The turn of one trace. Raises `ValueError` where it ended in an error or holds no texts."""
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
            latest = verdict(item["value"])
            rating, reaction = latest[0] if latest[0] is not None else rating, latest[1] or reaction
    return Turn(
        trace_id=trace["id"],
        session=trace["session"],
        asked=asked(trace["inputs"]),
        reply=replied(trace["outputs"]),
        at=datetime.fromtimestamp(trace["at_ms"] / 1000, UTC),
        user_id=trace["user"],
        model=trace["model"] or model_of(trace["inputs"], trace["outputs"]),
        rating=rating,
        reaction=reaction,
        edited_text=edited_text,
        extras={"trace_id": trace["id"]} | ({"assessments": assessments} if assessments else {}),
    )
