"""Ratings: the texts, their order in a question, and how answers are read."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest

from tests.turnabout.augment.conftest import build_context
from turnabout.augment.base import AugmentInputs
from turnabout.augment.candidates import collect_candidates
from turnabout.augment.ratings.aspects import ASPECTS
from turnabout.augment.ratings.augmenter import Ratings
from turnabout.augment.ratings.questions import PLACEHOLDER, compute_expected_rating
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import CRITICISED_REPLIES
from turnabout.generation.scripted import ScriptedGenerator

PROMPT: list[Message] = [{"role": "user", "content": "When do you open?"}]
BREAD, NINE, LATE = "We sell bread.", "At nine.", "At nine, and until five."


@pytest.fixture
def inputs(messages: Callable[..., pl.DataFrame]) -> AugmentInputs:
    """One criticised reply with an edit and two alternatives, one the reply."""
    conversation = messages("a", "When do you open?", BREAD, "Not what I asked.")
    conversation = conversation.with_columns(
        edited_text=pl.when(pl.col("message_index") == 1).then(pl.lit(NINE)),
        alternatives=pl.when(pl.col("message_index") == 1).then(pl.lit([BREAD, LATE])),
    )
    row = {"conversation_id": "a", "reply_index": 1, "user_key": "ann", "split": "train", "prompt": PROMPT}
    criticised = pl.DataFrame([{**row, "reply": BREAD, "follow_up": "Not what I asked."}], schema=CRITICISED_REPLIES)
    empty = pl.DataFrame()
    return AugmentInputs(messages=conversation, splits=empty, feedback=empty, criticised=criticised, tables={})


#: The prefill opens the first rationale; this is the rest of the form for three texts.
COPIED = ', {"rationale": "'.join([f'{PLACEHOLDER}", "rating": 3}}'] * 3) + "]}"


def list_texts(prompt: Sequence[Message]) -> list[str]:
    """Return the texts of a question, in its order."""
    parts = prompt[0]["content"].split("<text_")[1:]
    return [json.loads(part.splitlines()[1]) for part in parts]


def rate_by_length(prompt: Sequence[Message]) -> str:
    """Return an answer that rates a text by its number of words, up to 5."""
    rated = [{"rationale": f"about {text}", "rating": min(5, len(text.split()))} for text in list_texts(prompt)]
    return json.dumps({"ratings": rated}).removeprefix('{"ratings": [{"rationale": "')


def annotate(inputs: AugmentInputs, generator: ScriptedGenerator, **settings: Any) -> pl.DataFrame:
    table = Ratings(**settings).annotate(inputs, build_context(generator, max_new_tokens=200))
    return schemas.check(table, schemas.RATINGS, "ratings")


def test_candidates_are_distinct_and_begin_with_the_reply(inputs: AugmentInputs) -> None:
    candidates = collect_candidates(inputs, 4)
    assert candidates.select("origin", "text").rows() == [("logged", BREAD), ("edit", NINE), ("alternative", LATE)]
    assert collect_candidates(inputs, 2)["origin"].to_list() == ["logged", "edit"]


def test_candidates_include_kept_refinements(inputs: AugmentInputs) -> None:
    made = {"conversation_id": "a", "reply_index": 1}
    rows = [{**made, "refined": "Nine.", "kept": True}, {**made, "refined": "Ten.", "kept": False}]
    refinements = pl.DataFrame(rows, schema_overrides={"reply_index": pl.Int32})
    candidates = collect_candidates(inputs._replace(tables={"refinements": refinements}), 9)
    assert candidates["text"].to_list() == [BREAD, NINE, "Nine.", LATE]


def test_each_aspect_is_one_question_with_all_texts(inputs: AugmentInputs) -> None:
    generator = ScriptedGenerator(rate_by_length)
    table = annotate(inputs, generator)
    assert len(generator.prompts) == len(ASPECTS) == 4
    assert all(sorted(list_texts(prompt)) == sorted([BREAD, NINE, LATE]) for prompt in generator.prompts)
    assert table.height == 3 * 4
    assert dict(table.select("text", "rating").unique().rows()) == {BREAD: 3.0, NINE: 2.0, LATE: 5.0}
    assert table["overall"].to_list() == table["rating"].to_list()
    assert table["rationale"].to_list() == [f"about {text}" for text in table["text"]]


def test_texts_are_ordered_by_hash_for_each_aspect(inputs: AugmentInputs) -> None:
    generator = ScriptedGenerator(rate_by_length)
    table = annotate(inputs, generator)
    orders = [list_texts(prompt) for prompt in generator.prompts]
    assert len({tuple(order) for order in orders}) > 1
    by_place = table.sort("aspect", "position").group_by("aspect", maintain_order=True).agg("text")["text"].to_list()
    assert by_place == orders
    again = ScriptedGenerator(rate_by_length)
    assert annotate(inputs, again).equals(table)
    assert again.prompts == generator.prompts


def test_overall_rating_is_the_mean_of_all_aspects(inputs: AugmentInputs) -> None:
    def by_aspect(prompt: Sequence[Message]) -> str:
        asked = next(i for i, aspect in enumerate(ASPECTS) if aspect.question in prompt[0]["content"])
        rated = [{"rationale": "so", "rating": asked + 1} for _ in list_texts(prompt)]
        return json.dumps({"ratings": rated}).removeprefix('{"ratings": [{"rationale": "')

    assert annotate(inputs, ScriptedGenerator(by_aspect))["overall"].unique().to_list() == [(1 + 2 + 3 + 4) / 4]
    silent = ScriptedGenerator(lambda p: "..." if ASPECTS[0].question in p[0]["content"] else by_aspect(p))
    table = annotate(inputs, silent)
    assert table["overall"].null_count() == table.height
    assert table["kept"].sum() == 3 * 3


@pytest.mark.parametrize(
    ("answer_text", "reason"),
    [
        ('good", "rating": 3}]}', "not one rating per text"),
        ('good", "rating": 3}, {"rationale": "", "rating": 3}, {"rationale": "x", "rating": 3}]}', "no rationale"),
        ('good", "rating": 6}]}', "wrong fields"),
        ("good", "not JSON"),
        (COPIED, "copies the form"),
    ],
)
def test_unusable_answers_leave_rows_with_the_reason(inputs: AugmentInputs, answer_text: str, reason: str) -> None:
    generator = ScriptedGenerator(lambda _: answer_text)
    table = annotate(inputs, generator, retries=1)
    assert len(generator.prompts) == 2 * 4
    assert set(table.select("rating", "kept", "reason").rows()) == {(None, False, reason)}


def test_rating_by_scores_is_the_expected_digit(inputs: AugmentInputs) -> None:
    # Digits 1 to 5 with odds 1, 1, 2, 0, 4 of 8: (1 + 2 + 6 + 20) / 8.
    odds = [1, 1, 2, 0, 4]
    assert compute_expected_rating([math.log(weight) if weight else -1e9 for weight in odds]) == pytest.approx(29 / 8)

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        number = prompt[0]["content"].split("does text ")[1][0]
        return 0.0 if turn == number else -50.0

    table = annotate(inputs, ScriptedGenerator(lambda _: "", likelihood), by="scores")
    assert table["rating"].to_list() == pytest.approx([position + 1 for position in table["position"]])
    assert table["rationale"].null_count() == table.height
    assert table["kept"].all()


def test_calls_per_reply_counts_every_question() -> None:
    assert Ratings(retries=2).calls_per_reply() == 4 * 3
    assert Ratings(by="scores", max_texts=3).calls_per_reply() == 4 * 3
    assert Ratings(by="scores", max_texts=1).calls_per_reply() == 4


def test_ratings_are_empty_without_criticised_replies(inputs: AugmentInputs) -> None:
    assert annotate(inputs._replace(criticised=inputs.criticised.clear()), ScriptedGenerator(rate_by_length)).is_empty()
