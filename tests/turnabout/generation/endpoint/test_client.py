"""Tests of the endpoint client against a server that fails.

Every prompt is answered, nothing is paid for twice, and errors that retries cannot fix are explained.
"""

import asyncio
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.turnabout.generation.conftest import KEY
from turnabout.core.messages import Message
from turnabout.errors import ConfigError, EndpointError
from turnabout.generation import Completion, Sampling
from turnabout.generation.endpoint.client import FIRST_BACKOFF_S
from turnabout.generation.endpoint.generator import RemoteGenerator
from turnabout.generation.endpoint.responses import parse_retry_after
from turnabout.generation.testing import FAULTS, FaultyEndpoint, ManualClock, echo, fail_randomly

Build = Callable[..., RemoteGenerator]
Prompts = list[list[Message]]
NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)


def fail_with(status: int, **error: Any) -> Callable[[str, int], tuple[int, dict[str, Any]]]:
    """A plan in which every call fails with this status and error."""
    return lambda *_: (status, {"error": error})


def test_client_answers_all_prompts_when_a_third_of_calls_fail(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(fail_randomly(0.3, seed=1), hang_s=0.05) as server:
        answers = generator(server.url).generate(prompts, Sampling(20))
        again = generator(server.url).generate(prompts, Sampling(20))
    assert [answer.text for answer in answers] == [f"answer to question {i}" for i in range(40)]
    assert again == answers
    assert set(server.answered.values()) == {1}
    assert len(server.answered) == 40
    assert sum(server.outcomes.values()) > 40


@pytest.mark.parametrize("fault", FAULTS)
def test_client_sends_a_prompt_again_after_each_fault(generator: Build, prompts: Prompts, fault: str) -> None:
    with FaultyEndpoint(lambda _, attempt: fault if attempt == 0 else "answer", hang_s=0.05) as server:
        answers = generator(server.url).generate(prompts[:2], Sampling(20))
    assert [answer.text for answer in answers] == ["answer to question 0", "answer to question 1"]
    assert server.outcomes == {fault: 2, "answer": 2}


def test_client_abandons_a_hanging_call_after_timeout_s(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(lambda _, attempt: "hang" if attempt == 0 else "answer", hang_s=60.0) as server:
        generator(server.url, timeout_s=0.5).generate(prompts[:1], Sampling(20))
        assert server.n_at_once == 1  # the first call hangs until the server closes


def test_all_calls_wait_for_retry_after(generator: Build, prompts: Prompts) -> None:
    clock, times = ManualClock(), list[float]()

    def plan(_: str, attempt: int) -> str:
        times.append(clock.now())
        return "429" if len(times) == 1 else "answer"

    with FaultyEndpoint(plan, retry_after_s=40.0) as server:
        generator(server.url, clock, concurrency=1).generate(prompts[:3], Sampling(20))
    assert 40.0 <= times[1] - times[0] <= 1.25 * 40.0
    assert clock.waits == [times[1]]


def test_calls_under_way_never_exceed_concurrency(generator: Build, prompts: Prompts) -> None:
    meeting = threading.Barrier(3, timeout=10)  # an answer comes once three calls are under way

    def answer_together(body: dict[str, Any]) -> dict[str, Any]:
        meeting.wait()
        return echo(body)

    with FaultyEndpoint(answer=answer_together) as server:
        generator(server.url, concurrency=3).generate(prompts[:39], Sampling(20))
    assert server.max_at_once == 3


def test_repeated_prompt_is_sent_once_when_greedy_and_again_when_drawn(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint() as server:
        model = generator(server.url)
        model.generate([prompts[0]] * 3, Sampling(20))
        assert len(server.bodies) == 1
        model.generate([prompts[0]] * 3, Sampling(20, temperature=1.0, seed=7))
    assert sorted(body["seed"] for body in server.bodies[1:]) == [7, 8, 9]


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (fail_with(401, message=f"Incorrect API key: {KEY}"), r"refuses the key \(status 401\).*API key: \[key\]"),
        (fail_with(404, message="The model `big` does not exist"), "check `model` and `base_url`: The model `big`"),
        (fail_with(429, message="pay first", code="insufficient_quota"), "no money left"),
        (
            fail_with(400, message="unknown field seed", code="bad"),
            r"refuses the call \(status 400, bad\): unknown field",
        ),
    ],
)
def test_permanent_error_stops_the_run_without_the_key(
    generator: Build, prompts: Prompts, plan: Any, message: str
) -> None:
    with FaultyEndpoint(plan) as server, pytest.raises(EndpointError, match=message) as caught:
        generator(server.url, concurrency=2).generate(prompts, Sampling(20))
    assert len(server.bodies) <= 2
    assert KEY not in "".join(traceback.format_exception(caught.value))
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in repr(vars(error)) + repr(error.args)
        error = error.__cause__ or error.__context__


def test_run_stops_and_keeps_answers_when_no_prompt_is_answered(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint() as server:
        generator(server.url).generate(prompts[:5], Sampling(20))
        server.plan = lambda *_: "500"
        message = r"answers no prompt: 3 attempts .* status 500. 5 of these 40 answers are stored"
        with pytest.raises(EndpointError, match=message):
            generator(server.url, retries=2).generate(prompts, Sampling(20))
        server.plan = lambda *_: "answer"
        generator(server.url).generate(prompts, Sampling(20))
    assert set(server.answered.values()) == {1}


def test_stopped_run_ends_the_waits_of_all_calls(generator: Build, prompts: Prompts) -> None:
    is_waiting = threading.Event()

    class StoppedClock(ManualClock):
        """A clock whose time never passes: only the end of the run ends a wait."""

        async def wait(self, event: asyncio.Event, seconds: float) -> None:
            if seconds > 0:
                is_waiting.set()
                await event.wait()
            await asyncio.sleep(0)

    def plan(prompt: str, attempt: int) -> Any:
        if "question 0" in prompt:
            return "500"
        return fail_with(401)(prompt, attempt)

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        if "question 1" in body["messages"][0]["content"]:
            assert is_waiting.wait(10)  # the other prompt failed and waits for its next attempt
        return echo(body)

    with FaultyEndpoint(plan, answer) as server, pytest.raises(EndpointError, match="status 401"):
        generator(server.url, StoppedClock(), concurrency=2).generate(prompts[:2], Sampling(20))
    assert server.outcomes == {"500": 1, "401": 1}


def test_answer_without_a_choice_is_requested_again(generator: Build, prompts: Prompts) -> None:
    unusable: Iterator[dict[str, Any]] = iter([{"choices": []}, {"error": None}])
    with FaultyEndpoint(answer=lambda body: next(unusable, None) or echo(body)) as server:
        assert generator(server.url).generate(prompts[:1], Sampling(20)) == [Completion("answer to question 0")]
    assert len(server.bodies) == 3


def test_missing_server_is_an_endpoint_error(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint() as server:
        url = server.url
    with pytest.raises(EndpointError, match="no connection, or a broken one"):
        generator(url, retries=1).generate(prompts[:1], Sampling(20))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"code": "context_length_exceeded"}, "context too long"),
        ({"message": "maximum context length is 4096 tokens"}, "context too long"),
        ({"code": "content_filter", "message": "not this"}, "content refused"),
    ],
)
def test_refused_prompt_leaves_other_prompts_answered(
    generator: Build, prompts: Prompts, capsys: pytest.CaptureFixture[str], error: dict[str, str], reason: str
) -> None:
    with FaultyEndpoint(lambda prompt, _: (400, {"error": error}) if "question 1" in prompt else "answer") as server:
        answers = generator(server.url).generate(prompts[:3], Sampling(20, prefill="Well,"))
    assert answers[1] == Completion("", refused=reason)
    assert answers[2].text == "Well, answer to question 2\n\nYour answer must begin with exactly this: Well,"
    assert f"1 prompts: {reason} (1)" in capsys.readouterr().err


def test_prompt_without_answer_is_sent_again_by_the_next_run(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(lambda prompt, _: "500" if "question 0" in prompt else "answer") as server:
        answers = generator(server.url, retries=2, concurrency=2).generate(prompts, Sampling(20))
        assert answers[0] == Completion("", refused="no answer")
        assert sum(answer.refused is None for answer in answers) == 39
        server.plan = lambda *_: "answer"
        assert generator(server.url).generate(prompts, Sampling(20))[0].text == "answer to question 0"
    assert set(server.answered.values()) == {1}


def test_long_retry_after_stops_the_run(generator: Build, prompts: Prompts) -> None:
    busy = (429, {"headers": {"Retry-After": "3600"}})
    with FaultyEndpoint(lambda *_: busy) as server, pytest.raises(EndpointError, match="no calls for 3,600 s"):
        generator(server.url).generate(prompts[:1], Sampling(20))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("soon", None),
        ("", None),
        ("Wed, 01 May 2024 12:01:30 GMT", 90.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
        ("Wed, 21 Oct 2015 07:28:00", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date_in_any_time_zone(header: str, seconds: float | None) -> None:
    assert parse_retry_after({"retry-after": header}, NOW) == seconds


def test_retry_after_of_0_uses_the_backoff(generator: Build, prompts: Prompts) -> None:
    clock, busy = ManualClock(), (503, {"headers": {"Retry-After": "0"}})
    with FaultyEndpoint(lambda _, attempt: busy if attempt < 2 else "answer") as server:
        generator(server.url, clock, retries=2).generate(prompts[:1], Sampling(20))
    first, second = clock.waits  # after each error, the second twice as long but for the jitter
    assert 0.5 * FIRST_BACKOFF_S <= first <= FIRST_BACKOFF_S <= second <= 2 * FIRST_BACKOFF_S


def test_generate_works_inside_a_running_event_loop(generator: Build, prompts: Prompts) -> None:
    async def generate_in_a_notebook() -> list[Completion]:
        return generator(server.url).generate(prompts[:3], Sampling(20))

    with FaultyEndpoint() as server:
        answers = asyncio.run(generate_in_a_notebook())
    assert [answer.text for answer in answers] == [f"answer to question {i}" for i in range(3)]


def test_key_is_sent_and_appears_nowhere_else(
    generator: Build,
    prompts: Prompts,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def repeat_the_key(body: dict[str, Any]) -> dict[str, Any]:
        reply = echo(body)
        reply["choices"][0]["message"]["content"] = f"you sent {KEY}"
        return reply

    caplog.set_level(logging.DEBUG)
    with FaultyEndpoint(fail_randomly(0.3, seed=2), repeat_the_key, hang_s=0.05) as server:
        model = generator(server.url)
        answers = model.generate(prompts[:10], Sampling(20))
    assert server.keys == {f"Bearer {KEY}"}
    assert answers[0].text == "you sent [key]"
    printed = capfd.readouterr()
    everything = printed.out + printed.err + caplog.text + repr(vars(model)) + repr(vars(model.calls))
    assert KEY not in everything
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_missing_key_is_an_error_that_names_its_variable(generator: Build) -> None:
    with pytest.raises(ConfigError, match="environment variable NO_SUCH_KEY is not set"):
        generator("http://127.0.0.1:9/v1", key="NO_SUCH_KEY")


def test_server_without_keys_gets_none(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint() as server:
        generator(server.url, key=None).generate(prompts[:1], Sampling(20))
    assert server.keys == {"Bearer none"}
