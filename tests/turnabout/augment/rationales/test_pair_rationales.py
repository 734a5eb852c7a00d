"""Rationales about pairs: which pairs, in which order they are shown, and what the flipped label gives away."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest

from turnabout.augment.base import Logs, Writing
from turnabout.augment.presented_pairs import COMPARED, compared, shown
from turnabout.augment.rationales.augmenter import Rationales
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import CRITICISED
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator

PROMPT: list[Message] = [{"role": "user", "content": "When do you open?"}]
BREAD, NINE = "We sell fresh bread.", "The doors open at nine."


@pytest.fixture
def edited(messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]) -> Logs:
    """A criticised reply that was edited into a better one, and one that was not."""
    edit = pl.when(pl.col("message_index") == 1).then(pl.lit(NINE))
    a = messages("a", "When do you open?", BREAD, "Not what I asked.").with_columns(edited_text=edit)
    b = messages("b", "When do you open?", BREAD, "Not what I asked.", user="ben")
    splits = pl.DataFrame({"conversation_id": ["a", "b"], "user_key": ["ann", "ben"], "split": ["train", "train"]})
    row = {"user_key": "x", "split": "train", "prompt": PROMPT, "reply": BREAD, "follow_up": "Not what I asked."}
    criticised = [{**row, "conversation_id": each, "reply_index": 1} for each in ("a", "b")]
    feedback = pl.DataFrame([signal("a", 1), signal("b", 1)], schema=schemas.FEEDBACK)
    return Logs(pl.concat([a, b]), splits, feedback, pl.DataFrame(criticised, schema=CRITICISED), {})


def letter_of(prompt: Sequence[Message], text: str) -> str:
    """The name under which a prompt about a pair shows a reply."""
    return "A" if text in prompt[0]["content"].partition("<reply_A>")[2].partition("</reply_A>")[0] else "B"


def author(fair: bool) -> ScriptedGenerator:
    """Finds reasons for any reply; a fair one is moved only by those for the reply with the hour."""

    def script(prompt: Sequence[Message]) -> str:
        hours = f"The person prefers reply {letter_of(prompt, NINE)}" in prompt[0]["content"]
        return " says when the doors open." if hours else " tells of fresh bread instead."

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        argued = "A" if "Somebody prefers reply A" in prompt[0]["content"] else "B"
        side = letter_of(prompt, NINE) if fair else argued
        return -0.5 if turn == side else -1.5

    return ScriptedGenerator(script, likelihood)


def annotated(logs: Logs, writer: ScriptedGenerator, **settings: Any) -> pl.DataFrame:
    table = Rationales(about="pairs", **settings).annotate(logs, Writing(writer, 400, 32, batch_size=4, seed=0))
    return schemas.check(table, schemas.RATIONALES, "rationales")


def test_a_pair_gets_each_kind_and_a_reply_without_one_a_rationale_of_its_own(edited: Logs) -> None:
    table = annotated(edited, author(fair=True))
    assert table.select("conversation_id", "better", "kind", "prompt_version").rows() == [
        ("a", NINE, "general", "pair-rationale-1"),
        ("a", NINE, "specific", "pair-rationale-1"),
        ("b", None, "general", "rationale-2"),
    ]


def test_a_rationale_that_convinces_more_than_its_flipped_one_is_kept(edited: Logs) -> None:
    # by log-odds: the argument for the better reply is believed (1 nat), the one for the worse is not (-1 nat)
    row = annotated(edited, author(fair=True), kinds=("specific",)).row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"]) == (1.0, -1.0)
    assert (row["kept"], row["reason"]) == (True, None)
    assert row["rationale"] == "The preferred reply is better because it says when the doors open."
    assert row["flipped"] == "The preferred reply is better because it tells of fresh bread instead."


def test_a_rationale_is_dropped_where_the_flipped_one_convinces_as_much(edited: Logs) -> None:
    table = annotated(edited, author(fair=False), kinds=("general",))
    row = table.row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"]) == (1.0, 1.0)
    assert (row["kept"], row["reason"]) == (False, "argues for either side")


def test_the_same_words_for_both_replies_are_no_reason_whatever_they_convince_of(edited: Logs) -> None:
    fair = author(fair=True)
    row = annotated(edited, ScriptedGenerator(lambda _: " says when the doors open.", fair.likelihood)).row(
        0, named=True
    )
    assert (row["conviction"], row["conviction_flipped"], row["kept"]) == (1.0, -1.0, False)
    assert row["reason"] == "argues for either side"


def test_a_judge_that_goes_by_the_name_or_the_place_is_convinced_of_nothing(edited: Logs) -> None:
    always_a = ScriptedGenerator(author(fair=True).script, lambda _, turn: -0.5 if turn == "A" else -1.5)
    row = annotated(edited, always_a).row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"], row["kept"]) == (0.0, 0.0, False)


def test_verdicts_may_be_asked_for_as_answers(edited: Logs) -> None:
    reasons = author(fair=True).script

    def script(prompt: Sequence[Message]) -> Any:
        if "Somebody prefers" not in prompt[0]["content"]:
            return reasons(prompt)
        return f'hours", "better": "{letter_of(prompt, NINE)}"}}'

    row = annotated(edited, ScriptedGenerator(script), by="answers").row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"], row["kept"]) == (1.0, -1.0, True)
    broken = annotated(edited, ScriptedGenerator(reasons), by="answers", retries=0).row(0, named=True)
    assert (broken["conviction"], broken["kept"], broken["reason"]) == (None, False, "verdict not JSON")


def test_a_rationale_with_a_fault_is_not_argued_about(edited: Logs) -> None:
    writer = ScriptedGenerator(lambda _: " wins.")
    table = annotated(edited, writer)
    assert table["reason"].to_list() == ["too short"] * 3
    assert len(writer.asked) == 3  # two kinds of the pair, one for the other reply


def test_an_argument_for_the_other_reply_that_was_refused_leaves_no_rationale(edited: Logs) -> None:
    def script(prompt: Sequence[Message]) -> Any:
        if f"prefers reply {letter_of(prompt, NINE)}" in prompt[0]["content"]:
            return " says when the doors open."
        return Completion("", refused="content filter")

    row = annotated(edited, ScriptedGenerator(script)).row(0, named=True)
    assert (row["kept"], row["reason"]) == (False, "flipped content filter")


def test_refinements_kept_before_make_pairs_too(edited: Logs) -> None:
    refined = {
        "conversation_id": ["b", "b"],
        "reply_index": [1, 1],
        "refined": ["At nine.", "No."],
        "kept": [True, False],
    }
    table = pl.DataFrame(refined, schema_overrides={"reply_index": pl.Int32})
    found = compared(edited._replace(tables={"refinements": table}), None, seed=0)
    assert found.select("conversation_id", "better", "worse").rows() == [("a", NINE, BREAD), ("b", "At nine.", BREAD)]
    assert compared(edited._replace(tables={"refinements": table}), 1, seed=0).height == 1


def test_either_order_comes_up_and_the_seed_decides(edited: Logs) -> None:
    rows = [
        {"conversation_id": str(i), "reply_index": 1, "prompt": PROMPT, "better": NINE, "worse": BREAD}
        for i in range(60)
    ]
    pairs = pl.DataFrame(rows).select(COMPARED)
    orders = [each.order for each in shown(pairs, seed=0)]
    assert 15 < orders.count("cr") < 45  # binomial: 30, four deviations are 15.5
    assert orders == [each.order for each in shown(pairs, seed=0)] != [each.order for each in shown(pairs, seed=1)]
    first = shown(pairs, seed=0)[0]
    assert letter_of([{"role": "user", "content": first.record(400)}], NINE) == {"cr": "A", "rc": "B"}[first.order]
