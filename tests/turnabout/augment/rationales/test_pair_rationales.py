"""Rationales about pairs: the pairs, their order, and the flipped label."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest

from tests.turnabout.augment.conftest import build_context
from turnabout.augment.base import AugmentInputs
from turnabout.augment.presented_pairs import PAIR_COLUMNS, draw_pairs, present_pairs
from turnabout.augment.rationales.augmenter import Rationales
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import CRITICISED_REPLIES
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator

PROMPT: list[Message] = [{"role": "user", "content": "When do you open?"}]
BREAD, NINE = "We sell fresh bread.", "The doors open at nine."


@pytest.fixture
def edited(messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]) -> AugmentInputs:
    """A criticised reply that was edited, and one that was not."""
    edit = pl.when(pl.col("message_index") == 1).then(pl.lit(NINE))
    a = messages("a", "When do you open?", BREAD, "Not what I asked.").with_columns(edited_text=edit)
    b = messages("b", "When do you open?", BREAD, "Not what I asked.", user="ben")
    splits = pl.DataFrame({"conversation_id": ["a", "b"], "user_key": ["ann", "ben"], "split": ["train", "train"]})
    row = {"user_key": "x", "split": "train", "prompt": PROMPT, "reply": BREAD, "follow_up": "Not what I asked."}
    rows = [{**row, "conversation_id": name, "reply_index": 1} for name in ("a", "b")]
    feedback = pl.DataFrame([signal("a", 1), signal("b", 1)], schema=schemas.FEEDBACK)
    return AugmentInputs(
        messages=pl.concat([a, b]),
        splits=splits,
        feedback=feedback,
        criticised=pl.DataFrame(rows, schema=CRITICISED_REPLIES),
        tables={},
    )


def find_letter(prompt: Sequence[Message], text: str) -> str:
    """Return the letter by which a prompt about a pair calls a reply."""
    return "A" if text in prompt[0]["content"].partition("<reply_A>")[2].partition("</reply_A>")[0] else "B"


def build_writer(fair: bool) -> ScriptedGenerator:
    """Return a model that finds reasons for any reply.

    A fair one is convinced only by the reasons for the reply with the hour.
    """

    def script(prompt: Sequence[Message]) -> str:
        hours = f"The person prefers reply {find_letter(prompt, NINE)}" in prompt[0]["content"]
        return " says when the doors open." if hours else " tells of fresh bread instead."

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        argued = "A" if "Someone prefers reply A" in prompt[0]["content"] else "B"
        side = find_letter(prompt, NINE) if fair else argued
        return -0.5 if turn == side else -1.5

    return ScriptedGenerator(script, likelihood)


def annotate(inputs: AugmentInputs, writer: ScriptedGenerator, **settings: Any) -> pl.DataFrame:
    table = Rationales(about="pairs", **settings).annotate(inputs, build_context(writer, max_new_tokens=32))
    return schemas.check(table, schemas.RATIONALES, "rationales")


def test_pairs_get_each_kind_and_other_replies_one_rationale(edited: AugmentInputs) -> None:
    table = annotate(edited, build_writer(fair=True))
    assert table.select("conversation_id", "better", "kind", "prompt_version").rows() == [
        ("a", NINE, "general", "pair-rationale-2"),
        ("a", NINE, "specific", "pair-rationale-2"),
        ("b", None, "general", "rationale-3"),
    ]


def test_rationale_is_kept_when_it_convinces_more_than_the_flipped_one(edited: AugmentInputs) -> None:
    # by log-odds: the argument for the better reply is believed (1 nat), the one for the worse is not (-1 nat)
    row = annotate(edited, build_writer(fair=True), kinds=("specific",)).row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"]) == (1.0, -1.0)
    assert (row["kept"], row["reason"]) == (True, None)
    assert row["rationale"] == "The preferred reply is better because it says when the doors open."
    assert row["flipped"] == "The preferred reply is better because it tells of fresh bread instead."


def test_rationale_is_dropped_when_the_flipped_one_convinces_as_much(edited: AugmentInputs) -> None:
    table = annotate(edited, build_writer(fair=False), kinds=("general",))
    row = table.row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"]) == (1.0, 1.0)
    assert (row["kept"], row["reason"]) == (False, "argues for either side")


def test_rationale_is_dropped_when_the_flipped_one_says_the_same(edited: AugmentInputs) -> None:
    fair = build_writer(fair=True)
    row = annotate(edited, ScriptedGenerator(lambda _: " says when the doors open.", fair.likelihood)).row(
        0, named=True
    )
    assert (row["conviction"], row["conviction_flipped"], row["kept"]) == (1.0, -1.0, False)
    assert row["reason"] == "argues for either side"


def test_conviction_is_zero_when_the_judge_always_chooses_a(edited: AugmentInputs) -> None:
    always_a = ScriptedGenerator(build_writer(fair=True).script, lambda _, turn: -0.5 if turn == "A" else -1.5)
    row = annotate(edited, always_a).row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"], row["kept"]) == (0.0, 0.0, False)


def test_conviction_is_read_from_written_verdicts(edited: AugmentInputs) -> None:
    reasons = build_writer(fair=True).script

    def script(prompt: Sequence[Message]) -> Any:
        if "Someone prefers" not in prompt[0]["content"]:
            return reasons(prompt)
        return f'hours", "better": "{find_letter(prompt, NINE)}"}}'

    row = annotate(edited, ScriptedGenerator(script), by="answers").row(0, named=True)
    assert (row["conviction"], row["conviction_flipped"], row["kept"]) == (1.0, -1.0, True)
    broken = annotate(edited, ScriptedGenerator(reasons), by="answers", retries=0).row(0, named=True)
    assert (broken["conviction"], broken["kept"], broken["reason"]) == (None, False, "verdict not JSON")


def test_rationale_with_a_fault_gets_no_flipped_one(edited: AugmentInputs) -> None:
    writer = ScriptedGenerator(lambda _: " wins.")
    table = annotate(edited, writer)
    assert table["reason"].to_list() == ["too short"] * 3
    assert len(writer.prompts) == 3  # two kinds of the pair, one for the other reply


def test_rationale_is_dropped_when_the_flipped_one_is_refused(edited: AugmentInputs) -> None:
    def script(prompt: Sequence[Message]) -> Any:
        if f"prefers reply {find_letter(prompt, NINE)}" in prompt[0]["content"]:
            return " says when the doors open."
        return Completion("", refused="content filter")

    row = annotate(edited, ScriptedGenerator(script)).row(0, named=True)
    assert (row["kept"], row["reason"]) == (False, "flipped content filter")


def test_draw_pairs_includes_kept_refinements(edited: AugmentInputs) -> None:
    refined = {
        "conversation_id": ["b", "b"],
        "reply_index": [1, 1],
        "refined": ["At nine.", "No."],
        "kept": [True, False],
    }
    table = pl.DataFrame(refined, schema_overrides={"reply_index": pl.Int32})
    pairs = draw_pairs(edited._replace(tables={"refinements": table}), None, seed=0)
    assert pairs.select("conversation_id", "better", "worse").rows() == [("a", NINE, BREAD), ("b", "At nine.", BREAD)]
    assert draw_pairs(edited._replace(tables={"refinements": table}), 1, seed=0).height == 1


def test_present_pairs_draws_both_orders_by_the_seed(edited: AugmentInputs) -> None:
    rows = [
        {"conversation_id": str(i), "reply_index": 1, "prompt": PROMPT, "better": NINE, "worse": BREAD}
        for i in range(60)
    ]
    pairs = pl.DataFrame(rows).select(PAIR_COLUMNS)
    orders = [pair.order for pair in present_pairs(pairs, seed=0)]
    assert 15 < orders.count("cr") < 45  # binomial: 30, four deviations are 15.5
    assert (
        orders
        == [pair.order for pair in present_pairs(pairs, seed=0)]
        != [pair.order for pair in present_pairs(pairs, seed=1)]
    )
    first = present_pairs(pairs, seed=0)[0]
    assert (
        find_letter([{"role": "user", "content": first.build_record(400)}], NINE) == {"cr": "A", "rc": "B"}[first.order]
    )
