"""Judged pairs on a judge with tastes: who wins every duel is chosen, and a pair hangs on the duel of its two sides."""

import re
from collections.abc import Callable, Sequence

import pytest

from turnabout.core.messages import Message
from turnabout.generation.base import TurnScore
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.judging import Verdict
from turnabout.preferences import RuleContext
from turnabout.preferences.judge import Judge, select_extremes


class Taster(ScriptedGenerator):
    """Judges two replies by how much it likes each, at a log-probability of so many nats, whatever the order."""

    def __init__(self, likes: dict[str, float]) -> None:
        super().__init__(lambda _: "")
        self.likes = likes

    def score(self, prompts: Sequence[Sequence[Message]], turns: Sequence[Sequence[str]]) -> list[list[TurnScore]]:
        self.prompts += [list(prompt) for prompt in prompts]
        shown = [re.findall(r'<reply_[AB]>\n"(.*)"\n', prompt[-1]["content"]) for prompt in prompts]
        return [[TurnScore(self.likes[reply], 1) for reply in both] for both in shown]


def policy(*replies: str) -> ScriptedGenerator:
    """Writes these replies one after another, again and again."""
    turns = iter(replies * 10)
    return ScriptedGenerator(lambda _: next(turns))


def test_the_reply_that_wins_most_is_chosen_and_the_one_that_loses_most_rejected(
    material: Callable[..., RuleContext],
) -> None:
    judge = Taster({"ask again later": 0.0, "at nine": 2.0, "who knows": 1.0})
    built = Judge(prompts=1, k=3).build_pairs(material(policy("ask again later", "at nine", "who knows"), judge=judge))
    assert built["split"].to_list() == ["train", "validation"]
    assert set(built.select("chosen", "rejected", "keep").rows()) == {("at nine", "ask again later", True)}
    # tanh(½·2) and tanh(½·1), halved: the best wins by 2 and by 1 nat, the worst loses by as much
    assert built["r_chosen"].to_list() == pytest.approx([(0.7615942 + 0.4621172) / 2] * 2)
    assert built["r_rejected"].to_list() == pytest.approx([-(0.7615942 + 0.4621172) / 2] * 2)
    assert built["margin"].to_list() == pytest.approx([0.7615942 + 0.4621172] * 2)


def test_the_logged_reply_takes_part_where_asked_for(material: Callable[..., RuleContext]) -> None:
    likes = {"nice shop": 0.0, "at nine": 0.0, "when it opens": 1.0}
    asked = policy("when it opens")
    rule = Judge(prompts=1, k=2, logged=True)
    built = rule.build_pairs(material(asked, judge=Taster(likes)))
    assert len(asked.prompts) == rule.max_replies() == 2  # one each for a and b: the other reply is the logged one
    assert built["chosen"].to_list() == ["when it opens"] * 2
    assert set(built["rejected"]) <= {"nice shop", "at nine"}


def test_equal_replies_are_dropped_with_the_reason(material: Callable[..., RuleContext]) -> None:
    judge = Taster({"yes": 0.0, "never on a Sunday": 0.0})
    built = Judge(prompts=1, k=2).build_pairs(material(policy("yes", "never on a Sunday"), judge=judge))
    assert built["reason"].to_list() == ["judge: tie"] * 2


@pytest.mark.parametrize("rule", [Judge(prompts=1, k=2), Judge(prompts=1, k=3), Judge(prompts=2, k=4, logged=True)])
def test_it_asks_as_often_as_it_says(material: Callable[..., RuleContext], rule: Judge) -> None:
    judge = Taster(dict.fromkeys(("nice shop", "at nine", "one", "two"), 0.0))
    rule.build_pairs(material(policy("one", "two"), judge=judge))
    n_prompts = 2  # the logs hold one conversation of each split
    assert len(judge.prompts) == n_prompts * rule.k * (rule.k - 1)
    assert len(judge.prompts) <= rule.max_judgements()


def test_a_pair_whose_own_duel_the_judge_cannot_decide_is_dropped() -> None:
    won, unsure = Verdict(0.9, "a", consistent=True), Verdict(0.1, None, consistent=False, reason="order decides")
    found = select_extremes(["best", "worst", "middle"], {(0, 1): unsure, (0, 2): won, (1, 2): Verdict(-0.9, "b", True)})
    assert (found["chosen"], found["rejected"], found["reason"]) == ("best", "worst", "judge: order decides")
    # best: (0.1 + 0.9) / 2; worst: (−0.1 − 0.9) / 2
    assert (found["r_chosen"], found["r_rejected"]) == pytest.approx((0.5, -0.5))


def test_a_reply_that_wins_most_but_loses_to_the_worst_makes_no_pair() -> None:
    verdicts = {
        ("x", "y"): Verdict(-0.1, "b", consistent=True),
        ("x", "z"): Verdict(0.9, "a", consistent=True),
        ("y", "z"): Verdict(-0.9, "b", consistent=True),
    }
    replies = ["x", "y", "z"]
    found = select_extremes(replies, {(replies.index(a), replies.index(b)): verdict for (a, b), verdict in verdicts.items()})
    assert (found["chosen"], found["rejected"], found["reason"]) == ("x", "y", "judge prefers the rejected")


def test_the_duel_is_found_whichever_reply_stood_first() -> None:
    found = select_extremes(["bad one", "good one"], {(0, 1): Verdict(-0.4, "b", consistent=True)})
    assert (found["chosen"], found["margin"], found["reason"]) == ("good one", 0.8, None)
