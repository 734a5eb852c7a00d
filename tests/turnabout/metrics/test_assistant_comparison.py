"""Prompts, answers and the comparison of assistants, by hand and with a scripted assistant."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.follow_ups import Phrases, follow_up_likelihood
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.metrics.assistant_answers import Scorers, answered, judged, prompts
from turnabout.metrics.assistant_comparison import figures
from turnabout.models.checkpoints import Checkpoint, load
from turnabout.training.reward_model import Head

PHRASES = Phrases(["Thanks"], ["Wrong"], 1)


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load(tiny_checkpoint, "float32")


def samples(n: int) -> pl.DataFrame:
    """n conversations of five messages in which the person speaks at 0, 2 and 4."""
    talk = [{"role": ("user", "assistant")[i % 2], "content": f"message {i}"} for i in range(5)]
    row: dict[str, Any] = {
        "split": "test",
        "intent": "Ask.",
        "messages": talk,
        "target_indexes": [0, 2, 4],
        "ends": False,
    }
    return pl.DataFrame(
        [{"conversation_id": f"c{i}", "user_key": f"u{i}", **row} for i in range(n)], schema=schemas.USER_SAMPLES
    )


def test_every_conversation_gives_one_prompt_that_ends_with_the_user(checkpoint: Checkpoint) -> None:
    asked = prompts(samples(12), checkpoint.chat, 500, seed=1)
    assert asked["conversation_id"].to_list() == sorted(f"c{i}" for i in range(12))
    lengths = asked["prompt"].list.len().to_list()
    assert set(lengths) == {1, 3, 5}  # chosen by hash: every place is taken by some conversation
    assert {prompt[-1]["role"] for prompt in asked["prompt"].to_list()} == {"user"}
    assert prompts(samples(12).reverse(), checkpoint.chat, 500, seed=1).equals(asked)


def test_prompts_keep_their_newest_messages(checkpoint: Checkpoint) -> None:
    # "message i" costs 1 + 4 + 1 + 9 + 1 + 1 = 17 byte tokens as user, 22 as assistant.
    asked = prompts(samples(12), checkpoint.chat, 40, seed=1)
    assert set(asked["prompt"].list.len()) == {1, 2}


def test_answers_are_judged_by_both_models_and_by_trained_heads_only(checkpoint: Checkpoint) -> None:
    asked = prompts(samples(2), checkpoint.chat, 500, seed=1)
    given = answered(asked, "drift", ScriptedGenerator(lambda prompt: f"about {len(prompt)}"), 8)
    heads = {"drift": Head(np.ones(32, np.float32), 500), "follow_up": Head(np.zeros(32, np.float32), 500)}
    scored = judged(given, Scorers(checkpoint, checkpoint, heads, PHRASES), 2)
    contexts = [
        [*prompt, {"role": "assistant", "content": answer}]
        for prompt, answer in given.select("prompt", "answer").rows()
    ]
    expected = follow_up_likelihood(LocalGenerator(checkpoint, "user", 2), contexts, PHRASES, ["Ask.", "Ask."])
    assert scored["answer"].to_list() == [f"about {len(prompt)}" for prompt in asked["prompt"].to_list()]
    assert scored["follow_up_likelihood_user"].to_list() == pytest.approx(expected)
    assert scored["follow_up_likelihood_backbone"].to_list() == pytest.approx(expected)
    assert "reward_drift" in scored.columns
    assert "reward_follow_up" not in scored.columns


def test_the_same_answer_of_two_assistants_is_judged_once(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = prompts(samples(3), checkpoint.chat, 500, seed=1)
    same = ScriptedGenerator(lambda prompt: "yes")
    given = pl.concat([answered(asked, name, same, 8) for name in ("untrained", "drift")])
    judging: list[int] = []

    def judge(_: LocalGenerator, contexts: list[Any], *__: Any) -> list[float]:
        judging.append(len(contexts))
        return [float(i) for i in range(len(contexts))]

    monkeypatch.setattr("turnabout.metrics.assistant_answers.follow_up_likelihood", judge)
    scored = judged(given, Scorers(checkpoint, checkpoint, {}, PHRASES), 2)
    assert judging == [3, 3]  # by the user model and by the backbone
    assert scored["assistant"].to_list() == given["assistant"].to_list()
    assert scored["follow_up_likelihood_user"].to_list() == [0, 1, 2, 0, 1, 2]


def answers(**by_assistant: list[tuple[str, str, float, float, float]]) -> pl.DataFrame:
    """Rows of conversation (its person), answer, likelihood by user model and backbone, reward; per assistant."""
    return pl.DataFrame(
        [
            {
                "conversation_id": conversation,
                "user_key": conversation,
                "assistant": name,
                "answer": answer,
                "follow_up_likelihood_user": user,
                "follow_up_likelihood_backbone": backbone,
                "reward_drift": reward,
            }
            for name, rows in by_assistant.items()
            for conversation, answer, user, backbone, reward in rows
        ]
    )


ANSWERS = answers(
    untrained=[("c1", "hi", 0.1, 0.5, 1.0), ("c2", "hello", 0.3, 0.5, 2.0)],
    drift=[("c2", "howdy you", 0.7, 0.4, 2.5), ("c1", "", 0.1, 0.4, 1.5)],
)


def test_an_assistant_is_described_by_means_over_its_answers() -> None:
    told = figures(ANSWERS, "untrained", ["drift"], 100, 1)
    assert told["follow_up_likelihood"]["user"]["value"] == pytest.approx(0.2)
    assert told["follow_up_likelihood"]["backbone"]["value"] == pytest.approx(0.5)
    assert told["reply_characters"]["value"] == 3.5  # "hi" and "hello"
    assert told["reward"]["drift"]["value"] == pytest.approx(1.5)
    assert "versus_untrained" not in told


def test_an_arm_is_compared_with_the_untrained_assistant_prompt_by_prompt() -> None:
    gains = figures(ANSWERS, "drift", ["drift", "follow_up"], 500, 1)["versus_untrained"]
    assert list(gains) == ["follow_up_likelihood", "follow_up_likelihood_backbone", "reply_characters", "reward"]
    # Prompt by prompt 0.0 and 0.4: mean 0.2, between one person alone and the other alone.
    assert [gains["follow_up_likelihood"][k] for k in ("value", "low", "high", "n")] == pytest.approx([0.2, 0, 0.4, 2])
    assert gains["follow_up_likelihood_backbone"]["value"] == pytest.approx(-0.1)
    assert gains["reply_characters"]["value"] == 1.0  # −2 and +4
    # The same gain for both people, however different they are: no spread at all.
    assert [gains["reward"]["drift"][k] for k in ("value", "low", "high")] == pytest.approx([0.5, 0.5, 0.5])
    assert gains["reward"]["follow_up"]["reason"] == "the arm had too few pairs to train its reward head"
