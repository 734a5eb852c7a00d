"""The counts of a simulation, checked by hand."""

import polars as pl

from stages.simulate import summarize_simulation
from turnabout.core import schemas


def test_summary_counts_every_fault_including_absent_ones() -> None:
    known = {"conversation_id": "c", "task_id": "t", "simulator": "trained:x", "policy": "p", "seed": 1, "intent": "i"}
    messages = [
        ("user", 2, ["too long", "repeats itself"], None),
        ("assistant", 0, [], None),
        ("user", 1, ["too long"], "end_token"),
    ]
    rows = [
        {**known, "turn": i, "role": role, "text": "x", "resamples": n, "faults": faults, "ended_by": ended}
        for i, (role, n, faults, ended) in enumerate(messages)
    ]
    summary = summarize_simulation(pl.DataFrame(rows, schema=schemas.ROLLOUTS))
    assert summary["faults"] == {
        "too short": 0,
        "too long": 2,
        "forbidden opening": 0,
        "repeats itself": 1,
        "copies the intent": 0,
        "cut_off": 0,
    }
    assert (summary["resamples"], summary["ended_by"], summary["mean_exchanges"]) == (3, {"end_token": 1}, 1)
