"""Stage mine: the table and figures it writes, and what an unremarkable log gives."""

from pathlib import Path

import polars as pl
import pytest

from stages.mine import main
from turnabout import schemas
from turnabout.io import read_frame, read_json, write_frame

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def run(tmp_path):
    """Write messages, run the stage, give back feedback and figures."""

    def run(messages: pl.DataFrame):
        write_frame(messages, tmp_path / "messages.parquet", schemas.MESSAGES)
        main(tmp_path / "messages.parquet", tmp_path / "feedback.parquet", tmp_path / "mine.json", PARAMS)
        return read_frame(tmp_path / "feedback.parquet", schemas.FEEDBACK), read_json(tmp_path / "mine.json")

    return run


def test_a_complaint_is_mined_and_points_at_reply_and_evidence(run, messages):
    feedback, figures = run(messages("c1", "Where is it warm?", "In winter.", "That's not what I asked.", "Sorry."))
    assert feedback.select("conversation_id", "reply_index", "evidence_index", "label", "category").rows() == [
        ("c1", 1, 2, "dsat", "complaint")
    ]
    assert (figures["n_exchanges"], figures["share_of_exchanges_with_signal"]) == (2, 0.5)


def test_a_log_without_feedback_warns_and_writes_an_empty_table(run, messages, capsys):
    feedback, figures = run(messages("c1", "I swim", "I run"))
    assert feedback.is_empty()
    assert figures["warnings"][0].startswith("no feedback found in 1 exchanges")
    assert f"warning: {figures['warnings'][0]}" in capsys.readouterr().err


def test_the_same_messages_give_the_same_bytes(run, messages, tmp_path):
    log = pl.concat(messages(name, "swim?", "Lake.", "Thanks!", "Bye", "Perfect.", "?") for name in "ba")
    run(log)
    first = (tmp_path / "feedback.parquet").read_bytes()
    run(log.sample(fraction=1, shuffle=True, seed=1))
    assert (tmp_path / "feedback.parquet").read_bytes() == first
