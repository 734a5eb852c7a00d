"""Ratings: which texts are rated, in which order they are shown, and what becomes of answers."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest

from turnabout.augment.base import Logs, Writing
from turnabout.augment.candidates import candidates
from turnabout.augment.ratings.aspects import ASPECTS
from turnabout.augment.ratings.augmenter import Ratings
from turnabout.augment.ratings.questions import PLACEHOLDER, expected
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import CRITICISED
from turnabout.generation.base import Scored
from turnabout.generation.scripted import ScriptedGenerator

PROMPT: list[Message] = [{"role": "user", "content": "When do you open?"}]
BREAD, NINE, LATE = "We sell bread.", "At nine.", "At nine, and until five."


@pytest.fixture
def logs(messages: Callable[..., pl.DataFrame]) -> Logs:
    """One criticised reply with an edit and two alternatives, one of them the reply itself."""
    said = messages("a", "When do you open?", BREAD, "Not what I asked.")
    said = said.with_columns(
        edited_text=pl.when(pl.col("message_index") == 1).then(pl.lit(NINE)),
        alternatives=pl.when(pl.col("message_index") == 1).then(pl.lit([BREAD, LATE])),
    )
    row = {"conversation_id": "a", "reply_index": 1, "user_key": "ann", "split": "train", "prompt": PROMPT}
    criticised = pl.DataFrame([{**row, "reply": BREAD, "follow_up": "Not what I asked."}], schema=CRITICISED)
    nothing = pl.DataFrame()
    return Logs(said, nothing, nothing, criticised, {})


#: The prefill opens the first rationale; this is the rest of the form for three texts.
COPIED = ', {"rationale": "'.join([f'{PLACEHOLDER}", "rating": 3}}'] * 3) + "]}"


def texts_of(prompt: Sequence[Message]) -> list[str]:
    """The texts a question shows, in its order."""
    parts = prompt[0]["content"].split("<text_")[1:]
    return [json.loads(part.splitlines()[1]) for part in parts]


def answer(prompt: Sequence[Message]) -> str:
    """Rates a text by its number of words, up to 5; written after the prefill."""
    rated = [{"rationale": f"about {text}", "rating": min(5, len(text.split()))} for text in texts_of(prompt)]
    return json.dumps({"ratings": rated}).removeprefix('{"ratings": [{"rationale": "')


def annotated(logs: Logs, author: ScriptedGenerator, **settings: Any) -> pl.DataFrame:
    table = Ratings(**settings).annotate(logs, Writing(author, 400, 200, batch_size=4, seed=0))
    return schemas.check(table, schemas.RATINGS, "ratings")


def test_the_reply_comes_first_and_no_text_twice(logs: Logs) -> None:
    found = candidates(logs, 4)
    assert found.select("origin", "text").rows() == [("logged", BREAD), ("edit", NINE), ("alternative", LATE)]
    assert candidates(logs, 2)["origin"].to_list() == ["logged", "edit"]


def test_refinements_kept_before_are_rated_too(logs: Logs) -> None:
    made = {"conversation_id": "a", "reply_index": 1}
    rows = [{**made, "refined": "Nine.", "kept": True}, {**made, "refined": "Ten.", "kept": False}]
    refinements = pl.DataFrame(rows, schema_overrides={"reply_index": pl.Int32})
    found = candidates(logs._replace(tables={"refinements": refinements}), 9)
    assert found["text"].to_list() == [BREAD, NINE, "Nine.", LATE]


def test_every_aspect_is_one_question_with_all_texts(logs: Logs) -> None:
    author = ScriptedGenerator(answer)
    table = annotated(logs, author)
    assert len(author.asked) == len(ASPECTS) == 4
    assert all(sorted(texts_of(prompt)) == sorted([BREAD, NINE, LATE]) for prompt in author.asked)
    assert table.height == 3 * 4
    assert dict(table.select("text", "rating").unique().rows()) == {BREAD: 3.0, NINE: 2.0, LATE: 5.0}
    assert table["overall"].to_list() == table["rating"].to_list()
    assert table["rationale"].to_list() == [f"about {text}" for text in table["text"]]


def test_the_order_differs_between_aspects_and_the_place_is_told(logs: Logs) -> None:
    author = ScriptedGenerator(answer)
    table = annotated(logs, author)
    orders = [texts_of(prompt) for prompt in author.asked]
    assert len({tuple(order) for order in orders}) > 1
    told = table.sort("aspect", "place").group_by("aspect", maintain_order=True).agg("text")["text"].to_list()
    assert told == orders
    again = ScriptedGenerator(answer)
    assert annotated(logs, again).equals(table)
    assert again.asked == author.asked


def test_the_overall_rating_is_the_mean_of_the_aspects_and_missing_with_one_of_them(logs: Logs) -> None:
    def by_aspect(prompt: Sequence[Message]) -> str:
        asked = next(i for i, aspect in enumerate(ASPECTS) if aspect.question in prompt[0]["content"])
        rated = [{"rationale": "so", "rating": asked + 1} for _ in texts_of(prompt)]
        return json.dumps({"ratings": rated}).removeprefix('{"ratings": [{"rationale": "')

    assert annotated(logs, ScriptedGenerator(by_aspect))["overall"].unique().to_list() == [(1 + 2 + 3 + 4) / 4]
    silent = ScriptedGenerator(lambda p: "..." if ASPECTS[0].question in p[0]["content"] else by_aspect(p))
    table = annotated(logs, silent)
    assert table["overall"].null_count() == table.height
    assert table["kept"].sum() == 3 * 3


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('good", "rating": 3}]}', "not one rating per text"),
        ('good", "rating": 3}, {"rationale": "", "rating": 3}, {"rationale": "x", "rating": 3}]}', "no rationale"),
        ('good", "rating": 6}]}', "wrong fields"),
        ("good", "not JSON"),
        (COPIED, "copies the form"),
    ],
)
def test_answers_that_cannot_be_used_leave_rows_with_the_reason(logs: Logs, said: str, reason: str) -> None:
    author = ScriptedGenerator(lambda _: said)
    table = annotated(logs, author, retries=1)
    assert len(author.asked) == 2 * 4
    assert set(table.select("rating", "kept", "reason").rows()) == {(None, False, reason)}


def test_scores_give_the_expected_digit(logs: Logs) -> None:
    """Digits d with odds 1, 1, 2, 0, 4 of 8: (1 + 2 + 6 + 20) / 8."""
    odds = [1, 1, 2, 0, 4]
    assert expected([Scored(math.log(each) if each else -1e9, 2) for each in odds]) == pytest.approx(29 / 8)

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        number = prompt[0]["content"].split("does text ")[1][0]
        return 0.0 if turn == number else -50.0

    table = annotated(logs, ScriptedGenerator(lambda _: "", likelihood), by="scores")
    assert table["rating"].to_list() == pytest.approx([place + 1 for place in table["place"]])
    assert table["rationale"].null_count() == table.height
    assert table["kept"].all()


def test_the_plan_counts_every_question_that_may_be_asked() -> None:
    assert Ratings(retries=2).calls_per_reply() == 4 * 3
    assert Ratings(by="scores", max_texts=3).calls_per_reply() == 4 * 3
    assert Ratings(by="scores", max_texts=1).calls_per_reply() == 4


def test_no_criticised_reply_gives_an_empty_table(logs: Logs) -> None:
    assert annotated(logs._replace(criticised=logs.criticised.clear()), ScriptedGenerator(answer)).is_empty()
