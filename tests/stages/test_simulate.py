"""The counts of a simulation by hand."""

import polars as pl

from stages.simulate import counts
from turnabout.core import schemas


def test_every_fault_is_counted_also_those_that_never_happened() -> None:
    known = {"conversation_id": "c", "task_id": "t", "simulator": "trained:x", "policy": "p", "seed": 1, "intent": "i"}
    said = [
        ("user", 2, ["too long", "repeats itself"], None),
        ("assistant", 0, [], None),
        ("user", 1, ["too long"], "end_token"),
    ]
    rows = [
        {**known, "turn": i, "role": role, "text": "x", "resamples": n, "faults": faults, "ended_by": ended}
        for i, (role, n, faults, ended) in enumerate(said)
    ]
    told = counts(pl.DataFrame(rows, schema=schemas.ROLLOUTS))
    assert told["faults"] == {
        "too short": 0,
        "too long": 2,
        "forbidden opening": 0,
        "repeats itself": 1,
        "copies the intent": 0,
    }
    assert (told["resamples"], told["ended_by"], told["mean_exchanges"]) == (3, {"end_token": 1}, 1)
