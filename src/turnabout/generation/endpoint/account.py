"""What one stage's author spent within its budget, and what calls under way may still cost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from turnabout.errors import BudgetSpent
from turnabout.generation.budget import Budget, Price, Usage


class Account:
    """What was spent, what is allowed, and what it costs."""

    def __init__(self, budget: Budget, price: Price | None) -> None:
        self.budget = budget
        self.price = price
        self.used = Usage()

    def charge(self, usage: Usage) -> None:
        """Count what was paid for."""
        self.used = self.used.plus(usage)

    def allows(self, further: Usage) -> bool:
        """Whether so much more stays within the budget."""
        whole = self.used.plus(further)
        limits = (
            (whole.calls, self.budget.calls),
            (whole.tokens, self.budget.tokens),
            (self.price.of(whole) if self.price else 0.0, self.budget.money),
        )
        return all(limit is None or amount <= limit for amount, limit in limits)

    def told(self) -> str:
        """What was spent of what is allowed, as words."""
        spent = [
            _share("calls", self.used.calls, self.budget.calls),
            _share("tokens", self.used.tokens, self.budget.tokens),
        ]
        if self.price is not None:
            spent.append(_share("money", round(self.price.of(self.used), 4), self.budget.money))
        return ", ".join(spent)


class Reservations:
    """Calls under way, each held at the most it can cost, so that together they never go beyond the budget.

    Lives as long as one event loop.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._held = Usage()
        self._released = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, most: Usage) -> AsyncIterator[None]:
        """Hold the cost of a call until it is over and charged; waits while calls under way may still leave room.

        Raises `BudgetSpent` where they cannot.
        """
        async with self._released:
            while not self.account.allows(self._held.plus(most)):
                if not self._held.calls:
                    raise BudgetSpent(self.account.told())
                await self._released.wait()
            self._held = self._held.plus(most)
        try:
            yield
        finally:
            async with self._released:
                self._held = self._held.minus(most)
                self._released.notify_all()


def _share(name: str, spent: float, allowed: float | None) -> str:
    return f"{name} {spent:,}" + ("" if allowed is None else f" of {allowed:,}")
