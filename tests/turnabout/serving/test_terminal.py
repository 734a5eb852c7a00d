"""Talks in the terminal, typed by a script: both sides, the commands, leaving, and a clean end."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from tests.served_user import asks_twice_and_leaves
from turnabout.core.messages import Message
from turnabout.generation import Completion, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import Checkpoint
from turnabout.serving.conversation import ChatSession
from turnabout.serving.terminal import Terminal

SAMPLING = Sampling(16, 1.0)
Typed = Callable[..., str]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """`typed(talk, "hi", …)` → what the terminal shows for these lines and the end of the input."""

    def show(talk: ChatSession, *lines: str) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        console = Console(file=io.StringIO(), width=200, highlight=False)
        Terminal(talk, console).run()
        return console.file.getvalue()

    return show


@pytest.fixture
def user(scripted: ScriptedGenerator, user_model: Checkpoint) -> ChatSession:
    return ChatSession(scripted, user_model.chat, "user", SAMPLING, 1024, "trains")


def test_the_user_opens_asks_leaves_and_then_hears_nothing(typed: Typed, user: ChatSession) -> None:
    shown = typed(user, "one", "two", "stay!")
    wanted = ["intent: trains", "user: question 1?", "user: question 2?", "user: thanks, bye", "The user leaves."]
    places = [shown.index(text) for text in wanted]
    assert places == sorted(places)
    assert "has left and hears nothing" in shown
    assert user.history[-1]["content"] == "thanks, bye"


def test_again_has_the_last_turn_drawn_anew_even_a_leaving(
    typed: Typed, user: ChatSession, scripted: ScriptedGenerator
) -> None:
    typed(user, "one", "/again", "/quit", "never read")
    assert [len(prompt) for prompt in scripted.prompts] == [1, 3, 3]
    assert scripted.prompts[1] == scripted.prompts[2]
    assert [message["content"] for message in user.history] == ["question 1?", "one", "question 2?"]


def test_a_new_intent_starts_over_and_alone_it_repeats_the_old_one(typed: Typed, user: ChatSession) -> None:
    typed(user, "one", "/intent planes")
    assert (user.intent, len(user.history)) == ("planes", 1)
    typed(user, "/intent")
    assert user.intent == "planes"


def test_one_talks_to_an_assistant_without_a_system_message(typed: Typed, user_model: Checkpoint) -> None:
    helper = ScriptedGenerator(lambda prompt: f"answer to [{prompt[-1]['content']}]")
    shown = typed(ChatSession(helper, user_model.chat, "assistant", SAMPLING, 1024), "/again", "", "[b]hi[/b]", "/intent x")
    assert helper.prompts == [[{"role": "user", "content": "[b]hi[/b]"}]]
    assert "assistant: answer to [[b]hi[/b]]" in shown  # shown as it is, no markup
    assert shown.count("cannot be done here") == 2


def test_ctrl_c_ends_cleanly(user: ChatSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    console = Console(file=io.StringIO())
    monkeypatch.setattr(console, "input", interrupted)
    Terminal(user, console).run()
    assert console.file.getvalue().endswith("\n")


def test_a_message_that_is_too_long_is_told_and_forgotten(typed: Typed, user_model: Checkpoint) -> None:
    talk = ChatSession(ScriptedGenerator(lambda _: "ok"), user_model.chat, "assistant", SAMPLING, 100)
    shown = typed(talk, "x" * 200, "hi")
    assert "too long: " in shown
    assert [message["content"] for message in talk.history] == ["hi", "ok"]


def test_an_intent_that_is_too_long_is_told_too(
    typed: Typed, scripted: ScriptedGenerator, user_model: Checkpoint
) -> None:
    talk = ChatSession(scripted, user_model.chat, "user", SAMPLING, 100, "x" * 200)
    assert "too long: " in typed(talk, "/intent trains")
    assert [message["content"] for message in talk.history] == ["question 1?"]


def test_old_messages_make_room_for_new_ones(user_model: Checkpoint) -> None:
    seen: list[list[Message]] = []
    talk = ChatSession(
        ScriptedGenerator(lambda prompt: seen.append(list(prompt)) or Completion("y" * 20)),
        user_model.chat,
        "user",
        SAMPLING,
        120,
        "trains",
    )
    talk.generate_turn()
    for _ in range(4):
        talk.add_message("x" * 20)
        talk.generate_turn()
    assert len(talk.history) == 9
    # 120 - 16 new, less "<start>user\n" 6, leaves 98: system 1 + 7 + 6 + 2, user 1 + 5 + 20 + 2, assistant 5 more
    assert [message["role"] for message in seen[-1]] == ["system", "user", "assistant"]


def test_a_real_model_is_drawn_differently_again_and_shows_no_bar(
    user_model: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", screen)
    talk = ChatSession(LocalGenerator(user_model, "user", 1), user_model.chat, "user", SAMPLING, 1024, "trains")
    first = talk.generate_turn()
    talk.undo_last_turn()
    assert talk.generate_turn() != first
    assert screen.getvalue() == ""


def test_a_user_may_leave_only_after_their_first_turn(user_model: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    generator = ScriptedGenerator(asks_twice_and_leaves)
    monkeypatch.setattr(generator, "generate", lambda _, how: asked.append(how.may_end) or [Completion("hi")])
    talk = ChatSession(generator, user_model.chat, "user", SAMPLING, None, "trains")
    talk.generate_turn()
    talk.add_message("hello")
    talk.generate_turn()
    assert asked == [False, True]
