"""Miner `learned` with weights by hand and fake sentence vectors, so that every probability is known."""

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
def encoded_texts(monkeypatch):
    """The texts that got a sentence vector; each vector is the same, so that every cosine is 1."""
    texts_seen: list[str] = []

    def fake(texts):
        texts_seen.extend(texts)
        return np.full((len(texts), 384), 384**-0.5)

    monkeypatch.setattr(reaction_features, "encode_sentences", fake)
    return texts_seen


@pytest.fixture
def weights(tmp_path):
    """`weights(bad=2.0)` → a file: the log-odds are -2 plus what is given per word, before the hashing's scale."""

    def build(gate_from=-100.0, clarification=-1.0, **per_word):
        reaction = np.zeros(N_ALL, dtype=np.float32)
        for word, weight in per_word.items():
            reaction[vectorize_words([word]).indices] = weight
        nothing = np.zeros(N_ALL, dtype=np.float32)
        models = {
            "reaction": LinearModel(reaction, -2.0),
            "gate": LinearModel(reaction[:N_SURFACE], 0.0),
            "category.complaint": LinearModel(nothing, 0.0),
            "category.clarification": LinearModel(nothing, clarification),
        }
        path = tmp_path / f"{gate_from}{clarification}{per_word}.safetensors"
        save_models(models, {"gate": repr(gate_from)}, path)
        return str(path)

    return build


def test_confidence_is_the_probability_and_span_the_best_sentence(exchange, encoded_texts, weights):
    # five words and four pairs of words: each 1/3; log-odds 2 · 1/3 · 6 - 2 = 2, probability 0.8808
    follow_up = "Hello there. Lousy answer, really!"
    signals = Learned(weights=weights(lousy=6.0)).mine(exchange(follow_up=follow_up))
    row = signals.row(0, named=True)
    assert (row["label"], row["category"], row["span"]) == ("dsat", "complaint", "Lousy answer, really!")
    assert row["span"] in follow_up
    assert row["confidence"] == pytest.approx(0.8808, abs=1e-3)
    assert row["score"] == pytest.approx(-row["confidence"])


def test_clarification_is_weak(exchange, encoded_texts, weights):
    signals = Learned(weights=weights(clarification=1.0, lousy=6.0)).mine(exchange(follow_up="lousy"))
    assert signals["category"].item() == "clarification"
    assert signals["score"].item() == pytest.approx(-0.3 * signals["confidence"].item())


def test_probability_below_the_threshold_is_no_signal(exchange, encoded_texts, weights):
    assert Learned(weights=weights(lousy=0.5)).mine(exchange(follow_up="lousy")).is_empty()
    assert Learned(weights=weights(lousy=0.5), threshold=0.2).mine(exchange(follow_up="lousy")).height == 1


def test_follow_up_that_fails_the_gate_is_not_encoded(exchange, encoded_texts, weights):
    miner = Learned(weights=weights(gate_from=1.0, lousy=6.0))
    assert miner.mine(exchange(follow_up="Monday is fine")).is_empty()
    assert encoded_texts == []
    assert miner.mine(exchange(follow_up="lousy")).height == 1
    assert encoded_texts == ["There is a lake in the north.", "lousy", "Where can I swim?"]


def test_exchange_without_follow_up_is_no_signal(exchange, encoded_texts, weights):
    assert Learned(weights=weights()).mine(exchange(follow_up=None)).is_empty()
    assert Learned(weights=weights()).mine(EXCHANGES.to_frame()).schema == schemas.FEEDBACK


def test_span_of_a_follow_up_without_words_is_all_of_it(exchange, encoded_texts, weights):
    assert Learned(weights=weights(), threshold=0.01).mine(exchange(follow_up="🙄"))["span"].item() == "🙄"


def test_missing_weights_file_is_named(exchange):
    with pytest.raises(ModelError, match=r"models/none\.safetensors"):
        Learned(weights="models/none.safetensors").mine(exchange(follow_up="lousy"))


def test_shipped_weights_fit_the_features(exchange, encoded_texts):
    assert Learned().mine(exchange(follow_up="Monday is fine")).schema == schemas.FEEDBACK
