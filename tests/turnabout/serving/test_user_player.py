"""Turns for requests: ends, stops, samples, limits, and reproducibility."""

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
from turnabout.serving.user_player import ServedTurn, UserPlayer

INTENT = {"role": "system", "content": "trains"}


def make_request(*texts: str, **fields: Any) -> ChatRequest:
    """Return a request in the natural view: the user first, roles in turn."""
    roles = ["user", "assistant"] * len(texts)
    dialogue = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return ChatRequest.model_validate({"model": "user", "messages": [INTENT, *dialogue], **fields})


@pytest.fixture
def real(user_model: Checkpoint) -> UserPlayer:
    return UserPlayer(LocalGenerator(user_model, "user", 8), user_model.chat, context_length=1024)


def make_player(answer: Completion, user_model: Checkpoint, **settings: Any) -> UserPlayer:
    return UserPlayer(ScriptedGenerator(lambda _: answer), user_model.chat, **settings)


def test_answer_request_gives_the_model_the_intent_and_conversation(
    player: UserPlayer, scripted: ScriptedGenerator
) -> None:
    assert player.answer_request(make_request("hi", "hello")).turns == [ServedTurn("question 2?", "stop")]
    assert scripted.prompts == [[INTENT, {"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]]


def test_turn_ends_with_the_marker_when_the_user_ends(player: UserPlayer) -> None:
    ended = player.answer_request(make_request("1", "a", "2", "b"))
    assert ended.turns == [ServedTurn(f"thanks, bye{END_OF_CONVERSATION}", "stop")]


def test_turn_after_the_end_is_the_marker_without_a_model_call(player: UserPlayer, scripted: ScriptedGenerator) -> None:
    after_end = player.answer_request(make_request(f"bye{END_OF_CONVERSATION}", "come back"))
    assert after_end.turns == [ServedTurn(END_OF_CONVERSATION, "stop")]
    assert scripted.prompts == []


def test_own_marker_is_used_and_removed_from_other_turns(user_model: Checkpoint) -> None:
    ends = make_player(Completion("bye", ended=True), user_model, marker="###STOP###")
    assert ends.answer_request(make_request("1", "a")).turns == [ServedTurn("bye###STOP###", "stop")]
    goes_on = make_player(Completion("no ###STOP### yet"), user_model, marker="###STOP###")
    assert goes_on.answer_request(make_request("1", "a")).turns == [ServedTurn("no  yet", "stop")]


def test_user_cannot_end_before_their_first_turn(user_model: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sampling] = []
    generator = ScriptedGenerator(lambda _: "hi")

    def generate(_: object, sampling: Sampling) -> list[Completion]:
        asked.append(sampling)
        return [Completion("hi")]

    monkeypatch.setattr(generator, "generate", generate)
    player = UserPlayer(generator, user_model.chat)
    player.answer_request(make_request())
    player.answer_request(make_request("hi", "hello"))
    assert [sampling.may_end for sampling in asked] == [False, True]


def test_stop_text_cuts_the_turn_and_the_marker(user_model: Checkpoint) -> None:
    player = make_player(Completion("one. two. three.", ended=True), user_model)
    assert player.answer_request(make_request("1", "a", stop=[" three", " two"])).turns == [ServedTurn("one.", "stop")]
    assert player.answer_request(make_request("1", "a", stop=".")).turns == [ServedTurn("one", "stop")]


def test_truncated_turn_has_finish_reason_length_and_counts_tokens(user_model: Checkpoint) -> None:
    # byte-level tokenizer: "words" 5 tokens; a finished turn has its end token, too
    cut = make_player(Completion("words", truncated=True), user_model).answer_request(make_request(n=2))
    assert (cut.turns[0].finish, cut.n_written) == ("length", 2 * 5)
    whole = make_player(Completion("words"), user_model).answer_request(make_request())
    # "<start>system\ntrains<end>\n" 1 + 7 + 6 + 2, "<start>user\n" 1 + 5
    assert (whole.turns[0].finish, whole.n_written, whole.n_read) == ("stop", 6, 22)


def test_n_samples_differ_and_are_repeated_by_the_same_seed(real: UserPlayer) -> None:
    requests = [make_request("hi", "hello", n=3, seed=seed, max_tokens=6) for seed in (1, 1, 2)]
    first, again, other = map(real.answer_request, requests)
    assert len({turn.text for turn in first.turns}) == 3
    assert first == again
    assert first != other


def test_answers_without_seed_differ_unless_temperature_is_0(real: UserPlayer) -> None:
    drawn, again = (real.answer_request(make_request("hi", "hello", max_tokens=8)) for _ in range(2))
    assert drawn != again
    greedy, again = (real.answer_request(make_request("hi", "hello", max_tokens=8, temperature=0)) for _ in range(2))
    assert greedy == again


def test_answers_do_not_depend_on_concurrent_requests(real: UserPlayer) -> None:
    requests = [make_request("hi", "hello" * i, seed=i, max_tokens=6) for i in range(6)]
    alone = [real.answer_request(request) for request in requests]
    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(real.answer_request, requests)) == alone


def test_too_long_conversation_is_refused_unless_old_messages_may_go(
    user_model: Checkpoint, scripted: ScriptedGenerator
) -> None:
    long = make_request("a" * 40, "b" * 40, "last", "word", max_tokens=20)
    with pytest.raises(
        RefusedRequest, match=r"tokens and the turn up to 20, but the model's context is 100"
    ) as refused:
        UserPlayer(scripted, user_model.chat, context_length=100).answer_request(long)
    assert refused.value.code == "context_length_exceeded"
    UserPlayer(scripted, user_model.chat, context_length=100, max_prompt_tokens=60).answer_request(long)
    assert [message["content"] for message in scripted.prompts[0]] == ["trains", "last", "word"]


def test_prompt_and_turn_must_fit_the_context_together(user_model: Checkpoint, scripted: ScriptedGenerator) -> None:
    short = make_request(max_tokens=20)  # of 22 tokens, as counted above
    assert UserPlayer(scripted, user_model.chat, context_length=42).answer_request(short).n_read == 22
    with pytest.raises(RefusedRequest, match="the prompt has 22 tokens"):
        UserPlayer(scripted, user_model.chat, context_length=41).answer_request(short)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"tools": [{"type": "function"}]}, "tools"), ({"logprobs": True}, "logprobs"), ({"best_off": 3}, "best_off")],
)
def test_unsupported_fields_are_refused_by_name(player: UserPlayer, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedRequest, match=f"{named}: not supported by a user model; supported are") as refused:
        player.answer_request(make_request(**fields))
    assert refused.value.param == named


def test_empty_and_ignored_fields_change_nothing(player: UserPlayer) -> None:
    fields = {"tools": [], "presence_penalty": 0, "logprobs": False, "response_format": {"type": "text"}, "user": "x"}
    answer = player.answer_request(make_request(**fields, temperature=None, n=None, stop=None))
    assert answer.turns == [ServedTurn("question 1?", "stop")]
