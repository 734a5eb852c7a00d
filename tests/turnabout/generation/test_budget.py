"""Budgets: never gone beyond, whatever is under way at once; what was paid is kept, and counts again."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.faulty_endpoint import FaultyEndpoint, echo, unlucky
from turnabout.core.messages import Message
from turnabout.errors import BudgetSpent
from turnabout.generation import Sampling
from turnabout.generation.budget import Budget, Price, Usage
from turnabout.generation.endpoint.account import Account, Reservations
from turnabout.generation.endpoint.generator import RemoteGenerator

Build = Callable[..., RemoteGenerator]
Prompts = list[list[Message]]


def test_a_price_is_of_a_million_tokens() -> None:
    assert Price(input=2.0, output=10.0).of(Usage(3, 500_000, 100_000)) == pytest.approx(1.0 + 1.0)


def test_calls_stop_at_the_budget_and_a_bigger_one_goes_on_without_paying_twice(
    author: Build, prompts: Prompts
) -> None:
    with FaultyEndpoint(lambda *_: "answer") as server:
        told = r"budget of 'big' leaves no room for a further call: calls 25 of 25, .* 25 of these 40 answers are kept"
        with pytest.raises(BudgetSpent, match=told):
            author(server.url, budget={"calls": 25}).generate(prompts, Sampling(20))
        assert sum(server.answered.values()) == 25
        with pytest.raises(BudgetSpent, match="calls 25 of 25"):  # running again does not spend it again
            author(server.url, budget={"calls": 25}).generate(prompts, Sampling(20))
        assert sum(server.answered.values()) == 25
        answers = author(server.url, budget={"calls": 40}).generate(prompts, Sampling(20))
    assert len(answers) == 40
    assert set(server.answered.values()) == {1}


def test_what_is_stored_is_read_even_where_it_cost_more_than_is_allowed_now(author: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(lambda *_: "answer") as server:
        author(server.url).generate(prompts, Sampling(20))
        assert len(author(server.url, budget={"calls": 1}).generate(prompts, Sampling(20))) == 40


def test_a_budget_is_of_all_the_calls_of_one_author(author: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(lambda *_: "answer") as server:
        model = author(server.url, budget={"calls": 30})
        model.generate(prompts[:20], Sampling(20))
        model.generate(prompts[:20], Sampling(20))  # from the store, and counted already
        with pytest.raises(BudgetSpent, match="calls 30 of 30"):
            model.generate(prompts[20:], Sampling(20))


def test_tokens_and_money_are_counted_as_the_server_does(author: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(unlucky(0.2, seed=3)) as server:
        model = author(server.url, price={"input": 1_000_000.0, "output": 2_000_000.0})
        model.generate(prompts[:5], Sampling(20))
        again = author(server.url, price={"input": 1_000_000.0, "output": 2_000_000.0})
        again.generate(prompts[:5], Sampling(20))
    assert model.calls.account.used == again.calls.account.used == Usage(5, 5 * 2, 5 * 4)
    assert model.calls.account.told() == "calls 5, tokens 30, money 50.0"


def test_a_server_that_does_not_count_is_taken_to_have_used_the_most(author: Build, prompts: Prompts) -> None:
    with FaultyEndpoint(lambda *_: "answer", lambda body: {"choices": echo(body)["choices"]}) as server:
        model = author(server.url)
        model.generate(prompts[:1], Sampling(20))
    used = model.calls.account.used
    assert used.written == 20
    assert used.read > len("question 0")


@pytest.mark.parametrize("limit", [{"tokens": 2_000}, {"money": 0.002}])
def test_a_budget_of_tokens_or_money_is_never_gone_beyond(
    author: Build, prompts: Prompts, limit: dict[str, Any]
) -> None:
    def wordy(body: dict[str, Any]) -> dict[str, Any]:
        return {**echo(body), "usage": {"prompt_tokens": 100, "completion_tokens": 20}}

    with FaultyEndpoint(lambda *_: "answer", wordy) as server:
        model = author(server.url, budget=limit, price={"input": 1.0, "output": 1.0}, concurrency=8)
        with pytest.raises(BudgetSpent):
            model.generate(prompts, Sampling(20))
    assert 1_700 <= model.calls.account.used.tokens <= 2_000


def test_calls_under_way_are_waited_for_before_a_budget_counts_as_spent() -> None:
    account = Account(Budget(tokens=100), None)

    async def two() -> None:
        held, order = Reservations(account), []

        async def call(name: str) -> None:
            async with held.hold(Usage(1, 80, 0)):
                order.append(name)
                await asyncio.sleep(0.01)
                account.charge(Usage(1, 10, 0))

        await asyncio.gather(call("first"), call("second"))
        assert order == ["first", "second"]

    asyncio.run(two())
    assert account.used.tokens == 20
