"""Judged pairs with a scripted judge: extremes and objections."""

import re
from collections.abc import Sequence

import pytest

from tests.turnabout.preferences.conftest import MakeContext
from turnabout.core.messages import Message
from turnabout.generation.base import TurnScore
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.judging import Verdict
from turnabout.preferences.judge import Judge, select_extremes


class ScriptedJudge(ScriptedGenerator):
    """Judges two replies by the log-probability of each, in nats, in any order."""

    def __init__(self, logps: dict[str, float]) -> None:
        super().__init__(lambda _: "")
        self.logps = logps

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        self.prompts += [list(prompt) for prompt in prompts]
        shown = [re.findall(r'<reply_[AB]>\n"(.*)"\n', prompt[-1]["content"]) for prompt in prompts]
        return [[TurnScore(self.logps[reply], 1) for reply in both] for both in shown]


def build_policy(*replies: str) -> ScriptedGenerator:
    """Return a policy that writes these replies in turn, again and again."""
    turns = iter(replies * 10)
    return ScriptedGenerator(lambda _: next(turns))


def test_reply_with_highest_strength_is_chosen_and_lowest_rejected(
    make_context: MakeContext,
) -> None:
    judge = ScriptedJudge({"ask again later": 0.0, "at nine": 2.0, "who knows": 1.0})
    built = Judge(prompts=1, k=3).build_pairs(
        make_context(build_policy("ask again later", "at nine", "who knows"), judge=judge)
    )
    assert built["split"].to_list() == ["train", "validation"]
    assert set(built.select("chosen", "rejected", "keep").rows()) == {("at nine", "ask again later", True)}
    # tanh(½·2) and tanh(½·1), halved: the best wins by 2 and by 1 nat, the worst loses by as much
    assert built["r_chosen"].to_list() == pytest.approx([(0.7615942 + 0.4621172) / 2] * 2)
    assert built["r_rejected"].to_list() == pytest.approx([-(0.7615942 + 0.4621172) / 2] * 2)
    assert built["margin"].to_list() == pytest.approx([0.7615942 + 0.4621172] * 2)


def test_logged_reply_is_ranked_when_logged_is_set(make_context: MakeContext) -> None:
    logps = {"nice shop": 0.0, "at nine": 0.0, "when it opens": 1.0}
    policy = build_policy("when it opens")
    rule = Judge(prompts=1, k=2, logged=True)
    built = rule.build_pairs(make_context(policy, judge=ScriptedJudge(logps)))
    assert len(policy.prompts) == rule.max_replies() == 2  # one each for a and b: the other reply is the logged one
    assert built["chosen"].to_list() == ["when it opens"] * 2
    assert set(built["rejected"]) <= {"nice shop", "at nine"}


def test_pair_of_equal_replies_is_dropped_as_tie(make_context: MakeContext) -> None:
    judge = ScriptedJudge({"yes": 0.0, "never on a Sunday": 0.0})
    built = Judge(prompts=1, k=2).build_pairs(make_context(build_policy("yes", "never on a Sunday"), judge=judge))
    assert built["reason"].to_list() == ["judge: tie"] * 2


@pytest.mark.parametrize("rule", [Judge(prompts=1, k=2), Judge(prompts=1, k=3), Judge(prompts=2, k=4, logged=True)])
def test_number_of_judge_calls_is_within_its_stated_maximum(make_context: MakeContext, rule: Judge) -> None:
    judge = ScriptedJudge(dict.fromkeys(("nice shop", "at nine", "one", "two"), 0.0))
    rule.build_pairs(make_context(build_policy("one", "two"), judge=judge))
    n_prompts = 2  # the logs hold one conversation of each split
    assert len(judge.prompts) == n_prompts * rule.k * (rule.k - 1)
    assert len(judge.prompts) <= rule.max_judgements()


def test_pair_is_dropped_when_its_own_comparison_is_undecided() -> None:
    won, unsure = Verdict(0.9, "a", consistent=True), Verdict(0.1, None, consistent=False, reason="order decides")
    extremes = select_extremes(
        ["best", "worst", "middle"], {(0, 1): unsure, (0, 2): won, (1, 2): Verdict(-0.9, "b", True)}
    )
    assert (extremes["chosen"], extremes["rejected"], extremes["reason"]) == ("best", "worst", "judge: order decides")
    # best: (0.1 + 0.9) / 2; worst: (−0.1 − 0.9) / 2
    assert (extremes["r_chosen"], extremes["r_rejected"]) == pytest.approx((0.5, -0.5))


def test_pair_is_dropped_when_the_best_reply_loses_to_the_worst() -> None:
    verdicts = {
        (0, 1): Verdict(-0.1, "b", consistent=True),
        (0, 2): Verdict(0.9, "a", consistent=True),
        (1, 2): Verdict(-0.9, "b", consistent=True),
    }
    extremes = select_extremes(["x", "y", "z"], verdicts)
    assert (extremes["chosen"], extremes["rejected"], extremes["reason"]) == ("x", "y", "judge prefers the rejected")


def test_verdict_on_the_pair_is_used_in_either_order() -> None:
    extremes = select_extremes(["bad one", "good one"], {(0, 1): Verdict(-0.4, "b", consistent=True)})
    assert (extremes["chosen"], extremes["margin"], extremes["reason"]) == ("good one", 0.8, None)
