"""An endpoint on a bad day: everything completes, nothing is paid twice, and what cannot be mended is told plainly."""

import asyncio
import logging
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from benchmarks import faulty_endpoint
from benchmarks.faulty_endpoint import FAULTS, FaultyEndpoint, echo, unlucky
from tests.turnabout.generation.conftest import KEY
from turnabout.core.messages import Message
from turnabout.errors import ConfigError, EndpointError
from turnabout.generation import Completion, Sampling
from turnabout.generation.endpoint.generator import RemoteGenerator
from turnabout.generation.endpoint.responses import asked_wait

Build = Callable[..., RemoteGenerator]
Prompts = list[list[Message]]


def always(status: int, **error: Any) -> Callable[[str, int], tuple[int, dict[str, Any]]]:
    return lambda *_: (status, {"error": error})


@pytest.fixture(autouse=True)
def _short_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty_endpoint, "HANG_S", 0.3)
    monkeypatch.setattr(faulty_endpoint, "RETRY_AFTER_S", 0.02)


def test_with_faults_in_a_third_of_the_calls_all_is_answered_and_nothing_paid_twice(
    author: Build, prompts: Prompts
) -> None:
    with FaultyEndpoint(unlucky(0.3, seed=1)) as server:
        answers = author(server.url).generate(prompts, Sampling(20))
        again = author(server.url).generate(prompts, Sampling(20))
    assert [answer.text for answer in answers] == [f"answer to question {i}" for i in range(40)]
    assert again == answers
    assert set(server.answered.values()) == {1}
    assert len(server.answered) == 40
    assert sum(server.fates.values()) > 40


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_passes(author: Build, prompts: Prompts, fault: str) -> None:
    with FaultyEndpoint(lambda _, attempt: fault if attempt == 0 else "answer") as server:
        answers = author(server.url).generate(prompts[:2], Sampling(20))
    assert [answer.text for answer in answers] == ["answer to question 0", "answer to question 1"]
    assert server.fates == {fault: 2, "answer": 2}


def test_an_answer_that_does_not_come_is_not_waited_for(
    author: Build, prompts: Prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faulty_endpoint, "HANG_S", 6.0)
    with FaultyEndpoint(lambda _, attempt: "hang" if attempt == 0 else "answer") as server:
        started = time.monotonic()
        author(server.url, timeout_s=1.0).generate(prompts[:1], Sampling(20))
        assert time.monotonic() - started < 6.0


def test_all_calls_wait_when_the_server_asks_for_it(
    author: Build, prompts: Prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faulty_endpoint, "RETRY_AFTER_S", 0.4)
    times: list[float] = []

    def fate(_: str, attempt: int) -> str:
        times.append(time.monotonic())
        return "429" if len(times) == 1 else "answer"

    with FaultyEndpoint(fate) as server:
        author(server.url, concurrency=1).generate(prompts[:3], Sampling(20))
    assert times[1] - times[0] >= 0.4


def test_no_more_calls_are_under_way_than_allowed(author: Build, prompts: Prompts) -> None:
    def slowly(body: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.01)
        return echo(body)

    with FaultyEndpoint(lambda *_: "answer", slowly) as server:
        author(server.url, concurrency=3).generate(prompts, Sampling(20))
    assert server.most_at_once == 3


def test_a_greedy_prompt_is_asked_once_and_a_drawn_one_as_often_as_it_stands_there(
    author: Build, prompts: Prompts
) -> None:
    with FaultyEndpoint(lambda *_: "answer") as server:
        model = author(server.url)
        model.generate([prompts[0]] * 3, Sampling(20))
        assert len(server.asked) == 1
        model.generate([prompts[0]] * 3, Sampling(20, temperature=1.0, seed=7))
    assert sorted(body["seed"] for body in server.asked[1:]) == [7, 8, 9]


@pytest.mark.parametrize(
    ("fate", "told"),
    [
        (always(401, message=f"Incorrect API key: {KEY}"), r"refuses the key \(status 401\).*API key: \[key\]"),
        (always(404, message="The model `big` does not exist"), "check `model` and `base_url`: The model `big`"),
        (always(429, message="pay first", code="insufficient_quota"), "no money left"),
        (always(400, message="unknown field seed", code="bad"), r"refuses the call \(status 400, bad\): unknown field"),
    ],
)
def test_what_no_patience_mends_fails_at_once_and_never_tells_the_key(
    author: Build, prompts: Prompts, fate: Any, told: str
) -> None:
    with FaultyEndpoint(fate) as server, pytest.raises(EndpointError, match=told) as caught:
        author(server.url, concurrency=2).generate(prompts, Sampling(20))
    assert len(server.asked) <= 2
    assert KEY not in "".join(traceback.format_exception(caught.value))
    seen: BaseException | None = caught.value
    while seen is not None:
        assert KEY not in repr(vars(seen)) + repr(seen.args)
        seen = seen.__cause__ or seen.__context__


def test_a_server_that_answers_nobody_ends_the_run_and_what_came_before_is_kept(
    author: Build, prompts: Prompts
) -> None:
    with FaultyEndpoint(lambda *_: "answer") as server:
        author(server.url).generate(prompts[:5], Sampling(20))
        server.fate = lambda *_: "500"
        told = r"answers nobody: 3 tries .* status 500. 5 of these 40 answers are kept"
        with pytest.raises(EndpointError, match=told):
            author(server.url, retries=2).generate(prompts, Sampling(20))
        server.fate = lambda *_: "answer"
        author(server.url).generate(prompts, Sampling(20))
    assert set(server.answered.values()) == {1}


def test_once_the_run_cannot_go_on_nobody_waits_for_a_further_try(
    author: Build, prompts: Prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnabout.generation.endpoint.client.FIRST_WAIT_S", 60.0)

    def fate(prompt: str, _: int) -> Any:
        if "question 0" in prompt:
            return "500"
        time.sleep(0.3)
        return always(401)("", 0)

    started = time.monotonic()
    with FaultyEndpoint(fate) as server, pytest.raises(EndpointError, match="status 401"):
        author(server.url, concurrency=2).generate(prompts[:2], Sampling(20))
    assert time.monotonic() - started < 20


def test_an_answer_without_a_choice_is_asked_for_again(author: Build, prompts: Prompts) -> None:
    bare = iter([{"choices": []}, {"error": None}])
    with FaultyEndpoint(lambda *_: "answer", lambda body: next(bare, None) or echo(body)) as server:
        assert author(server.url).generate(prompts[:1], Sampling(20)) == [Completion("answer to question 0")]
    assert len(server.asked) == 3


def test_no_server_at_all_is_told(author: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(lambda *_: "answer") as server:
        url = server.url
    with pytest.raises(EndpointError, match="no connection, or a broken one"):
        author(url, retries=1).generate(prompts[:1], Sampling(20))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "context_length_exceeded"}, "context too long"),
        ({"message": "maximum context length is 4096 tokens"}, "context too long"),
        ({"code": "content_filter", "message": "not this"}, "content refused"),
    ],
)
def test_a_prompt_that_is_refused_costs_no_other_one(
    author: Build, prompts: Prompts, capsys: pytest.CaptureFixture[str], error: dict[str, str], reason: str
) -> None:
    with FaultyEndpoint(lambda prompt, _: (400, {"error": error}) if "question 1" in prompt else "answer") as server:
        answers = author(server.url).generate(prompts[:3], Sampling(20, prefill="Well,"))
    assert answers[1] == Completion("", refused=reason)
    assert answers[2].text == "Well, answer to question 2\n\nYour answer must begin with exactly this: Well,"
    assert f"1 prompts: {reason} (1)" in capsys.readouterr().err


def test_a_prompt_that_alone_gets_no_answer_is_left_out_and_asked_again_by_the_next_run(
    author: Build, prompts: Prompts
) -> None:
    with FaultyEndpoint(lambda prompt, _: "500" if "question 0" in prompt else "answer") as server:
        answers = author(server.url, retries=2, concurrency=2).generate(prompts, Sampling(20))
        assert answers[0] == Completion("", refused="no answer")
        assert sum(answer.refused is None for answer in answers) == 39
        server.fate = lambda *_: "answer"
        assert author(server.url).generate(prompts, Sampling(20))[0].text == "answer to question 0"
    assert set(server.answered.values()) == {1}


def test_a_server_that_wants_to_be_left_alone_for_long_is(author: Build, prompts: Prompts) -> None:
    fate = (429, {"headers": {"Retry-After": "3600"}})
    with FaultyEndpoint(lambda *_: fate) as server, pytest.raises(EndpointError, match="left alone for 3,600 s"):
        author(server.url).generate(prompts[:1], Sampling(20))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
    ],
)
def test_a_wait_comes_in_seconds_or_as_a_date_with_any_zone_or_none(header: str, seconds: float | None) -> None:
    assert asked_wait({"retry-after": header}) == seconds


def test_a_date_ahead_is_waited_for() -> None:
    ahead = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < (asked_wait({"retry-after": ahead}) or 0) <= 90


def test_a_wait_of_nothing_does_not_use_up_all_tries_at_once(
    author: Build, prompts: Prompts, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []
    monkeypatch.setattr("turnabout.generation.endpoint.client.waiting_s", lambda n: waits.append(n) or 0.0)  # type: ignore[func-returns-value]
    busy = (503, {"headers": {"Retry-After": "0"}})
    with FaultyEndpoint(lambda _, attempt: busy if attempt < 2 else "answer") as server:
        author(server.url, retries=2).generate(prompts[:1], Sampling(20))
    assert waits == [1, 2]  # our own back-off, after each fault


def test_calls_are_made_where_an_event_loop_runs_already(author: Build, prompts: Prompts) -> None:
    async def in_a_notebook() -> list[Completion]:
        return author(server.url).generate(prompts[:3], Sampling(20))

    with FaultyEndpoint(lambda *_: "answer") as server:
        answers = asyncio.run(in_a_notebook())
    assert [answer.text for answer in answers] == [f"answer to question {i}" for i in range(3)]


def test_the_key_is_sent_and_found_nowhere_else(
    author: Build, prompts: Prompts, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def repeats_the_key(body: dict[str, Any]) -> dict[str, Any]:
        said = echo(body)
        said["choices"][0]["message"]["content"] = f"you sent {KEY}"
        return said

    caplog.set_level(logging.DEBUG)
    with FaultyEndpoint(unlucky(0.3, seed=2), repeats_the_key) as server:
        model = author(server.url)
        answers = model.generate(prompts[:10], Sampling(20))
    assert server.keys == {f"Bearer {KEY}"}
    assert answers[0].text == "you sent [key]"
    printed = capfd.readouterr()
    everything = printed.out + printed.err + caplog.text + repr(vars(model)) + repr(vars(model.calls))
    assert KEY not in everything
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_key_that_is_not_set_is_told_by_the_name_of_its_variable(author: Build) -> None:
    with pytest.raises(ConfigError, match="environment variable NO_SUCH_KEY is not set"):
        author("http://127.0.0.1:9/v1", key="NO_SUCH_KEY")


def test_a_server_without_keys_gets_none(author: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(lambda *_: "answer") as server:
        author(server.url, key=None).generate(prompts[:1], Sampling(20))
    assert server.keys == {"Bearer none"}
