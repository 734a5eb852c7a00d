"""Experience: what was said, nearness by hand, and one signal per conversation."""

import numpy as np
import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES
from turnabout.feedback.miners import experience, experience_features
from turnabout.feedback.miners.experience import Experience
from turnabout.feedback.miners.experience_features import collect_conversations, measure_manner, measure_relations
from turnabout.feedback.miners.linear import LinearModel
from turnabout.feedback.miners.reaction_features import N_HASHED_FEATURES


@pytest.fixture
def chat(exchange):
    """`chat("c1", 5)` → five exchanges of one conversation, the user saying "turn 0" to "turn 5"."""

    def build(conversation: str, n: int) -> pl.DataFrame:
        return pl.concat(
            exchange(
                conversation_id=conversation,
                previous_user=f"turn {i}",
                reply=f"reply {i}",
                reply_index=2 * i + 1,
                evidence_index=2 * i + 2,
                follow_up=f"turn {i + 1}",
            )
            for i in range(n)
        )

    return build


@pytest.fixture
def odds(monkeypatch):
    """`odds(1.0)` makes every conversation that likely to be a bad experience, whatever was said."""

    def of(log_odds: float) -> None:
        monkeypatch.setattr(
            experience_features, "encode_sentences", lambda texts: np.zeros((len(texts), 384), dtype=np.float32)
        )
        size = N_HASHED_FEATURES + 7 + 16
        monkeypatch.setattr(experience, "_weights", lambda: LinearModel(np.zeros(size, dtype=np.float32), log_odds))

    return of


def test_a_conversation_is_the_turns_in_order_and_the_last_answer(chat):
    ids, said = collect_conversations(pl.concat([chat("b", 2), chat("a", 1)]))
    assert ids == ["a", "b"]
    assert said[1] == (["turn 0", "turn 1", "turn 2"], ["reply 0", "reply 1"])


def test_nearness_by_hand():
    # users x, y, y; replies x, y. answer: x·x = y·y = 1. uptake: y·x = 0, y·y = 1. replies: 0. users: 0, 0, 1
    x, y = [1.0, 0.0], [0.0, 1.0]
    near = measure_relations(np.array([x, y, y]), np.array([x, y]))
    assert near == pytest.approx([1, 1, 0.5, 0, 0, 0, 1 / 3, 1])


def test_manner_by_hand():
    # 1 and 3 words: mean 2, spread 1/2, trend log(4/2); one question, one end mark beside it, one capital
    expected = [np.log(3), 0.5, np.log(2), 0.5, 0.0, 0.5, 0.5]
    assert measure_manner(["hi", "How are you?"]) == pytest.approx(expected)
    assert measure_manner([]) == pytest.approx(np.zeros(7))


def test_a_bad_experience_is_one_dsat_signal_on_the_last_answered_reply(chat, odds):
    odds(np.log(9))  # probability 0.9
    found = Experience().mine(pl.concat([chat("c1", 5), chat("c2", 6)]))
    assert found.sort("conversation_id")["reply_index"].to_list() == [9, 11]
    row = found.sort("conversation_id").row(0, named=True)
    assert (row["label"], row["category"], row["span"]) == ("dsat", "experience", "turn 5")
    assert (row["confidence"], row["score"]) == (pytest.approx(0.9), pytest.approx(-0.8))


def test_a_good_experience_is_sat_and_a_middling_one_nothing(chat, odds):
    odds(-np.log(9))
    assert Experience().mine(chat("c1", 5))["label"].item() == "sat"
    odds(0.5)
    assert Experience().mine(chat("c1", 5)).is_empty()


def test_short_conversations_are_not_judged(chat, odds):
    odds(5.0)
    assert Experience().mine(chat("c1", 4)).is_empty()
    assert Experience().mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK
