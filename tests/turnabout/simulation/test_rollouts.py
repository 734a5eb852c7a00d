"""Rollouts between scripted speakers: order, endings, guards."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.chat_format import ChatFormat
from turnabout.models.checkpoints import load_checkpoint
from turnabout.simulation.guards import UserGuard
from turnabout.simulation.rollouts import Simulate, simulate_conversations
from turnabout.simulation.users import PromptedUser, ScriptedUser, Situation, TrainedUser, User

TASKS = pl.DataFrame({"conversation_id": ["t1", "t2"], "intent": ["talk about trains", "talk about tea"]})


@pytest.fixture
def chat(tiny_checkpoint: Path) -> ChatFormat:
    return load_checkpoint(tiny_checkpoint, "float32").chat


def settings(**changes: object) -> Simulate:
    base = {"user": "trained", "conversations": 2, "max_exchanges": 3, "user_tokens": 9, "assistant_tokens": 9}
    rules = {"min_exchanges": 1, "forbidden_openings": []}
    window = {"max_prompt_tokens": 500, "temperature": 1.0, "top_p": 0.9, "min_words": 1, "max_words": 5}
    return Simulate.model_validate({**base, **window, **rules, "max_resamples": 1, **changes})


def run(user: User, chat: ChatFormat, **changes: object) -> pl.DataFrame:
    echo = ScriptedGenerator(lambda prompt: f"you said {prompt[-1]['content']}")
    return simulate_conversations(user, echo, TASKS, chat=chat, settings=settings(**changes), policy="echo", seed=5)


def test_both_sides_alternate_until_the_user_ends_it(chat: ChatFormat) -> None:
    table = run(ScriptedUser(["hi", "bye"]), chat).filter(task_id="t1")
    assert table.schema == schemas.ROLLOUTS
    assert table.select("role", "text").rows() == [
        ("user", "hi"),
        ("assistant", "you said hi"),
        ("user", "bye"),
        ("assistant", "you said bye"),
        ("user", ""),
    ]
    assert table["ended_by"].to_list() == [None] * 4 + ["end_token"]


def test_turn_limit_ends_a_conversation_after_a_reply(chat: ChatFormat) -> None:
    table = run(ScriptedUser(["a", "b", "c"]), chat, max_exchanges=2)
    assert table.filter(task_id="t2").height == 4
    assert table.drop_nulls("ended_by").select("role", "ended_by").rows() == [("assistant", "max_turns")] * 2


def test_silent_user_ends_the_conversation(chat: ChatFormat) -> None:
    table = run(ScriptedUser([""]), chat)
    assert table.select("role", "ended_by").rows() == [("user", "silence")] * 2


def test_reply_that_is_cut_off_ends_the_conversation(chat: ChatFormat) -> None:
    assistant = ScriptedGenerator(lambda _: Completion("we are open from ni", truncated=True))
    user = ScriptedUser(["hi", "bye"])
    table = simulate_conversations(user, assistant, TASKS, chat=chat, settings=settings(), policy="cut", seed=5)
    columns = table.filter(task_id="t1").select("role", "text", "faults", "ended_by")
    assert columns.rows() == [("user", "hi", [], None), ("assistant", "we are open from ni", ["cut_off"], "cut_off")]


def test_user_turn_that_is_cut_off_ends_the_conversation(chat: ChatFormat) -> None:
    user = TrainedUser(ScriptedGenerator(lambda _: Completion("could you te", truncated=True)))
    table = run(user, chat).filter(task_id="t1")
    assert table.select("role", "text", "ended_by").rows() == [("user", "could you te", "cut_off")]


def test_trained_user_reads_intent_and_history_in_its_own_roles(chat: ChatFormat) -> None:
    model = ScriptedGenerator(lambda prompt: f"turn {len(prompt)}")
    run(TrainedUser(model), chat, max_exchanges=2)
    assert model.prompts[0] == [{"role": "system", "content": "talk about trains"}]
    assert [m["role"] for m in model.prompts[2]] == ["system", "user", "assistant"]


def test_prompted_user_reads_exchanged_roles_and_ends_in_text() -> None:
    model = ScriptedGenerator(lambda _: "ok then <|endconversation|> junk")
    history: list[Message] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    user = PromptedUser(model)
    assert user.speak([Situation("talk", history)], Sampling(5)) == [Completion("ok then", ended=True)]
    assert user.speak([Situation("talk", history)], Sampling(5, may_end=False)) == [Completion("ok then")]
    assert [m["role"] for m in model.prompts[0]] == ["system", "user", "assistant", "user"]


def test_turn_with_a_fault_is_resampled_and_counted(chat: ChatFormat) -> None:
    class TooLongOnce:
        name = "too long once"
        calls = 0

        def speak(self, situations: Sequence[Situation], sampling: object) -> list[Completion]:
            self.calls += 1
            text = "one two three four five six" if self.calls == 1 else "fine"
            return [Completion(text) for _ in situations]

    first = UserGuard(1, 5, 2).speak(TooLongOnce(), [Situation("x", [])], sampling=Sampling(5))[0]
    assert (first.turn.text, first.resamples, first.faults) == ("fine", 1, ["too long"])


def test_user_may_end_after_min_exchanges(chat: ChatFormat) -> None:
    class RecordingUser:
        name = "recording"

        def __init__(self) -> None:
            self.may_end: list[bool] = []

        def speak(self, situations: Sequence[Situation], sampling: Sampling) -> list[Completion]:
            self.may_end.append(sampling.may_end)
            return [Completion(f"turn {len(self.may_end)}") for _ in situations]

    for min_exchanges, expected in ((1, [False, True, True]), (2, [False, False, True]), (3, [False] * 3)):
        user = RecordingUser()
        run(user, chat, min_exchanges=min_exchanges)
        assert user.may_end == expected


def test_forbidden_openings_are_resampled_and_counted(chat: ChatFormat) -> None:
    table = run(ScriptedUser(["I do"]), chat, forbidden_openings=["I"], max_exchanges=1).filter(role="user")
    assert table["faults"].to_list() == [["forbidden opening"] * 2] * 2  # a script repeats itself


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "too short"),
        ("one two three four five six", "too long"),
        ("HI  there", "repeats itself"),
        ("talk all about old trains", "copies the intent"),
        ("what about tea", None),
    ],
)
def test_find_fault_of_unnatural_turns(text: str, fault: str | None) -> None:
    history: list[Message] = [{"role": "user", "content": "hi there"}, {"role": "assistant", "content": "hello"}]
    situation = Situation("You want to talk all about old trains.", history)
    assert UserGuard(1, 5, 0).find_fault(Completion(text), situation) == fault
    assert UserGuard(1, 5, 0).find_fault(Completion("", ended=True), situation) is None
