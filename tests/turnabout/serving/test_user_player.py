"""Requests to turns: leaving, stops, draws, limits, and answers that depend on their request alone."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from turnabout.generation import Completion, Sampling
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.models.checkpoints import Checkpoint
from turnabout.serving.refusals import RefusedRequest
from turnabout.serving.request import ChatRequest
from turnabout.serving.user_player import UserPlayer, ServedTurn

INTENT = {"role": "system", "content": "trains"}


def request(*texts: str, **fields: Any) -> ChatRequest:
    """A request in the natural view: user first, roles in turn."""
    roles = ["user", "assistant"] * len(texts)
    said = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return ChatRequest.model_validate({"model": "user", "messages": [INTENT, *said], **fields})


@pytest.fixture
def real(user_model: Checkpoint) -> UserPlayer:
    return UserPlayer(LocalGenerator(user_model, "user", 8), user_model.chat, context_length=1024)


def saying(answer: Completion, user_model: Checkpoint, **settings: Any) -> UserPlayer:
    return UserPlayer(ScriptedGenerator(lambda _: answer), user_model.chat, **settings)


def test_the_user_model_gets_the_intent_and_the_conversation(player: UserPlayer, scripted: ScriptedGenerator) -> None:
    assert player.answer_request(request("hi", "hello")).turns == [ServedTurn("question 2?", "stop")]
    assert scripted.prompts == [[INTENT, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]]


def test_a_user_who_leaves_says_so_at_the_end_of_their_last_words(player: UserPlayer) -> None:
    left = player.answer_request(request("1", "a", "2", "b"))
    assert left.turns == [ServedTurn(f"thanks, bye{END_OF_CONVERSATION}", "stop")]


def test_who_has_left_stays_away_and_nobody_is_asked(player: UserPlayer, scripted: ScriptedGenerator) -> None:
    gone = player.answer_request(request(f"bye{END_OF_CONVERSATION}", "come back"))
    assert gone.turns == [ServedTurn(END_OF_CONVERSATION, "stop")]
    assert scripted.prompts == []


def test_the_marker_is_the_servers_own_and_is_never_spelled_by_one_who_stays(user_model: Checkpoint) -> None:
    leaves = saying(Completion("bye", ended=True), user_model, marker="###STOP###")
    assert leaves.answer_request(request("1", "a")).turns == [ServedTurn("bye###STOP###", "stop")]
    stays = saying(Completion("no ###STOP### yet"), user_model, marker="###STOP###")
    assert stays.answer_request(request("1", "a")).turns == [ServedTurn("no  yet", "stop")]


def test_nobody_leaves_before_they_said_anything(user_model: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sampling] = []
    generator = ScriptedGenerator(lambda _: "hi")
    monkeypatch.setattr(generator, "generate", lambda _, sampling: asked.append(sampling) or [Completion("hi")])
    player = UserPlayer(generator, user_model.chat)
    player.answer_request(request())
    player.answer_request(request("hi", "hello"))
    assert [sampling.may_end for sampling in asked] == [False, True]


def test_a_stop_cuts_the_turn_and_with_it_the_leaving(user_model: Checkpoint) -> None:
    player = saying(Completion("one. two. three.", ended=True), user_model)
    assert player.answer_request(request("1", "a", stop=[" three", " two"])).turns == [ServedTurn("one.", "stop")]
    assert player.answer_request(request("1", "a", stop=".")).turns == [ServedTurn("one", "stop")]


def test_a_cut_off_turn_says_so_and_tokens_are_counted(user_model: Checkpoint) -> None:
    # byte-level tokenizer: "words" 5 tokens; a finished turn has its end token, too
    cut = saying(Completion("words", truncated=True), user_model).answer_request(request(n=2))
    assert (cut.turns[0].finish, cut.n_written) == ("length", 2 * 5)
    whole = saying(Completion("words"), user_model).answer_request(request())
    # "<start>system\ntrains<end>\n" 1 + 7 + 6 + 2, "<start>user\n" 1 + 5
    assert (whole.turns[0].finish, whole.n_written, whole.n_read) == ("stop", 6, 22)


def test_a_real_model_draws_n_turns_that_its_seed_repeats(real: UserPlayer) -> None:
    first, again, other = (real.answer_request(request("hi", "hello", n=3, seed=s, max_tokens=6)) for s in (1, 1, 2))
    assert len({turn.text for turn in first.turns}) == 3
    assert first == again
    assert first != other


def test_without_a_seed_every_answer_is_another_and_at_temperature_0_none(real: UserPlayer) -> None:
    drawn, again = (real.answer_request(request("hi", "hello", max_tokens=8)) for _ in range(2))
    assert drawn != again
    greedy, again = (real.answer_request(request("hi", "hello", max_tokens=8, temperature=0)) for _ in range(2))
    assert greedy == again


def test_answers_do_not_depend_on_who_asks_at_the_same_time(real: UserPlayer) -> None:
    requests = [request("hi", "hello" * i, seed=i, max_tokens=6) for i in range(6)]
    alone = [real.answer_request(each) for each in requests]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(real.answer_request, requests)) == alone


def test_what_the_context_cannot_hold_is_refused_unless_the_oldest_may_go(
    user_model: Checkpoint, scripted: ScriptedGenerator
) -> None:
    long = request("a" * 40, "b" * 40, "last", "word", max_tokens=20)
    with pytest.raises(
        RefusedRequest, match=r"tokens came and up to 20 may be written, but the model's context is 100"
    ) as told:
        UserPlayer(scripted, user_model.chat, context_length=100).answer_request(long)
    assert told.value.code == "context_length_exceeded"
    UserPlayer(scripted, user_model.chat, context_length=100, max_prompt_tokens=60).answer_request(long)
    assert [message["content"] for message in scripted.prompts[0]] == ["trains", "last", "word"]


def test_prompt_and_answer_must_fit_together(user_model: Checkpoint, scripted: ScriptedGenerator) -> None:
    asked = request(max_tokens=20)  # of 22 tokens, as counted above
    assert UserPlayer(scripted, user_model.chat, context_length=42).answer_request(asked).n_read == 22
    with pytest.raises(RefusedRequest, match="22 tokens came"):
        UserPlayer(scripted, user_model.chat, context_length=41).answer_request(asked)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"tools": [{"type": "function"}]}, "tools"), ({"logprobs": True}, "logprobs"), ({"best_off": 3}, "best_off")],
)
def test_what_a_user_model_cannot_do_is_refused_by_name(player: UserPlayer, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedRequest, match=f"{named} came, which a user model cannot do; taken are") as refused:
        player.answer_request(request(**fields))
    assert refused.value.param == named


def test_empty_and_harmless_fields_ask_for_nothing(player: UserPlayer) -> None:
    fields = {"tools": [], "presence_penalty": 0, "logprobs": False, "response_format": {"type": "text"}, "user": "x"}
    assert player.answer_request(request(**fields, temperature=None, n=None, stop=None)).turns == [ServedTurn("question 1?", "stop")]
