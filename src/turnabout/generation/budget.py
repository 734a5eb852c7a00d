"""Usage, price and budget of model calls, in calls, tokens and money."""

from typing import Annotated, NamedTuple

from pydantic import Field

from turnabout.core.config import Section

#: Number of tokens that a price is quoted for.
TOKENS_PER_PRICE = 1_000_000


class Usage(NamedTuple):
    """Answered calls and the tokens they were charged for."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    """Includes the reasoning tokens of a reasoning model."""

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens

    def add(self, other: "Usage") -> "Usage":
        """Return the sum of both."""
        return Usage(
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )

    def subtract(self, other: "Usage") -> "Usage":
        """Return this usage without the other."""
        return Usage(
            calls=self.calls - other.calls,
            input_tokens=self.input_tokens - other.input_tokens,
            output_tokens=self.output_tokens - other.output_tokens,
        )


class Price(Section):
    """Price of a million tokens, in any one currency."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]

    def cost_of(self, usage: Usage) -> float:
        """Return the cost of the tokens used."""
        return (usage.input_tokens * self.input + usage.output_tokens * self.output) / TOKENS_PER_PRICE


class Budget(Section):
    """Maximum cost of one version of a stage's output, over all its runs.

    Null sets no limit. A stored answer counts with its original cost. What was paid before an interruption is therefore
    not paid again, and a rerun without a larger budget does not spend it twice.
    """

    calls: Annotated[int, Field(gt=0)] | None = None
    """Answered calls; an attempt that failed at the endpoint does not count."""
    tokens: Annotated[int, Field(gt=0)] | None = None
    """Input and output tokens together."""
    money: Annotated[float, Field(gt=0)] | None = None
    """In the currency of the price, which must be given too."""
