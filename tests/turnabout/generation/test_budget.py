"""Tests of budgets.

Calls under way never exceed them; paid answers are stored, and counted by later runs.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from turnabout.core.messages import Message
from turnabout.errors import BudgetExceeded
from turnabout.generation import Sampling
from turnabout.generation.budget import Budget, Price, Usage
from turnabout.generation.endpoint.account import Account, Reservations
from turnabout.generation.endpoint.generator import RemoteGenerator
from turnabout.generation.testing import FaultyEndpoint, echo, fail_randomly

Build = Callable[..., RemoteGenerator]
Prompts = list[list[Message]]


def test_price_is_quoted_for_a_million_tokens() -> None:
    assert Price(input=2.0, output=10.0).cost_of(Usage(3, 500_000, 100_000)) == pytest.approx(1.0 + 1.0)


def test_larger_budget_continues_without_paying_twice(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint() as server:
        message = r"budget of 'big' does not allow another call: calls 25 of 25, .* 25 of these 40 answers are stored"
        with pytest.raises(BudgetExceeded, match=message):
            generator(server.url, budget={"calls": 25}).generate(prompts, Sampling(20))
        assert sum(server.answered.values()) == 25
        with pytest.raises(BudgetExceeded, match="calls 25 of 25"):  # running again does not spend it again
            generator(server.url, budget={"calls": 25}).generate(prompts, Sampling(20))
        assert sum(server.answered.values()) == 25
        answers = generator(server.url, budget={"calls": 40}).generate(prompts, Sampling(20))
    assert len(answers) == 40
    assert set(server.answered.values()) == {1}


def test_stored_answers_are_read_when_they_exceed_the_budget(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint() as server:
        generator(server.url).generate(prompts, Sampling(20))
        assert len(generator(server.url, budget={"calls": 1}).generate(prompts, Sampling(20))) == 40


def test_budget_covers_all_calls_of_one_generator(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint() as server:
        model = generator(server.url, budget={"calls": 30})
        model.generate(prompts[:20], Sampling(20))
        model.generate(prompts[:20], Sampling(20))  # from the store, and counted already
        with pytest.raises(BudgetExceeded, match="calls 30 of 30"):
            model.generate(prompts[20:], Sampling(20))


def test_usage_is_what_the_server_counts(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(fail_randomly(0.2, seed=3), hang_s=0.05) as server:
        model = generator(server.url, price={"input": 1_000_000.0, "output": 2_000_000.0})
        model.generate(prompts[:5], Sampling(20))
        again = generator(server.url, price={"input": 1_000_000.0, "output": 2_000_000.0})
        again.generate(prompts[:5], Sampling(20))
    assert model.calls.account.used == again.calls.account.used == Usage(5, 5 * 2, 5 * 4)
    assert model.calls.account.describe() == "calls 5, tokens 30, money 50.0"


def test_usage_is_the_maximum_when_the_server_does_not_count(generator: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(answer=lambda body: {"choices": echo(body)["choices"]}) as server:
        model = generator(server.url)
        model.generate(prompts[:1], Sampling(20))
    used = model.calls.account.used
    assert used.output_tokens == 20
    assert used.input_tokens > len("question 0")


@pytest.mark.parametrize("limit", [{"tokens": 2_000}, {"money": 0.002}])
def test_calls_never_exceed_a_budget(generator: Build, prompts: Prompts, limit: dict[str, Any]) -> None:
    def answer_at_length(body: dict[str, Any]) -> dict[str, Any]:
        return {**echo(body), "usage": {"prompt_tokens": 100, "completion_tokens": 20}}

    with FaultyEndpoint(answer=answer_at_length) as server:
        model = generator(server.url, budget=limit, price={"input": 1.0, "output": 1.0}, concurrency=8)
        with pytest.raises(BudgetExceeded):
            model.generate(prompts, Sampling(20))
    assert 1_700 <= model.calls.account.used.total_tokens <= 2_000


def test_reservation_waits_for_calls_under_way() -> None:
    account = Account(Budget(tokens=100), None)

    async def make_two_calls() -> None:
        reservations, order = Reservations(account), []

        async def call(name: str) -> None:
            async with reservations.hold(Usage(1, 80, 0)):
                order.append(name)
                await asyncio.sleep(0)  # lets the other call ask for its reservation
                account.charge(Usage(1, 10, 0))

        await asyncio.gather(call("first"), call("second"))
        assert order == ["first", "second"]

    asyncio.run(make_two_calls())
    assert account.used.total_tokens == 20
