"""What is measured of an arm: the same people under each telling, against the scorer of user models itself."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout.ablations.evaluation import evaluate_arm
from turnabout.core import schemas
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.user_turns import cut_openings, score_excerpts
from turnabout.models.checkpoints import load_checkpoint
from turnabout.operations.evaluate_user import DEFAULT_SETTINGS
from turnabout.training.user_model.train import add_end_token

#: Room for both conversations behind the intent below (10 + 12 tokens), but not behind a longer system message.
SETTINGS = DEFAULT_SETTINGS.model_copy(update={"max_length": 90, "ending_length": 90, "batch_size": 4, "resamples": 20})


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
    checkpoint = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    found = evaluate_arm(checkpoint, {"high_level": samples("Ask for tea.")}, SETTINGS, seed=1)
    test = samples("Ask for tea.").filter(split="test")
    for name, with_intent in (("high_level", True), ("none", False)):
        excerpts = cut_openings(test, checkpoint.chat, SETTINGS.max_length, with_intent)
        expected = score_excerpts(LocalGenerator(checkpoint, "user", 4), excerpts).turns
        mine = found.turns.filter(told=name)
        assert mine["nats"].to_list() == pytest.approx(expected["nats"].to_list(), rel=1e-4)
        assert mine["conversation_id"].to_list() == ["t1", "t1", "t2"]
        per_character = expected["nats"].sum() / 0.6931471805599453 / expected["characters"].sum()
        assert found.metrics["bits_per_character"][name]["value"] == pytest.approx(per_character, rel=1e-4)
    assert found.turns["person"].n_unique() == 2
    assert "user of t1" not in str(found.turns.to_dicts())
    assert found.metrics["n_conversations"] == 2


def test_leaving_is_judged_by_a_threshold_from_the_validation_people(tiny_checkpoint: Path) -> None:
    checkpoint = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    told = samples("Ask for tea.")
    assert (
        evaluate_arm(checkpoint, {"high_level": told}, SETTINGS, seed=1).metrics["termination"]["f1"]["value"]
        is not None
    )
    nobody = {"high_level": told.filter(pl.col("split") != "validation")}
    assert evaluate_arm(checkpoint, nobody, SETTINGS, seed=1).metrics["termination"]["f1"]["value"] is None


def test_a_person_keeps_the_number_where_nothing_of_another_was_read(tiny_checkpoint: Path) -> None:
    checkpoint = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    # An intent of 60 characters leaves 20 tokens: "hello" takes 13, the 30 characters of the other person 38.
    told = {"high_level": samples("Ask for tea."), "full": samples("f" * 60)}
    numbered = (
        evaluate_arm(checkpoint, told, SETTINGS, seed=1).turns.select("told", "conversation_id", "person").unique()
    )
    assert numbered.sort("told", "conversation_id").rows() == [
        ("full", "t1", 1),
        ("high_level", "t1", 1),
        ("high_level", "t2", 0),
        ("none", "t1", 1),
        ("none", "t2", 0),
    ]
