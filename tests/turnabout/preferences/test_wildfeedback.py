"""WildFeedback pairs: who writes which side, and the checklist judge."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import polars as pl
import pytest

from tests.turnabout.preferences.conftest import MakeContext
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation.base import TurnScore
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.preferences.wildfeedback import WildFeedback

PREFERENCE = "Names the hour."


def build_preferences(**columns: Any) -> pl.DataFrame:
    """Return the preferences of all three people's criticised replies."""
    row = {
        "reply_index": 1,
        "user_preferences": [PREFERENCE],
        "whole": True,
        "n_feedback": 1,
        "dropped": [],
        "kept": True,
    }
    rows = [{**dict.fromkeys(schemas.PREFERENCES), **row, "conversation_id": c, **columns} for c in "abc"]
    return pl.DataFrame(rows, schema=schemas.PREFERENCES)


def write_reply(prompt: Sequence[Message]) -> str:
    """Return a reply that names the hour only if the prompt asks for it."""
    return "at nine sharp" if PREFERENCE in prompt[0]["content"] else "come and see"


class HourJudge(ScriptedGenerator):
    """A judge that prefers the reply that names the hour, or the other one.

    It writes like the policy.
    """

    def __init__(self, for_the_hour: float = 1.0) -> None:
        super().__init__(write_reply)
        self.for_the_hour = for_the_hour
        self.judged: list[str] = []

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        self.judged += [prompt[-1]["content"] for prompt in prompts]
        shown = [re.findall(r'<reply_[AB]>\n"(.*)"\n', text) for text in self.judged[-len(prompts) :]]
        return [[TurnScore(self.for_the_hour * ("nine" in reply), 1) for reply in both] for both in shown]


def test_on_policy_writes_both_sides_and_one_without_preferences(
    make_context: MakeContext,
) -> None:
    policy, judge = ScriptedGenerator(write_reply), HourJudge()
    built = WildFeedback().build_pairs(make_context(policy, build_preferences(), judge=judge))
    assert built.schema == schemas.PAIRS
    assert built.select("pair_id", "split", "chosen", "rejected", "weight", "keep").rows() == [
        ("wildfeedback:a:1", "train", "at nine sharp", "come and see", 1.0, True),
        ("wildfeedback:b:1", "validation", "at nine sharp", "come and see", 1.0, True),
    ]
    guided, plain = policy.prompts[0], policy.prompts[2]
    assert guided[0]["role"] == "system"
    assert "harm" in guided[0]["content"]
    assert plain == [{"role": "user", "content": "open when?"}] == built["prompt"][0].to_list()
    # tanh(½·1): the judge prefers it by one nat in both orders
    assert built.select("r_chosen", "r_rejected", "margin").row(0) == pytest.approx((0.4621172, -0.4621172, 0.9242343))


def test_expert_writes_the_chosen_side_against_the_logged_reply(make_context: MakeContext) -> None:
    judge = HourJudge()
    built = WildFeedback(version="expert").build_pairs(make_context(extra_input=build_preferences(), judge=judge))
    assert built.select("chosen", "rejected", "weight").unique().rows() == [("at nine sharp", "nice shop", 0.8)]
    assert len(judge.prompts) == 2


def test_judge_has_preferences_as_checklist_and_sees_both_orders(make_context: MakeContext) -> None:
    judge = HourJudge()
    rule = WildFeedback(max_pairs=1)
    rule.build_pairs(make_context(ScriptedGenerator(write_reply), build_preferences(), judge=judge))
    assert len(judge.judged) == rule.max_judgements() == 4
    assert all(PREFERENCE in text for text in judge.judged)


@pytest.mark.parametrize(("for_the_hour", "reason"), [(-1.0, "judge prefers the rejected"), (0.0, "judge: tie")])
def test_pair_that_the_judge_does_not_prefer_is_dropped(
    make_context: MakeContext, for_the_hour: float, reason: str
) -> None:
    built = WildFeedback().build_pairs(
        make_context(ScriptedGenerator(write_reply), build_preferences(), judge=HourJudge(for_the_hour))
    )
    assert built["reason"].to_list() == [reason] * 2


def test_no_reply_is_written_without_preferences_or_after_toxic_text(make_context: MakeContext) -> None:
    silent = ScriptedGenerator(lambda _: pytest.fail("asked"))
    none = build_preferences(user_preferences=[], kept=False, reason="no preference")
    built = WildFeedback().build_pairs(make_context(silent, none, judge=HourJudge()))
    assert built["reason"].to_list() == ["no preference"] * 2
    log = make_context().messages
    first_is_toxic = pl.when(pl.col("message_index") == 0).then(pl.lit(["toxic"])).otherwise("flags")
    flagged = log.with_columns(flags=first_is_toxic)
    built = WildFeedback().build_pairs(make_context(silent, build_preferences(), judge=HourJudge(), messages=flagged))
    assert built["reason"].to_list() == ["toxic prompt"] * 2


@pytest.mark.parametrize("version", ["on_policy", "expert"])
def test_log_without_feedback_gives_no_pairs(
    make_context: MakeContext, version: Literal["on_policy", "expert"]
) -> None:
    none = schemas.FEEDBACK.to_frame()
    built = WildFeedback(version=version).build_pairs(
        make_context(ScriptedGenerator(write_reply), build_preferences(), judge=HourJudge(), feedback=none)
    )
    assert (built.height, built.schema) == (0, schemas.PAIRS)


def test_toxic_text_after_the_reply_does_not_drop_the_pair(make_context: MakeContext) -> None:
    later = pl.when(pl.col("message_index") == 2).then(pl.lit(["toxic"])).otherwise("flags")
    flagged = make_context().messages.with_columns(flags=later)
    built = WildFeedback().build_pairs(
        make_context(ScriptedGenerator(write_reply), build_preferences(), judge=HourJudge(), messages=flagged)
    )
    assert built["keep"].all()


@pytest.mark.parametrize(
    ("rule", "needs", "calls"),
    [
        (WildFeedback(max_pairs=3), {"policy", "judge"}, (12, 12)),  # six pairs: both sides written, judged both ways
        (WildFeedback(max_pairs=3, version="expert"), {"judge"}, (0, 18)),  # one side written, and judged both ways
        (WildFeedback(max_pairs=3, by="answers"), {"policy", "judge"}, (12, 24)),  # each order asked once again
        (WildFeedback(), {"policy", "judge"}, (None, None)),
    ],
)
def test_rule_states_the_models_and_calls_it_needs(
    rule: WildFeedback, needs: set[str], calls: tuple[int | None, int | None]
) -> None:
    assert (rule.needs, (rule.max_replies(), rule.max_judgements())) == (needs, calls)
