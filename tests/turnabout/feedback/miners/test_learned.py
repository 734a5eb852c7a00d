"""Learned: weights written by hand, sentence vectors faked, so that every probability is known."""

import numpy as np
import pytest

from turnabout.core import schemas
from turnabout.core.conversations import EXCHANGES
from turnabout.errors import ModelError
from turnabout.feedback.miners import reaction_features
from turnabout.feedback.miners.learned import Learned
from turnabout.feedback.miners.linear import LinearModel, save_models
from turnabout.feedback.miners.reaction_features import N_HASHED_FEATURES, vectorize_words

N_SURFACE = N_HASHED_FEATURES + 3
N_ALL = N_SURFACE + 384 + 3


@pytest.fixture
def encoded(monkeypatch):
    """The texts that got a sentence vector; each vector is the same, so that every cosine is 1."""
    seen = []

    def fake(texts):
        seen.extend(texts)
        return np.full((len(texts), 384), 384**-0.5)

    monkeypatch.setattr(reaction_features, "encode_sentences", fake)
    return seen


@pytest.fixture
def weights(tmp_path):
    """`weights(bad=2.0)` → a file: the log-odds are -2 plus what is given per word, before the hashing's scale."""

    def build(gate_from=-100.0, clarification=-1.0, **per_word):
        speaks = np.zeros(N_ALL, dtype=np.float32)
        for word, weight in per_word.items():
            speaks[vectorize_words([word]).indices] = weight
        nothing = np.zeros(N_ALL, dtype=np.float32)
        models = {
            "reaction": LinearModel(speaks, -2.0),
            "gate": LinearModel(speaks[:N_SURFACE], 0.0),
            "category.complaint": LinearModel(nothing, 0.0),
            "category.clarification": LinearModel(nothing, clarification),
        }
        path = tmp_path / f"{gate_from}{clarification}{per_word}.safetensors"
        save_models(models, {"gate": repr(gate_from)}, path)
        return str(path)

    return build


def test_the_confidence_is_the_probability_and_the_span_the_telling_sentence(exchange, encoded, weights):
    # five words and four pairs of words: each 1/3; log-odds 2 · 1/3 · 6 - 2 = 2, probability 0.8808
    follow_up = "Hello there. Lousy answer, really!"
    found = Learned(weights=weights(lousy=6.0)).mine(exchange(follow_up=follow_up))
    row = found.row(0, named=True)
    assert (row["label"], row["category"], row["span"]) == ("dsat", "complaint", "Lousy answer, really!")
    assert row["span"] in follow_up
    assert row["confidence"] == pytest.approx(0.8808, abs=1e-3)
    assert row["score"] == pytest.approx(-row["confidence"])


def test_a_question_back_is_weak(exchange, encoded, weights):
    found = Learned(weights=weights(clarification=1.0, lousy=6.0)).mine(exchange(follow_up="lousy"))
    assert found["category"].item() == "clarification"
    assert found["score"].item() == pytest.approx(-0.3 * found["confidence"].item())


def test_below_the_threshold_there_is_no_signal(exchange, encoded, weights):
    assert Learned(weights=weights(lousy=0.5)).mine(exchange(follow_up="lousy")).is_empty()
    assert Learned(weights=weights(lousy=0.5), threshold=0.2).mine(exchange(follow_up="lousy")).height == 1


def test_what_the_gate_finds_hopeless_costs_no_sentence_vector(exchange, encoded, weights):
    miner = Learned(weights=weights(gate_from=1.0, lousy=6.0))
    assert miner.mine(exchange(follow_up="Monday is fine")).is_empty()
    assert encoded == []
    assert miner.mine(exchange(follow_up="lousy")).height == 1
    assert encoded == ["There is a lake in the north.", "lousy", "Where can I swim?"]


def test_no_follow_up_gives_no_signal(exchange, encoded, weights):
    assert Learned(weights=weights()).mine(exchange(follow_up=None)).is_empty()
    assert Learned(weights=weights()).mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK


def test_a_follow_up_without_words_is_its_own_span(exchange, encoded, weights):
    assert Learned(weights=weights(), threshold=0.01).mine(exchange(follow_up="🙄"))["span"].item() == "🙄"


def test_weights_that_are_not_there_are_named(exchange):
    with pytest.raises(ModelError, match=r"models/none\.safetensors"):
        Learned(weights="models/none.safetensors").mine(exchange(follow_up="lousy"))


def test_the_shipped_weights_fit_the_features(exchange, encoded):
    assert Learned().mine(exchange(follow_up="Monday is fine")).schema == schemas.FEEDBACK
