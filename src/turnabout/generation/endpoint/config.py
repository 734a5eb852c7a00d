"""Any endpoint that speaks OpenAI's chat completions, a provider's or one's own server, as an author."""

from typing import Literal

from turnabout.generation.base import Generator
from turnabout.generation.budget import Budget, Price
from turnabout.generation.config import Author, Desk
from turnabout.generation.endpoint.options import EndpointSettings


class OpenAI(EndpointSettings, Author):
    """A model behind an OpenAI-compatible endpoint."""

    generator: Literal["openai"] = "openai"

    def rates(self) -> Price | None:
        """The price of the settings."""
        return self.price

    def allowance(self) -> Budget | None:
        """The budget of the settings."""
        return self.budget

    def open(self, desk: Desk) -> Generator:
        """The endpoint's model; every answer is kept on arrival. Raises `ConfigError` where its key is not set."""
        from turnabout.generation.endpoint.api_key import Key
        from turnabout.generation.endpoint.calls import Calls
        from turnabout.generation.endpoint.generator import RemoteGenerator
        from turnabout.generation.store import CallStore

        return RemoteGenerator(self, Calls(self, Key(self.key), CallStore(desk.answers)))
