"""The miner `follow_up` against the likelihood of each reply alone, on a random model."""

import math
from pathlib import Path

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES
from turnabout.core.messages import Message
from turnabout.feedback.base import LanguageModel
from turnabout.feedback.miners.follow_up import MAX_CONFIDENCE, FollowUp, compute_confidence
from turnabout.follow_ups.likelihood import compute_follow_up_rewards
from turnabout.follow_ups.phrases import load_phrases
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import Checkpoint, load_checkpoint

TALK = [("Is it late?", "Yes."), ("Is it late?", "No idea, ask somebody else."), (None, "Welcome!"), ("Tea?", "Green.")]


def exchanges() -> pl.DataFrame:
    rows = [
        {"conversation_id": f"c{n}", "reply_index": 1, "previous_user": user_turn, "reply": reply}
        for n, (user_turn, reply) in enumerate(TALK)
    ]
    return pl.DataFrame(rows, schema=EXCHANGES)


@pytest.fixture(scope="module")
def checkpoint(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


def miner(checkpoint: Checkpoint, **settings: float) -> FollowUp:
    generator = ScriptedGenerator(lambda messages: "never asked")
    return FollowUp.model_validate(settings).with_model(LanguageModel(generator, checkpoint, batch_size=4, seed=1))


def reward(checkpoint: Checkpoint, user_turn: str, reply: str) -> float:
    context: list[Message] = [{"role": "user", "content": user_turn}, {"role": "assistant", "content": reply}]
    return compute_follow_up_rewards(LocalGenerator(checkpoint, "user", 1), [context], load_phrases(1))[0]


def test_reward_is_relative_to_an_empty_reply(checkpoint: Checkpoint) -> None:
    signals = miner(checkpoint, least=1e-9).mine(exchanges())
    assert signals.schema == schemas.FEEDBACK
    expected = {
        f"c{n}": reward(checkpoint, user_turn, reply) - reward(checkpoint, user_turn, "")
        for n, (user_turn, reply) in enumerate(TALK)
        if user_turn is not None
    }
    rewards = dict(signals.select("conversation_id", pl.col("score").arctanh()).iter_rows())
    assert rewards == pytest.approx(expected, abs=1e-4)
    assert signals["evidence_index"].to_list() == signals["reply_index"].to_list()
    assert {name: value > 0 for name, value in expected.items()} == dict(
        signals.select("conversation_id", pl.col("label") == "sat").iter_rows()
    )


def test_small_reward_is_no_signal(checkpoint: Checkpoint) -> None:
    assert miner(checkpoint, least=50.0).mine(exchanges()).is_empty()


def test_share_of_conversations_does_not_depend_on_the_table(checkpoint: Checkpoint) -> None:
    partial = miner(checkpoint, least=1e-9, share=0.6)
    chosen = set(partial.mine(exchanges())["conversation_id"])
    assert 0 < len(chosen) < 3
    alone = [partial.mine(exchanges().slice(n, 1)) for n in range(4)]
    assert {name for signals in alone for name in signals["conversation_id"]} == chosen


def test_long_texts_are_read_from_their_end(checkpoint: Checkpoint) -> None:
    log = pl.DataFrame(
        [{"conversation_id": "c", "reply_index": 1, "previous_user": "Is it late?", "reply": "Not that I know: yes."}],
        schema=EXCHANGES,
    )
    score = miner(checkpoint, least=1e-9, max_chars=4).mine(log)["score"].item()
    expected = reward(checkpoint, "ate?", "yes.") - reward(checkpoint, "ate?", "")
    assert math.atanh(score) == pytest.approx(expected, abs=1e-4)


def test_confidence_rises_from_half_to_its_maximum() -> None:
    assert compute_confidence(0.0) == 0.5
    assert compute_confidence(-0.5) == pytest.approx(0.5 + 0.2 * math.tanh(0.5))
    assert compute_confidence(9.0) <= MAX_CONFIDENCE == 0.7
