"""Replies that reach the token limit are never a side of a kept pair."""

from collections.abc import Iterator, Sequence

import polars as pl
import pytest

from tests.turnabout.preferences.conftest import MakeContext
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.errors import DataError
from turnabout.follow_ups import load_phrases
from turnabout.generation import Completion, Sampling
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.preferences.cut_off import CutOffCounter
from turnabout.preferences.drift import Drift
from turnabout.preferences.follow_up import FollowUp
from turnabout.preferences.judge import Judge
from turnabout.preferences.wildfeedback import WildFeedback


def cut(text: str) -> Completion:
    return Completion(text, truncated=True)


def script_replies(*replies: str | Completion) -> ScriptedGenerator:
    """Return a generator that gives these replies, one per call, again for each of the two splits."""
    remaining: Iterator[str | Completion] = iter([*replies, *replies])
    return ScriptedGenerator(lambda _: next(remaining))


def preferences_table() -> pl.DataFrame:
    row = {
        "conversation_id": "a",
        "reply_index": 1,
        "user_preferences": ["name the hour"],
        "whole": False,
        "n_feedback": 1,
        "dropped": [],
        "model": "m",
        "prompt_version": "1",
        "kept": True,
        "reason": None,
    }
    return pl.DataFrame([row], schema=schemas.PREFERENCES)


def test_drift_drops_a_reply_that_is_cut_off(make_context: MakeContext) -> None:
    built = Drift().build_pairs(make_context(script_replies(cut("It opens at ni")), schemas.CRITIQUES.to_frame()))
    assert built["reason"].to_list() == ["cut off", "cut off"]
    assert built["keep"].to_list() == [False, False]


def test_follow_up_chooses_among_complete_replies_only(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    praise = load_phrases(10).positive

    def score_turn(context: Sequence[Message], turn: str) -> float:
        seen.add(context[-1]["content"])
        return -1.0 if turn in praise and context[-1]["content"] == "at nine" else -2.0

    user = ScriptedGenerator(str, score_turn)
    monkeypatch.setattr("turnabout.preferences.follow_up.LocalGenerator", lambda *_: user)
    policy = script_replies(cut("the longest reply, which is cut o"), "at nine", "we sell bread")
    built = FollowUp(prompts=1, k=3).build_pairs(make_context(policy))
    assert built["keep"].to_list() == [True, True]
    assert built.select("chosen", "rejected").unique().rows() == [("at nine", "we sell bread")]
    assert seen == {"at nine", "we sell bread"}


def test_follow_up_needs_two_complete_replies(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnabout.preferences.follow_up.LocalGenerator", lambda *_: ScriptedGenerator(str))
    built = FollowUp(prompts=1, k=2).build_pairs(make_context(script_replies("at nine", cut("we sell br"))))
    assert built.select("chosen", "rejected", "reason").unique().rows() == [("at nine", "we sell br", "cut off")]


def test_judge_compares_complete_replies_only(make_context: MakeContext) -> None:
    judge = ScriptedGenerator(str, lambda _, turn: 0.0 if turn == "A" else -1.0)
    policy = script_replies(cut("we sell br"), cut("we are"))
    built = Judge(prompts=1, k=3, logged=True).build_pairs(make_context(policy, judge=judge))
    assert built["reason"].to_list() == ["cut off", "cut off"]
    assert judge.prompts == []


def test_wildfeedback_drops_a_pair_with_a_reply_that_is_cut_off(make_context: MakeContext) -> None:
    policy = script_replies("it opens at nine", cut("we sell br"))
    built = WildFeedback().build_pairs(make_context(policy, preferences_table(), judge=ScriptedGenerator(str)))
    assert built.filter(conversation_id="a")["reason"].to_list() == ["cut off"]


def test_counter_stops_above_the_allowed_share() -> None:
    counter = CutOffCounter(script_replies("whole", cut("ha"), cut("hal")))
    counter.generate([[], [], []], Sampling(5))
    assert (counter.n_replies, counter.n_cut_off) == (3, 2)
    counter.check_share(0.67, 5)
    with pytest.raises(DataError, match=r"2 of 3 replies were cut off at build_pairs.max_new_tokens: 5, .*raise"):
        counter.check_share(0.66, 5)
