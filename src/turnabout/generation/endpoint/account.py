"""Usage of one model within its budget, and reservations for open calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from turnabout.errors import BudgetExceeded
from turnabout.generation.budget import Budget, Price, Usage


class Account:
    """What one model has used, its budget, and its price."""

    def __init__(self, budget: Budget, price: Price | None) -> None:
        self.budget = budget
        self.price = price
        self.used = Usage()

    def charge(self, usage: Usage) -> None:
        """Add a paid call to what was used."""
        self.used = self.used.add(usage)

    def allows(self, further: Usage) -> bool:
        """Return whether `further` usage would stay within the budget."""
        total = self.used.add(further)
        cost = self.price.cost_of(total) if self.price else 0.0
        limits = (
            (total.calls, self.budget.calls),
            (total.total_tokens, self.budget.tokens),
            (cost, self.budget.money),
        )
        return all(limit is None or amount <= limit for amount, limit in limits)

    def describe(self) -> str:
        """Return a text that says how much of the budget was used."""
        shares = [
            _describe_share("calls", self.used.calls, self.budget.calls),
            _describe_share("tokens", self.used.total_tokens, self.budget.tokens),
        ]
        if self.price is not None:
            shares.append(_describe_share("money", round(self.price.cost_of(self.used), 4), self.budget.money))
        return ", ".join(shares)


class Reservations:
    """Calls under way, each reserved at its maximum cost.

    Together with what was spent they never exceed the budget. Belongs to one event loop.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self._held = Usage()
        self._released = asyncio.Condition()

    @asynccontextmanager
    async def hold(self, max_usage: Usage) -> AsyncIterator[None]:
        """Reserve the maximum cost of a call until the call is finished and charged.

        Waits while calls under way may still cost less than reserved. Raises `BudgetExceeded` where none is under way
        and the budget is too small.
        """
        async with self._released:
            while not self.account.allows(self._held.add(max_usage)):
                if not self._held.calls:
                    raise BudgetExceeded(self.account.describe())
                await self._released.wait()
            self._held = self._held.add(max_usage)
        try:
            yield
        finally:
            async with self._released:
                self._held = self._held.subtract(max_usage)
                self._released.notify_all()


def _describe_share(name: str, used: float, limit: float | None) -> str:
    return f"{name} {used:,}" + ("" if limit is None else f" of {limit:,}")
