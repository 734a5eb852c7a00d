"""Repairs: which later reply counts, and when it is dropped."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.preferences.repair import Repair

Build = Callable[..., pl.DataFrame]


@pytest.fixture
def repair(messages: Build, signal: Callable[..., dict[str, Any]]) -> Callable[..., pl.DataFrame]:
    """Builds pairs: `repair("ask", "bad", "ask again", "good", "thanks")`.

    Reply 1 dissatisfied, reply 3 satisfied.
    """

    def build(*texts: str, signals: tuple[Any, ...] = (), split: str = "train", **settings: Any) -> pl.DataFrame:
        splits = pl.DataFrame([{"conversation_id": "c", "user_key": "ann", "split": split}], schema=schemas.SPLITS)
        judged = signals or (signal("c", 1, confidence=0.7), signal("c", 3, "sat", "positive", 0.6))
        return Repair(**settings).find_pairs(
            messages("c", *texts), splits, pl.DataFrame(judged, schema=schemas.FEEDBACK)
        )

    return build


ASKED_AGAIN = ("What is the capital of Chile?", "A lovely country!", "I asked for the capital of Chile", "Santiago.")


def test_satisfying_reply_is_chosen_over_the_one_it_repaired(repair: Build) -> None:
    (pair,) = repair(*ASKED_AGAIN, "Thanks!").to_dicts()
    assert (pair["pair_id"], pair["reply_index"]) == ("repair:c:1", 1)
    assert (pair["chosen"], pair["rejected"], pair["keep"]) == ("Santiago.", "A lovely country!", True)
    assert [message["content"] for message in pair["prompt"]] == ["What is the capital of Chile?"]
    assert (pair["r_chosen"], pair["r_rejected"], pair["margin"]) == (0.6, -0.7, pytest.approx(1.3))
    assert (pair["weight"], pair["evidence"]) == (0.6, "I asked for the capital of Chile")


def test_repair_that_comes_too_late_does_not_count(repair: Build, signal: Callable[..., dict[str, Any]]) -> None:
    talk = ("What is Chile's capital?", "Hm.", "The capital!", "Of Chile?", "Yes!", "Santiago.", "Thanks!")
    judged = (signal("c", 1), signal("c", 3), signal("c", 5, "sat", "positive"))
    assert repair(*talk, signals=judged)["rejected"].to_list() == ["Hm.", "Of Chile?"]
    assert repair(*talk, signals=judged, within=1)["rejected"].to_list() == ["Of Chile?"]


def test_first_satisfying_reply_is_taken(repair: Build, signal: Callable[..., dict[str, Any]]) -> None:
    talk = (*ASKED_AGAIN, "Thanks, and again?", "Santiago, as said.", "Thanks!")
    judged = (signal("c", 1), signal("c", 3, "sat", "positive"), signal("c", 5, "sat", "positive"))
    assert repair(*talk, signals=judged)["chosen"].to_list() == ["Santiago."]


@pytest.mark.parametrize(
    ("again", "reply", "reason"),
    [
        ("I asked for the capital of Chile", "Santiago.", None),
        ("No, wrong", "Santiago.", None),
        # words of the request are not borrowed
        ("I asked for the capital of Chile", "The capital of Chile is Santiago.", None),
        ("Tell me about Peruvian llama wool instead", "Santiago.", "topic changed"),
        # Content words of the reply: llamas, graze, near, santiago; "llamas" and "graze" were first said in between.
        ("Where do llamas of Chile graze", "Llamas graze near Santiago.", "leans on later words"),
        ("I asked for the capital of Chile", "I'm so sorry, it is Santiago.", "refers back"),
        ("I asked for the capital of Chile", "You are right: Santiago.", "refers back"),
        ("I asked for the capital of Chile", "Sorrel grows in Santiago.", None),
        ("I asked for the capital of Chile", "a lovely country", "near-identical"),
    ],
)
def test_later_reply_must_answer_the_first_request(repair: Build, again: str, reply: str, reason: str | None) -> None:
    pairs = repair(ASKED_AGAIN[0], "A lovely country!", again, reply, "Thanks!")
    assert pairs.select("keep", "reason").rows() == [(reason is None, reason)]


def test_max_borrowed_limits_the_words_from_in_between(repair: Build) -> None:
    talk = (
        ASKED_AGAIN[0],
        "A lovely country!",
        "Where do llamas of Chile graze",
        "Llamas graze near Santiago.",
        "Thanks!",
    )
    assert repair(*talk, max_borrowed=0.5)["keep"].to_list() == [True]


def test_weak_category_counts_only_when_named(repair: Build, signal: Callable[..., dict[str, Any]]) -> None:
    judged = (signal("c", 1, category="revision"), signal("c", 3, "sat", "positive"))
    assert repair(*ASKED_AGAIN, "Thanks!", signals=judged).is_empty()
    assert repair(*ASKED_AGAIN, "Thanks!", signals=judged, weak=("revision",)).height == 1


def test_people_of_the_test_split_give_no_repairs(repair: Build) -> None:
    assert repair(*ASKED_AGAIN, "Thanks!", split="test").is_empty()


def test_repair_without_a_user_message_in_between_counts(
    messages: Build, signal: Callable[..., dict[str, Any]]
) -> None:
    log = messages("c", "What is Chile's capital?", "Hm.", "nobody said this", "Santiago.", "Thanks!")
    log = log.filter(pl.col("message_index") != 2)
    splits = pl.DataFrame([{"conversation_id": "c", "user_key": "ann", "split": "train"}], schema=schemas.SPLITS)
    judged = [signal("c", 1, category="rating"), signal("c", 3, "sat", "positive")]
    (pair,) = Repair().find_pairs(log, splits, pl.DataFrame(judged, schema=schemas.FEEDBACK)).to_dicts()
    assert (pair["chosen"], pair["rejected"], pair["reason"]) == ("Santiago.", "Hm.", None)
