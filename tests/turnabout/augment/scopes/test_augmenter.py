"""Scopes: where rules apply by the author's word, what is near that, and how much of each is kept."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from turnabout.augment.base import Logs, Writing
from turnabout.augment.scopes import augmenter
from turnabout.augment.scopes.augmenter import APPLIES, Scopes
from turnabout.augment.scopes.sets import Sets, scoped
from turnabout.augment.settings import Augment
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import CRITICISED
from turnabout.generation.scripted import ScriptedGenerator

LIST, HOURS = "When the user asks for a list, number it.", "When the user asks for hours, name the days."
ASKED = {"a": "list of breads", "b": "list of cakes", "c": "cakes please", "d": "weather today", "t": "list of all"}

#: Cosines to the prompts with "list" in them (along the first axis): 0.6 of "cakes please", 0 of "weather today".
PLACES = {
    "list of breads": [1.0, 0.0],
    "list of cakes": [1.0, 0.0],
    "cakes please": [0.6, 0.8],
    "weather today": [0, 1],
}


@pytest.fixture
def logs(messages: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch) -> Logs:
    """Four training prompts and one held out, with two principles, one of which was kept."""
    monkeypatch.setattr(augmenter, "sentence_vectors", lambda texts: np.array([PLACES[text] for text in texts]))
    said = pl.concat(messages(name, text, "Here you are.", user=name) for name, text in ASKED.items())
    split = ["validation" if name == "t" else "train" for name in ASKED]
    splits = pl.DataFrame({"conversation_id": [*ASKED], "user_key": [*ASKED], "split": split}, schema=schemas.SPLITS)
    rows = [
        {"principle": LIST, "source": "pairs", "n_for": 3, "kept": True},
        {"principle": HOURS, "source": "critiques", "n_for": 0, "kept": False, "reason": "not for more than against"},
        {"principle": "said before", "source": "critiques", "kept": False, "reason": "said before"},
    ]
    principles = pl.DataFrame([{**dict.fromkeys(schemas.PRINCIPLES), **row} for row in rows], schema=schemas.PRINCIPLES)
    nothing = pl.DataFrame()
    return Logs(said, splits, nothing, pl.DataFrame(schema=CRITICISED), {"principles": principles})


def script(prompt: Sequence[Message]) -> str:
    """The rule about lists applies where the conversation asks for one."""
    _, _, asked = prompt[0]["content"].partition("<conversation>")
    applies = "list of" in asked.partition("</conversation>")[0] and LIST in asked
    return f'So.", "answer": "{"Yes" if applies == (APPLIES in asked) else "No"}"}}'


def annotated(logs: Logs, author: ScriptedGenerator, **settings: Any) -> pl.DataFrame:
    table = Scopes(**settings).annotate(logs, Writing(author, 400, 32, batch_size=4, seed=0))
    return schemas.check(table, schemas.SCOPES, "scopes")


def test_prompts_are_in_scope_near_it_or_out_of_it(logs: Logs) -> None:
    author = ScriptedGenerator(script)
    table = annotated(logs, author)
    assert table.select("rule", "conversation_id", "scope", "applies", "similarity", "kept").rows() == [
        (LIST, "a", "in", 1.0, None, True),
        (LIST, "b", "in", 1.0, None, True),
        (LIST, "c", "near", 0.0, 0.6, True),
        (LIST, "d", "out", 0.0, 0.0, True),
    ]
    assert len(author.asked) == 2 * 4
    assert not any(ASKED["t"] in prompt[0]["content"] for prompt in author.asked)


def test_rules_of_complaints_need_no_majority_but_a_vote(logs: Logs) -> None:
    table = annotated(logs, ScriptedGenerator(script), rules="complaints")
    assert table.select("rule", "scope", "similarity", "reason").unique().rows() == [
        (HOURS, "out", None, "applies nowhere")
    ]


def test_a_model_that_says_yes_to_everything_has_said_nothing(logs: Logs) -> None:
    # P(yes) is 0.8 of either question: (0.8 + 1 − 0.8) / 2 = 0.5
    yes = ScriptedGenerator(lambda _: "", lambda _, turn: math.log(0.8 if turn == "Yes" else 0.2))
    table = annotated(logs, yes, by="scores")
    assert table["applies"].to_list() == pytest.approx([0.5] * 4)
    assert set(table.select("scope", "kept", "reason").rows()) == {(None, False, "undecided")}


def test_an_answer_that_cannot_be_used_leaves_no_scope(logs: Logs) -> None:
    table = annotated(logs, ScriptedGenerator(lambda _: "Well"), retries=0)
    assert set(table.select("scope", "applies", "kept", "reason").rows()) == {(None, None, False, "no usable answer")}


def test_no_rule_gives_an_empty_table(logs: Logs) -> None:
    none = {"principles": logs.tables["principles"].clear()}
    assert annotated(logs._replace(tables=none), ScriptedGenerator(script)).is_empty()


def test_the_surest_the_nearest_and_the_first_are_kept() -> None:
    # places on the unit circle: prompts 0 and 1 are in scope at angle 0, the cosine of the others is the first number
    vectors = np.array([[1, 0], [1, 0], [0.5, 0.866], [0.8, 0.6], [0, 1], [0.1, 0.995]], np.float32)
    found = scoped([0.7, 0.9, 0.1, 0.0, 0.2, 0.1], vectors, Sets(most=1, near_from=0.4))
    assert found["scope"].to_list() == ["in", "in", "near", "near", "out", "out"]
    assert found["kept"].to_list() == [False, True, False, True, True, False]
    assert set(found.filter(~pl.col("kept"))["reason"]) == {"more than needed"}
    assert found["similarity"].to_list()[2:] == pytest.approx([0.5, 0.8, 0.0, 0.1])


def test_a_rule_that_applies_everywhere_has_no_scopes() -> None:
    found = scoped([0.9, 0.8, None], np.eye(3, dtype=np.float32), Sets(5, 0.4))
    assert found["reason"].to_list() == ["applies everywhere", "applies everywhere", "no usable answer"]
    assert not found["kept"].any()


def test_the_plan_counts_every_call_that_may_be_made() -> None:
    assert Scopes(max_rules=3, max_prompts=7).calls_besides() == 2 * 3 * 7 * 2
    assert Scopes(max_rules=3, max_prompts=7, by="scores").calls_besides() == 2 * 3 * 7


def test_scopes_need_principles_before_them() -> None:
    knobs = {"weak": [], "max_replies": 1, "max_prompt_tokens": 1, "max_new_tokens": 1, "batch_size": 1}
    entry = {"author": {"generator": "local"}, "user": "models/backbone", **knobs}
    with pytest.raises(ValueError, match="'scopes' needs"):
        Augment.model_validate({**entry, "augmenters": [{"writes": "scopes"}]})
    both = [{"writes": "principles"}, {"writes": "scopes"}]
    assert len(Augment.model_validate({**entry, "augmenters": both}).augmenters) == 2
