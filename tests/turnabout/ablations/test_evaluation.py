"""Evaluation of an arm: scores by intent detail, and termination."""

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


def build_samples(intent: str) -> pl.DataFrame:
    def build_row(name: str, split: str, *texts: str) -> dict[str, Any]:
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
        build_row("v1", "validation", "hi", "yo"),
        build_row("t1", "test", "hello", "ah", "so", "ok"),
        build_row("t2", "test", "x" * 30, "y"),
    ]
    return pl.DataFrame(rows, schema=schemas.USER_SAMPLES)


def test_test_people_are_scored_with_each_detail_and_numbered_without_names(tiny_checkpoint: Path) -> None:
    checkpoint = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    evaluation = evaluate_arm(checkpoint, {"high_level": build_samples("Ask for tea.")}, settings=SETTINGS, seed=1)
    test = build_samples("Ask for tea.").filter(split="test")
    for name, with_intent in (("high_level", True), ("none", False)):
        excerpts = cut_openings(test, checkpoint.chat, SETTINGS.max_length, with_intent)
        expected = score_excerpts(LocalGenerator(checkpoint, "user", 4), excerpts).turns
        turns = evaluation.turns.filter(intent_detail=name)
        assert turns["nats"].to_list() == pytest.approx(expected["nats"].to_list(), rel=1e-4)
        assert turns["conversation_id"].to_list() == ["t1", "t1", "t2"]
        nats_per_character = expected.select(pl.col("nats").sum() / pl.col("characters").sum()).item()
        per_character = nats_per_character / 0.6931471805599453
        assert evaluation.metrics["bits_per_character"][name]["value"] == pytest.approx(per_character, rel=1e-4)
    assert evaluation.turns["person"].n_unique() == 2
    assert "user of t1" not in str(evaluation.turns.to_dicts())
    assert evaluation.metrics["n_conversations"] == 2


def test_termination_uses_a_threshold_from_the_validation_people(tiny_checkpoint: Path) -> None:
    checkpoint = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    high_level = build_samples("Ask for tea.")
    assert (
        evaluate_arm(checkpoint, {"high_level": high_level}, settings=SETTINGS, seed=1).metrics["termination"]["f1"][
            "value"
        ]
        is not None
    )
    without_validation = {"high_level": high_level.filter(pl.col("split") != "validation")}
    assert (
        evaluate_arm(checkpoint, without_validation, settings=SETTINGS, seed=1).metrics["termination"]["f1"]["value"]
        is None
    )


def test_person_keeps_its_number_when_another_has_no_scored_message(tiny_checkpoint: Path) -> None:
    checkpoint = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    # An intent of 60 characters leaves 20 tokens: "hello" takes 13, the 30 characters of the other person 38.
    by_detail = {"high_level": build_samples("Ask for tea."), "full": build_samples("f" * 60)}
    numbered = (
        evaluate_arm(checkpoint, by_detail, settings=SETTINGS, seed=1)
        .turns.select("intent_detail", "conversation_id", "person")
        .unique()
    )
    assert numbered.sort("intent_detail", "conversation_id").rows() == [
        ("full", "t1", 1),
        ("high_level", "t1", 1),
        ("high_level", "t2", 0),
        ("none", "t1", 1),
        ("none", "t2", 0),
    ]
