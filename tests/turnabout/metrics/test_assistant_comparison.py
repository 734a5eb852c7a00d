"""Prompts, answers and figures of assistants, real and scripted."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.follow_ups import Phrases, compute_follow_up_rewards
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.metrics.assistant_answers import AnswerScorers, generate_answers, score_answers, select_prompts
from turnabout.metrics.assistant_comparison import summarize_assistant
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.stats.estimate import Bootstrap
from turnabout.training.reward_model import RewardHead

PHRASES = Phrases(["Thanks"], ["Wrong"], 1)


@pytest.fixture
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def samples(n: int) -> pl.DataFrame:
    """Build n conversations; the person writes messages 0, 2 and 4 of five."""
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


def test_select_prompts_ends_each_prompt_with_a_user_message(checkpoint: Checkpoint) -> None:
    selected = select_prompts(samples(12), checkpoint.chat, 500, seed=1)
    assert selected["conversation_id"].to_list() == sorted(f"c{i}" for i in range(12))
    lengths = selected["prompt"].list.len().to_list()
    assert set(lengths) == {1, 3, 5}  # chosen by hash: every position is chosen in some conversation
    assert {prompt[-1]["role"] for prompt in selected["prompt"].to_list()} == {"user"}
    assert select_prompts(samples(12).reverse(), checkpoint.chat, 500, seed=1).equals(selected)


def test_select_prompts_keeps_the_newest_messages(checkpoint: Checkpoint) -> None:
    # "message i" costs 1 + 4 + 1 + 9 + 1 + 1 = 17 byte tokens as user, 22 as assistant.
    selected = select_prompts(samples(12), checkpoint.chat, 40, seed=1)
    assert set(selected["prompt"].list.len()) == {1, 2}


def test_answers_are_scored_by_both_models_and_trained_heads(checkpoint: Checkpoint) -> None:
    selected = select_prompts(samples(2), checkpoint.chat, 500, seed=1)
    given = generate_answers(selected, "drift", ScriptedGenerator(lambda prompt: f"about {len(prompt)}"), 8)
    heads = {"drift": RewardHead(np.ones(32, np.float32), 500), "follow_up": RewardHead(np.zeros(32, np.float32), 500)}
    scored = score_answers(given, AnswerScorers(checkpoint, checkpoint, heads, PHRASES), 2)
    contexts = [
        [*prompt, {"role": "assistant", "content": answer}]
        for prompt, answer in given.select("prompt", "answer").rows()
    ]
    expected = compute_follow_up_rewards(LocalGenerator(checkpoint, "user", 2), contexts, PHRASES, ["Ask.", "Ask."])
    assert scored["answer"].to_list() == [f"about {len(prompt)}" for prompt in selected["prompt"].to_list()]
    assert scored["follow_up_likelihood_user"].to_list() == pytest.approx(expected)
    assert scored["follow_up_likelihood_backbone"].to_list() == pytest.approx(expected)
    assert "reward_drift" in scored.columns
    assert "reward_follow_up" not in scored.columns


def test_equal_answers_of_two_assistants_are_scored_once(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    selected = select_prompts(samples(3), checkpoint.chat, 500, seed=1)
    same = ScriptedGenerator(lambda prompt: "yes")
    given = pl.concat([generate_answers(selected, name, same, 8) for name in ("untrained", "drift")])
    judging: list[int] = []

    def judge(_: LocalGenerator, contexts: list[Any], *__: Any) -> list[float]:
        judging.append(len(contexts))
        return [float(i) for i in range(len(contexts))]

    monkeypatch.setattr("turnabout.metrics.assistant_answers.compute_follow_up_rewards", judge)
    scored = score_answers(given, AnswerScorers(checkpoint, checkpoint, {}, PHRASES), 2)
    assert judging == [3, 3]  # by the user model and by the backbone
    assert scored["assistant"].to_list() == given["assistant"].to_list()
    assert scored["follow_up_likelihood_user"].to_list() == [0, 1, 2, 0, 1, 2]


def answers(**by_assistant: list[tuple[str, str, float, float, float]]) -> pl.DataFrame:
    """Build scored answers of each assistant.

    A row is the conversation, which is also its user, the answer, the likelihoods by user model and backbone, and the
    reward.
    """
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
    ).with_columns(cut_off=pl.col("answer") == "hello")


ANSWERS = answers(
    untrained=[("c1", "hi", 0.1, 0.5, 1.0), ("c2", "hello", 0.3, 0.5, 2.0)],
    drift=[("c2", "howdy you", 0.7, 0.4, 2.5), ("c1", "", 0.1, 0.4, 1.5)],
)


def test_summary_has_means_over_the_assistants_answers() -> None:
    figures = summarize_assistant(ANSWERS, "untrained", ["drift"], Bootstrap(100, seed=1))
    assert figures["follow_up_likelihood"]["user"]["value"] == pytest.approx(0.2)
    assert figures["follow_up_likelihood"]["backbone"]["value"] == pytest.approx(0.5)
    assert figures["reply_characters"]["value"] == 3.5  # "hi" and "hello"
    assert figures["reward"]["drift"]["value"] == pytest.approx(1.5)
    assert (figures["n_answers"], figures["n_cut_off"]) == (2, 1)
    assert "versus_untrained" not in figures


def test_gains_over_untrained_are_paired_by_prompt() -> None:
    gains = summarize_assistant(ANSWERS, "drift", ["drift", "follow_up"], Bootstrap(500, seed=1))["versus_untrained"]
    assert list(gains) == ["follow_up_likelihood", "follow_up_likelihood_backbone", "reply_characters", "reward"]
    # Gains by prompt are 0.0 and 0.4: mean 0.2, with an interval between the two users.
    assert [gains["follow_up_likelihood"][k] for k in ("value", "low", "high", "n")] == pytest.approx([0.2, 0, 0.4, 2])
    assert gains["follow_up_likelihood_backbone"]["value"] == pytest.approx(-0.1)
    assert gains["reply_characters"]["value"] == 1.0  # −2 and +4
    # The gain is the same for both people: the interval has width 0.
    assert [gains["reward"]["drift"][k] for k in ("value", "low", "high")] == pytest.approx([0.5, 0.5, 0.5])
    assert gains["reward"]["follow_up"]["reason"] == "the arm had too few pairs to train its reward head"
