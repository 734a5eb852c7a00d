"""Pair rules on scripted policies and a scripted scorer: who is chosen, who is rejected, and why a pair is dropped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from turnabout import schemas
from turnabout.backbones import load
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.preferences import Material
from turnabout.preferences.base import as_pairs, fault
from turnabout.preferences.drift import Drift
from turnabout.preferences.follow_up import FollowUp

Build = Callable[..., pl.DataFrame]


@pytest.fixture
def material(messages: Build, signal: Callable[..., dict[str, Any]], tiny_checkpoint: Path) -> Callable[..., Material]:
    said = pl.concat([messages(c, "open when?", "nice shop", "I asked when", "at nine") for c in ("a", "b", "c")])
    splits = pl.DataFrame(
        [
            {"conversation_id": c, "user_key": c, "split": s}
            for c, s in {"a": "train", "b": "validation", "c": "test"}.items()
        ],
        schema=schemas.SPLITS,
    )
    feedback = pl.DataFrame([signal(c, 1) for c in "abc"], schema=schemas.FEEDBACK)

    def build(policy: ScriptedGenerator, reads: Any, feedback: pl.DataFrame = feedback) -> Material:
        return Material(said, splits, feedback, reads, policy, load(tiny_checkpoint, "float32").chat, 500, 20, 4, 1)

    return build


def critiques(**columns: Any) -> pl.DataFrame:
    row = {"conversation_id": "a", "reply_index": 1, "flaw": "It names no hour.", "author": "m", "prompt_version": "1"}
    return pl.DataFrame([{**row, "kept": True, "reason": None, **columns}], schema=schemas.CRITIQUES)


def test_drift_prefers_a_fresh_reply_to_the_criticised_one(material: Callable[..., Material]) -> None:
    policy = ScriptedGenerator(lambda _: "it opens at nine")
    built = Drift().pairs(material(policy, critiques()))
    assert built.schema == schemas.PAIRS
    assert built.select("pair_id", "split", "chosen", "rejected", "weight", "evidence", "keep").rows() == [
        ("drift:a:1", "train", "it opens at nine", "nice shop", 0.8, "I asked when", True),
        ("drift:b:1", "validation", "it opens at nine", "nice shop", 0.8, "I asked when", True),
    ]
    assert [m["content"] for m in built["prompt"][0]] == ["open when?"]  # nothing after the criticised reply


def test_drift_shows_the_policy_the_reply_the_reaction_and_a_kept_critique(material: Callable[..., Material]) -> None:
    policy = ScriptedGenerator(lambda _: "x y")
    Drift().pairs(material(policy, critiques()))
    told = policy.asked[0][0]["content"]
    assert all(part in told for part in ("nice shop", "I asked when", "It names no hour."))
    policy = ScriptedGenerator(lambda _: "x y")
    Drift().pairs(material(policy, critiques(kept=False, reason="too short")))
    assert "It names no hour." not in policy.asked[0][0]["content"]


def test_a_log_without_feedback_gives_no_pairs_and_asks_nothing(material: Callable[..., Material]) -> None:
    policy = ScriptedGenerator(lambda _: pytest.fail("asked"))
    built = Drift().pairs(material(policy, critiques(), schemas.FEEDBACK.to_frame()))
    assert (built.height, built.schema) == (0, schemas.PAIRS)


def test_follow_up_takes_the_best_and_the_worst_of_k(
    material: Callable[..., Material], monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = iter(["short", "the best reply", "meh", "awful"] * 2)
    likelihoods = {"short": 0.1, "the best reply": 0.5, "meh": 0.2, "awful": -0.4}
    monkeypatch.setattr(
        "turnabout.preferences.follow_up.follow_up_likelihood",
        lambda _, contexts, *__: [likelihoods[c[-1]["content"]] for c in contexts],
    )
    rule = FollowUp(prompts=1, k=4)
    built = rule.pairs(material(ScriptedGenerator(lambda _: next(replies)), None))
    assert built["split"].to_list() == ["train", "validation"]
    assert built.select("chosen", "rejected").unique().rows() == [("the best reply", "awful")]
    assert built["margin"].to_list() == pytest.approx([0.9, 0.9])  # 0.5 − (−0.4)


def test_follow_up_drops_what_teaches_nothing(
    material: Callable[..., Material], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "turnabout.preferences.follow_up.follow_up_likelihood", lambda _, contexts, *__: [0.0] * len(contexts)
    )
    same = FollowUp(prompts=1, k=2).pairs(material(ScriptedGenerator(lambda _: "same"), None))
    assert same["reason"].to_list() == ["near-identical"] * 2
    assert not same["keep"].any()


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [("", "x", "empty"), ("Hello there", "hello there", "near-identical"), ("yes", "no", None)],
)
def test_why_a_pair_cannot_teach(chosen: str, rejected: str, reason: str | None) -> None:
    assert fault(chosen, rejected) == reason


def test_pairs_are_sorted_and_named_by_content() -> None:
    rows = [
        {
            "conversation_id": c,
            "reply_index": 3,
            "user_key": "u",
            "split": "train",
            "prompt": [],
            "chosen": "a",
            "rejected": "b",
        }
        for c in ("z", "m")
    ]
    assert as_pairs("r", rows)["pair_id"].to_list() == ["r:m:3", "r:z:3"]
