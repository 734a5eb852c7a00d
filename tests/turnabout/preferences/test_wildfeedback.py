"""WildFeedback pairs: who writes which side, what the writer is told, and what the checklist judge lets through."""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation.base import TurnScore
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.preferences import RuleContext
from turnabout.preferences.wildfeedback import WildFeedback

WISH = "Names the hour."


def wishes(**columns: Any) -> pl.DataFrame:
    """The preferences of all three people's criticised replies."""
    row = {"reply_index": 1, "user_preferences": [WISH], "whole": True, "n_feedback": 1, "dropped": [], "kept": True}
    rows = [{**dict.fromkeys(schemas.PREFERENCES), **row, "conversation_id": c, **columns} for c in "abc"]
    return pl.DataFrame(rows, schema=schemas.PREFERENCES)


def answer(prompt: Sequence[Message]) -> str:
    """A writer that names the hour only where it was told to."""
    return "at nine sharp" if WISH in prompt[0]["content"] else "come and see"


class HourJudge(ScriptedGenerator):
    """Writes like the policy, and judges: one nat for the reply that names the hour, or for the other one."""

    def __init__(self, for_the_hour: float = 1.0) -> None:
        super().__init__(answer)
        self.for_the_hour = for_the_hour
        self.judged: list[str] = []

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        self.judged += [prompt[-1]["content"] for prompt in prompts]
        shown = [re.findall(r'<reply_[AB]>\n"(.*)"\n', told) for told in self.judged[-len(prompts) :]]
        return [[TurnScore(self.for_the_hour * ("nine" in reply), 1) for reply in both] for both in shown]


def test_on_policy_the_policy_writes_both_sides_and_only_one_knows_the_wishes(
    material: Callable[..., RuleContext],
) -> None:
    policy, judge = ScriptedGenerator(answer), HourJudge()
    built = WildFeedback().build_pairs(material(policy, wishes(), judge=judge))
    assert built.schema == schemas.PAIRS
    assert built.select("pair_id", "split", "chosen", "rejected", "weight", "keep").rows() == [
        ("wildfeedback:a:1", "train", "at nine sharp", "come and see", 1.0, True),
        ("wildfeedback:b:1", "validation", "at nine sharp", "come and see", 1.0, True),
    ]
    told, plain = policy.prompts[0], policy.prompts[2]
    assert told[0]["role"] == "system"
    assert "harm" in told[0]["content"]
    assert plain == [{"role": "user", "content": "open when?"}] == built["prompt"][0].to_list()
    # tanh(½·1): the judge prefers it by one nat in both orders
    assert built.select("r_chosen", "r_rejected", "margin").row(0) == pytest.approx((0.4621172, -0.4621172, 0.9242343))


def test_the_expert_writes_the_chosen_side_against_the_logged_reply(material: Callable[..., RuleContext]) -> None:
    judge = HourJudge()
    built = WildFeedback(version="expert").build_pairs(material(reads=wishes(), judge=judge))
    assert built.select("chosen", "rejected", "weight").unique().rows() == [("at nine sharp", "nice shop", 0.8)]
    assert len(judge.prompts) == 2


def test_the_judge_has_the_wishes_as_a_checklist_and_sees_both_orders(material: Callable[..., RuleContext]) -> None:
    judge = HourJudge()
    rule = WildFeedback(max_pairs=1)
    rule.build_pairs(material(ScriptedGenerator(answer), wishes(), judge=judge))
    assert len(judge.judged) == rule.max_judgements() == 4
    assert all(WISH in told for told in judge.judged)


@pytest.mark.parametrize(("for_the_hour", "reason"), [(-1.0, "judge prefers the rejected"), (0.0, "judge: tie")])
def test_a_pair_the_judge_does_not_bear_out_is_dropped(
    material: Callable[..., RuleContext], for_the_hour: float, reason: str
) -> None:
    built = WildFeedback().build_pairs(material(ScriptedGenerator(answer), wishes(), judge=HourJudge(for_the_hour)))
    assert built["reason"].to_list() == [reason] * 2


def test_without_wishes_or_after_toxic_words_nothing_is_written(material: Callable[..., RuleContext]) -> None:
    nobody_writes = ScriptedGenerator(lambda _: pytest.fail("asked"))
    none = wishes(user_preferences=[], kept=False, reason="no preference")
    built = WildFeedback().build_pairs(material(nobody_writes, none, judge=HourJudge()))
    assert built["reason"].to_list() == ["no preference"] * 2
    said = material().messages
    first_is_toxic = pl.when(pl.col("message_index") == 0).then(pl.lit(["toxic"])).otherwise("flags")
    flagged = said.with_columns(flags=first_is_toxic)
    built = WildFeedback().build_pairs(material(nobody_writes, wishes(), judge=HourJudge(), messages=flagged))
    assert built["reason"].to_list() == ["toxic prompt"] * 2


@pytest.mark.parametrize("version", ["on_policy", "expert"])
def test_a_log_without_feedback_gives_no_pairs(
    material: Callable[..., RuleContext], version: Literal["on_policy", "expert"]
) -> None:
    none = schemas.FEEDBACK.to_frame()
    built = WildFeedback(version=version).build_pairs(
        material(ScriptedGenerator(answer), wishes(), judge=HourJudge(), feedback=none)
    )
    assert (built.height, built.schema) == (0, schemas.PAIRS)


def test_toxic_words_after_the_reply_leave_the_prompt_as_it_was(material: Callable[..., RuleContext]) -> None:
    later = pl.when(pl.col("message_index") == 2).then(pl.lit(["toxic"])).otherwise("flags")
    flagged = material().messages.with_columns(flags=later)
    built = WildFeedback().build_pairs(material(ScriptedGenerator(answer), wishes(), judge=HourJudge(), messages=flagged))
    assert built["keep"].all()


@pytest.mark.parametrize(
    ("rule", "needs", "calls"),
    [
        (WildFeedback(max_pairs=3), {"policy", "judge"}, (12, 12)),  # six pairs: both sides written, judged both ways
        (WildFeedback(max_pairs=3, version="expert"), {"judge"}, (0, 18)),  # one side written, and judged both ways
        (WildFeedback(max_pairs=3, by="answers"), {"policy", "judge"}, (12, 24)),  # each order asked about once again
        (WildFeedback(), {"policy", "judge"}, (None, None)),
    ],
)
def test_it_says_whom_it_asks_and_how_often(
    rule: WildFeedback, needs: set[str], calls: tuple[int | None, int | None]
) -> None:
    assert (rule.needs, (rule.max_replies(), rule.max_judgements())) == (needs, calls)
