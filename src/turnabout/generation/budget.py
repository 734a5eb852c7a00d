"""What calls cost and may cost: usage, price and budget, in calls, tokens and money."""

from typing import Annotated, NamedTuple

from pydantic import Field

from turnabout.core.config import Section

#: Prices are told for so many tokens.
PER = 1_000_000


class Usage(NamedTuple):
    """Calls answered, and the tokens they were charged for."""

    calls: int = 0
    read: int = 0
    """Input tokens."""
    written: int = 0
    """Output tokens, thoughts of a reasoning model included."""

    @property
    def tokens(self) -> int:
        """Input and output together."""
        return self.read + self.written

    def plus(self, other: "Usage") -> "Usage":
        """Both together."""
        return Usage(self.calls + other.calls, self.read + other.read, self.written + other.written)

    def minus(self, other: "Usage") -> "Usage":
        """This without the other."""
        return Usage(self.calls - other.calls, self.read - other.read, self.written - other.written)


class Price(Section):
    """What a million tokens cost, in any one currency."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]

    def of(self, usage: Usage) -> float:
        """The cost of so many tokens."""
        return (usage.read * self.input + usage.written * self.output) / PER


class Budget(Section):
    """Most that one version of a stage's output may cost, however many runs it takes; null sets no limit.

    An answer from the store counts with what it cost when it came: what was paid before a stop is not paid again, and
    running again without a bigger budget does not spend it twice.
    """

    calls: Annotated[int, Field(gt=0)] | None = None
    """Answers; an attempt that the endpoint failed is not one."""
    tokens: Annotated[int, Field(gt=0)] | None = None
    """Input and output together."""
    money: Annotated[float, Field(gt=0)] | None = None
    """In the currency of the price, which must be given too."""
