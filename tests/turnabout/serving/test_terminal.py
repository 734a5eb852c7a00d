"""Chats in the terminal with scripted input: both sides, commands and ends."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from tests.served_user import ask_twice_then_end
from turnabout.generation import Completion, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import Checkpoint
from turnabout.serving.chat_session import ChatSession
from turnabout.serving.terminal import Terminal

SAMPLING = Sampling(16, 1.0)
Typed = Callable[..., str]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Return a function that runs a chat and returns what the terminal shows.

    `typed(session, "hi", …)` types these lines and ends the input.
    """

    def show(session: ChatSession, *lines: str) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        screen = io.StringIO()
        Terminal(session, Console(file=screen, width=200, highlight=False)).run()
        return screen.getvalue()

    return show


@pytest.fixture
def user(scripted: ScriptedGenerator, user_model: Checkpoint) -> ChatSession:
    return ChatSession(scripted, user_model.chat, role="user", sampling=SAMPLING, context_length=1024, intent="trains")


def test_user_opens_asks_and_ends_and_further_messages_are_ignored(typed: Typed, user: ChatSession) -> None:
    shown = typed(user, "one", "two", "stay!")
    expected = [
        "intent: trains",
        "user: question 1?",
        "user: question 2?",
        "user: thanks, bye",
        "The user ends the conversation.",
    ]
    positions = [shown.index(text) for text in expected]
    assert positions == sorted(positions)
    assert "The user has ended the conversation" in shown
    assert user.history[-1]["content"] == "thanks, bye"


def test_again_generates_the_last_turn_again_even_after_the_end(
    typed: Typed, user: ChatSession, scripted: ScriptedGenerator
) -> None:
    typed(user, "one", "/again", "/quit", "never read")
    assert [len(prompt) for prompt in scripted.prompts] == [1, 3, 3]
    assert scripted.prompts[1] == scripted.prompts[2]
    assert [message["content"] for message in user.history] == ["question 1?", "one", "question 2?"]


def test_intent_starts_over_with_the_new_intent_or_the_old_one(typed: Typed, user: ChatSession) -> None:
    typed(user, "one", "/intent planes")
    assert (user.intent, len(user.history)) == ("planes", 1)
    typed(user, "/intent")
    assert user.intent == "planes"


def open_assistant(generator: ScriptedGenerator, model: Checkpoint, context_length: int) -> ChatSession:
    return ChatSession(generator, model.chat, role="assistant", sampling=SAMPLING, context_length=context_length)


def test_chat_with_an_assistant_has_no_system_message(typed: Typed, user_model: Checkpoint) -> None:
    helper = ScriptedGenerator(lambda prompt: f"answer to [{prompt[-1]['content']}]")
    session = open_assistant(helper, user_model, 1024)
    shown = typed(session, "/again", "", "[b]hi[/b]", "/intent x")
    assert helper.prompts == [[{"role": "user", "content": "[b]hi[/b]"}]]
    assert "assistant: answer to [[b]hi[/b]]" in shown  # shown as it is, no markup
    assert shown.count("is not available here") == 2


def test_ctrl_c_ends_the_chat_cleanly(user: ChatSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    screen = io.StringIO()
    console = Console(file=screen)
    monkeypatch.setattr(console, "input", interrupted)
    Terminal(user, console).run()
    assert screen.getvalue().endswith("\n")


def test_too_long_message_prints_an_error_and_is_removed(typed: Typed, user_model: Checkpoint) -> None:
    session = open_assistant(ScriptedGenerator(lambda _: "ok"), user_model, 100)
    shown = typed(session, "x" * 200, "hi")
    assert "too long: " in shown
    assert [message["content"] for message in session.history] == ["hi", "ok"]


def test_too_long_intent_prints_an_error(typed: Typed, scripted: ScriptedGenerator, user_model: Checkpoint) -> None:
    session = ChatSession(
        scripted, user_model.chat, role="user", sampling=SAMPLING, context_length=100, intent="x" * 200
    )
    assert "too long: " in typed(session, "/intent trains")
    assert [message["content"] for message in session.history] == ["question 1?"]


def test_generate_turn_drops_old_messages_that_do_not_fit(user_model: Checkpoint) -> None:
    generator = ScriptedGenerator(lambda _: Completion("y" * 20))
    session = ChatSession(
        generator,
        user_model.chat,
        role="user",
        sampling=SAMPLING,
        context_length=120,
        intent="trains",
    )
    session.generate_turn()
    for _ in range(4):
        session.add_message("x" * 20)
        session.generate_turn()
    assert len(session.history) == 9
    # 120 - 16 new, less "<start>user\n" 6, leaves 98: system 1 + 7 + 6 + 2, user 1 + 5 + 20 + 2, assistant 5 more
    assert [message["role"] for message in generator.prompts[-1]] == ["system", "user", "assistant"]


def test_generate_turn_differs_on_the_next_call_and_shows_no_bar(
    user_model: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", screen)
    session = ChatSession(
        LocalGenerator(user_model, "user", 1),
        user_model.chat,
        role="user",
        sampling=SAMPLING,
        context_length=1024,
        intent="trains",
    )
    first = session.generate_turn()
    session.undo_last_turn()
    assert session.generate_turn() != first
    assert screen.getvalue() == ""


def test_user_may_end_only_after_their_first_turn(user_model: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end: list[bool] = []
    generator = ScriptedGenerator(ask_twice_then_end)

    def generate(_: object, sampling: Sampling) -> list[Completion]:
        may_end.append(sampling.may_end)
        return [Completion("hi")]

    monkeypatch.setattr(generator, "generate", generate)
    session = ChatSession(
        generator, user_model.chat, role="user", sampling=SAMPLING, context_length=None, intent="trains"
    )
    session.generate_turn()
    session.add_message("hello")
    session.generate_turn()
    assert may_end == [False, True]
