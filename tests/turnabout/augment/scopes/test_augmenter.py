"""Scopes: where rules apply, what is near, and what is kept."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.turnabout.augment.conftest import build_context
from turnabout.augment.base import AugmentInputs
from turnabout.augment.scopes import augmenter
from turnabout.augment.scopes.augmenter import APPLIES, Scopes
from turnabout.augment.scopes.sets import ScopeLimits, assign_scopes
from turnabout.augment.settings import Augment
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import CRITICISED_REPLIES
from turnabout.generation.scripted import ScriptedGenerator

LIST, HOURS = "When the user asks for a list, number it.", "When the user asks for hours, name the days."
ASKED = {"a": "list of breads", "b": "list of cakes", "c": "cakes please", "d": "weather today", "t": "list of all"}

#: Cosines to the prompts with "list" in them (along the first axis): 0.6 of "cakes please", 0 of "weather today".
VECTORS = {
    "list of breads": [1.0, 0.0],
    "list of cakes": [1.0, 0.0],
    "cakes please": [0.6, 0.8],
    "weather today": [0, 1],
}


@pytest.fixture
def inputs(messages: Callable[..., pl.DataFrame], monkeypatch: pytest.MonkeyPatch) -> AugmentInputs:
    """Four training prompts and one held out, and one kept principle of two."""
    monkeypatch.setattr(augmenter, "encode_sentences", lambda texts: np.array([VECTORS[text] for text in texts]))
    all_messages = pl.concat(messages(name, text, "Here you are.", user=name) for name, text in ASKED.items())
    split = ["validation" if name == "t" else "train" for name in ASKED]
    splits = pl.DataFrame({"conversation_id": [*ASKED], "user_key": [*ASKED], "split": split}, schema=schemas.SPLITS)
    rows = [
        {"principle": LIST, "source": "pairs", "n_for": 3, "kept": True},
        {"principle": HOURS, "source": "critiques", "n_for": 0, "kept": False, "reason": "not for more than against"},
        {"principle": "said before", "source": "critiques", "kept": False, "reason": "said before"},
    ]
    principles = pl.DataFrame([{**dict.fromkeys(schemas.PRINCIPLES), **row} for row in rows], schema=schemas.PRINCIPLES)
    empty = pl.DataFrame()
    return AugmentInputs(
        messages=all_messages,
        splits=splits,
        feedback=empty,
        criticised=pl.DataFrame(schema=CRITICISED_REPLIES),
        tables={"principles": principles},
    )


def script(prompt: Sequence[Message]) -> str:
    """Answer that the rule about lists applies to requests for a list."""
    _, _, asked = prompt[0]["content"].partition("<conversation>")
    applies = "list of" in asked.partition("</conversation>")[0] and LIST in asked
    return f'So.", "answer": "{"Yes" if applies == (APPLIES in asked) else "No"}"}}'


def annotate(inputs: AugmentInputs, generator: ScriptedGenerator, **settings: Any) -> pl.DataFrame:
    table = Scopes(**settings).annotate(inputs, build_context(generator, max_new_tokens=32))
    return schemas.check(table, schemas.SCOPES, "scopes")


def test_prompts_are_in_near_or_out_of_scope(inputs: AugmentInputs) -> None:
    generator = ScriptedGenerator(script)
    table = annotate(inputs, generator)
    assert table.select("rule", "conversation_id", "scope", "applies", "similarity", "kept").rows() == [
        (LIST, "a", "in", 1.0, None, True),
        (LIST, "b", "in", 1.0, None, True),
        (LIST, "c", "near", 0.0, 0.6, True),
        (LIST, "d", "out", 0.0, 0.0, True),
    ]
    assert len(generator.prompts) == 2 * 4
    assert not any(ASKED["t"] in prompt[0]["content"] for prompt in generator.prompts)


def test_rules_from_complaints_need_a_vote_but_no_majority(inputs: AugmentInputs) -> None:
    table = annotate(inputs, ScriptedGenerator(script), rules="complaints")
    assert table.select("rule", "scope", "similarity", "reason").unique().rows() == [
        (HOURS, "out", None, "applies nowhere")
    ]


def test_prompts_are_undecided_when_the_model_always_says_yes(inputs: AugmentInputs) -> None:
    # P(yes) is 0.8 of either question: (0.8 + 1 − 0.8) / 2 = 0.5
    yes = ScriptedGenerator(lambda _: "", lambda _, turn: math.log(0.8 if turn == "Yes" else 0.2))
    table = annotate(inputs, yes, by="scores")
    assert table["applies"].to_list() == pytest.approx([0.5] * 4)
    assert set(table.select("scope", "kept", "reason").rows()) == {(None, False, "undecided")}


def test_prompt_has_no_scope_when_an_answer_is_unusable(inputs: AugmentInputs) -> None:
    table = annotate(inputs, ScriptedGenerator(lambda _: "Well"), retries=0)
    assert set(table.select("scope", "applies", "kept", "reason").rows()) == {(None, None, False, "no usable answer")}


def test_scopes_are_empty_without_rules(inputs: AugmentInputs) -> None:
    none = {"principles": inputs.tables["principles"].clear()}
    assert annotate(inputs._replace(tables=none), ScriptedGenerator(script)).is_empty()


def test_most_certain_nearest_and_first_prompts_are_kept() -> None:
    # places on the unit circle: prompts 0 and 1 are in scope at angle 0, the cosine of the others is the first number
    vectors = np.array([[1, 0], [1, 0], [0.5, 0.866], [0.8, 0.6], [0, 1], [0.1, 0.995]], np.float32)
    scopes = assign_scopes([0.7, 0.9, 0.1, 0.0, 0.2, 0.1], vectors, ScopeLimits(max_per_scope=1, near_from=0.4))
    assert scopes["scope"].to_list() == ["in", "in", "near", "near", "out", "out"]
    assert scopes["kept"].to_list() == [False, True, False, True, True, False]
    assert set(scopes.filter(~pl.col("kept"))["reason"]) == {"more than needed"}
    assert scopes["similarity"].to_list()[2:] == pytest.approx([0.5, 0.8, 0.0, 0.1])


def test_rule_that_applies_everywhere_has_no_scopes() -> None:
    scopes = assign_scopes([0.9, 0.8, None], np.eye(3, dtype=np.float32), ScopeLimits(5, 0.4))
    assert scopes["reason"].to_list() == ["applies everywhere", "applies everywhere", "no usable answer"]
    assert not scopes["kept"].any()


def test_max_fixed_calls_counts_two_questions_per_prompt() -> None:
    assert Scopes(max_rules=3, max_prompts=7).max_fixed_calls() == 2 * 3 * 7 * 2
    assert Scopes(max_rules=3, max_prompts=7, by="scores").max_fixed_calls() == 2 * 3 * 7


def test_scopes_require_principles_before_them() -> None:
    settings = {"weak": [], "max_replies": 1, "max_prompt_tokens": 1, "max_new_tokens": 1, "batch_size": 1}
    entry = {"generator": {"backend": "local"}, "user": "models/backbone", **settings}
    with pytest.raises(ValueError, match="'scopes' needs"):
        Augment.model_validate({**entry, "augmenters": [{"writes": "scopes"}]})
    both = [{"writes": "principles"}, {"writes": "scopes"}]
    assert len(Augment.model_validate({**entry, "augmenters": both}).augmenters) == 2
