"""Miner `experience`: features worked out by hand, and one signal per conversation."""

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
def set_log_odds(monkeypatch):
    """`set_log_odds(1.0)` gives every conversation these log-odds of a bad experience, whatever its texts."""

    def replace_model(log_odds: float) -> None:
        monkeypatch.setattr(
            experience_features, "encode_sentences", lambda texts: np.zeros((len(texts), 384), dtype=np.float32)
        )
        size = N_HASHED_FEATURES + 7 + 16
        model = LinearModel(np.zeros(size, dtype=np.float32), log_odds)
        monkeypatch.setattr(experience, "_load_weights", lambda: model)

    return replace_model


def test_conversation_has_the_turns_in_order_and_the_last_answer(chat):
    ids, conversations = collect_conversations(pl.concat([chat("b", 2), chat("a", 1)]))
    assert ids == ["a", "b"]
    assert conversations[1] == (["turn 0", "turn 1", "turn 2"], ["reply 0", "reply 1"])


def test_relations_match_values_by_hand():
    # users x, y, y; replies x, y. answer: x·x = y·y = 1. uptake: y·x = 0, y·y = 1. replies: 0. users: 0, 0, 1
    x, y = [1.0, 0.0], [0.0, 1.0]
    similarities = measure_relations(np.array([x, y, y]), np.array([x, y]))
    assert similarities == pytest.approx([1, 1, 0.5, 0, 0, 0, 1 / 3, 1])


def test_manner_matches_values_by_hand():
    # 1 and 3 words: mean 2, spread 1/2, trend log(4/2); one question, one end mark beside it, one capital
    expected = [np.log(3), 0.5, np.log(2), 0.5, 0.0, 0.5, 0.5]
    assert measure_manner(["hi", "How are you?"]) == pytest.approx(expected)
    assert measure_manner([]) == pytest.approx(np.zeros(7))


def test_bad_experience_is_one_dsat_signal_on_the_last_answered_reply(chat, set_log_odds):
    set_log_odds(np.log(9))  # probability 0.9
    signals = Experience().mine(pl.concat([chat("c1", 5), chat("c2", 6)]))
    assert signals.sort("conversation_id")["reply_index"].to_list() == [9, 11]
    row = signals.sort("conversation_id").row(0, named=True)
    assert (row["label"], row["category"], row["span"]) == ("dsat", "experience", "turn 5")
    assert (row["confidence"], row["score"]) == (pytest.approx(0.9), pytest.approx(-0.8))


def test_good_experience_is_sat_and_average_one_is_no_signal(chat, set_log_odds):
    set_log_odds(-np.log(9))
    assert Experience().mine(chat("c1", 5))["label"].item() == "sat"
    set_log_odds(0.5)
    assert Experience().mine(chat("c1", 5)).is_empty()


def test_short_conversation_is_not_judged(chat, set_log_odds):
    set_log_odds(5.0)
    assert Experience().mine(chat("c1", 4)).is_empty()
    assert Experience().mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK
