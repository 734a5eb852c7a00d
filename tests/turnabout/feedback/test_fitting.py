"""Fitting the miner `learned` on labels: which exchanges become examples, and what is learnt."""

import numpy as np
import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.errors import DataError
from turnabout.feedback.fitting import (
    EXAMPLES,
    build_examples,
    fit_reaction_models,
    load_written_examples,
    measure_held_out,
)
from turnabout.feedback.miners import reaction_features


def labels(*rows):
    """Labels on reply 1: (conversation, label, category, annotator)."""
    return pl.DataFrame([(c, 1, *rest) for c, *rest in rows], schema=schemas.LABELS, orient="row")


@pytest.fixture
def toy():
    """Forty people, every other one of whom calls the reply rubbish."""
    rows = [
        {
            "previous_user": f"question {i}",
            "reply": f"answer {i}",
            "follow_up": f"rubbish number {i}" if i % 2 else f"fine number {i}",
            "category": "complaint" if i % 2 else None,
            "group": f"user {i}",
        }
        for i in range(40)
    ]
    return pl.DataFrame(rows, schema=EXAMPLES)


@pytest.fixture(autouse=True)
def no_vectors(monkeypatch):
    monkeypatch.setattr(reaction_features, "encode_sentences", lambda texts: np.zeros((len(texts), 384)))


def test_label_becomes_an_example_of_its_person(exchange):
    examples = build_examples(exchange(follow_up="no!"), labels(("c1", "dsat", "correction", "ann")))
    assert examples.row(0) == ("Where can I swim?", "There is a lake in the north.", "no!", "correction", "ann")


@pytest.mark.parametrize(
    ("judgements", "category"),
    [
        ([("dsat", None, "ann")], "complaint"),
        ([("dsat", "revision", "ann")], None),
        ([("sat", "positive", "ann")], None),
        ([("none", None, "ann")], None),
        ([("dsat", "rephrase", "ann"), ("none", None, "bob")], "rephrase"),
        ([("dsat", "rephrase", "ann"), ("none", None, "bob"), ("none", None, "cid")], None),
    ],
)
def test_category_is_the_majority_of_the_annotators(exchange, judgements, category):
    examples = build_examples(exchange(follow_up="no!"), labels(*(("c1", *row) for row in judgements)))
    assert examples["category"].to_list() == [category]


def test_labels_of_unknown_exchanges_are_left_out(exchange):
    assert build_examples(exchange(follow_up="no!"), labels(("c2", "dsat", None, "ann"))).is_empty()


@pytest.mark.slow
def test_reactions_are_learnt_from_other_people(toy):
    fitted = fit_reaction_models(toy)
    assert measure_held_out(toy, fitted.held_out)["auc"] == 1.0
    assert set(fitted.models) >= {"reaction", "gate", "category.complaint", "category.clarification"}
    assert measure_held_out(toy, fitted.held_out)["brier"] < 0.25


def test_too_few_labels_raise_with_the_number_needed(toy):
    with pytest.raises(DataError, match=r"9 of 29 labelled exchanges .* at least 10"):
        fit_reaction_models(toy.filter(pl.col("category").is_null() | (pl.int_range(pl.len()) < 18)))


def test_written_examples_cover_every_category_and_are_never_held_out():
    examples = load_written_examples()
    assert examples["group"].null_count() == examples.height
    assert set(examples["category"].drop_nulls()) == {"clarification", "complaint", "correction", "rephrase"}
    assert examples.filter(category="rephrase")["previous_user"].null_count() == 0
