"""What is measured of an arm: the same people under each telling, against the scorer of user models itself."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.ablations.evaluation import Reading, measure
from turnabout.core import schemas
from turnabout.metrics.user_turns import openings, score
from turnabout.models.checkpoints import load
from turnabout.training.user_model.train import with_end_token

#: Room for both conversations behind the intent below (10 + 12 tokens), but not behind a longer system message.
READING = Reading(max_length=90, ending_length=90, batch_size=4, resamples=20, seed=1)


def samples(intent: str) -> pl.DataFrame:
    def row(name: str, split: str, *texts: str) -> dict[str, Any]:
        talk = [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]
        return {
            "conversation_id": name,
            "user_key": None if name == "t2" else f"user of {name}",
            "split": split,
            "intent": intent,
            "messages": talk,
            "target_indexes": list(range(0, len(texts), 2)),
            "ends": True,
        }

    rows = [
        row("v1", "validation", "hi", "yo"),
        row("t1", "test", "hello", "ah", "so", "ok"),
        row("t2", "test", "x" * 30, "y"),
    ]
    return pl.DataFrame(rows, schema=schemas.USER_SAMPLES)


def test_the_test_people_are_read_under_each_telling_and_numbered_without_their_names(tiny_checkpoint: Path) -> None:
    checkpoint = with_end_token(load(tiny_checkpoint, "float32"))
    found = measure(checkpoint, {"high_level": samples("Ask for tea.")}, READING)
    test = samples("Ask for tea.").filter(split="test")
    for name, with_intent in (("high_level", True), ("none", False)):
        expected = score(checkpoint, openings(test, checkpoint.chat, READING.max_length, with_intent), 4).turns
        mine = found.turns.filter(told=name)
        assert mine["nats"].to_list() == pytest.approx(expected["nats"].to_list(), rel=1e-4)
        assert mine["conversation_id"].to_list() == ["t1", "t1", "t2"]
        per_character = expected["nats"].sum() / 0.6931471805599453 / expected["characters"].sum()
        assert found.metrics["bits_per_character"][name]["value"] == pytest.approx(per_character, rel=1e-4)
    assert found.turns["person"].n_unique() == 2
    assert "user of t1" not in str(found.turns.to_dicts())
    assert found.metrics["n_conversations"] == 2


def test_leaving_is_judged_by_a_threshold_from_the_validation_people(tiny_checkpoint: Path) -> None:
    checkpoint = with_end_token(load(tiny_checkpoint, "float32"))
    told = samples("Ask for tea.")
    assert measure(checkpoint, {"high_level": told}, READING).metrics["termination"]["f1"]["value"] is not None
    nobody = {"high_level": told.filter(pl.col("split") != "validation")}
    assert measure(checkpoint, nobody, READING).metrics["termination"]["f1"]["value"] is None


def test_a_person_keeps_the_number_where_nothing_of_another_was_read(tiny_checkpoint: Path) -> None:
    checkpoint = with_end_token(load(tiny_checkpoint, "float32"))
    # An intent of 60 characters leaves 20 tokens: "hello" takes 13, the 30 characters of the other person 38.
    told = {"high_level": samples("Ask for tea."), "full": samples("f" * 60)}
    numbered = measure(checkpoint, told, READING).turns.select("told", "conversation_id", "person").unique()
    assert numbered.sort("told", "conversation_id").rows() == [
        ("full", "t1", 1),
        ("high_level", "t1", 1),
        ("high_level", "t2", 0),
        ("none", "t1", 1),
        ("none", "t2", 0),
    ]
