"""Settings of a model behind an OpenAI-compatible endpoint."""

from typing import Literal

from turnabout.generation.base import Generator
from turnabout.generation.budget import Budget, Price
from turnabout.generation.config import ModelConfig, OpenContext
from turnabout.generation.endpoint.options import EndpointSettings


class OpenAI(EndpointSettings, ModelConfig):
    """A model behind an endpoint for OpenAI's chat completions.

    The endpoint is a provider's or one's own server.
    """

    backend: Literal["openai"] = "openai"

    def get_price(self) -> Price | None:
        """Return the price of the settings."""
        return self.price

    def get_budget(self) -> Budget | None:
        """Return the budget of the settings."""
        return self.budget

    def open(self, context: OpenContext) -> Generator:
        """Return the endpoint's model; every answer is stored on arrival.

        Raises `ConfigError` where its key is not set.
        """
        from turnabout.generation.endpoint.api_key import ApiKey
        from turnabout.generation.endpoint.calls import CachedCalls
        from turnabout.generation.endpoint.generator import RemoteGenerator
        from turnabout.generation.store import CallStore

        return RemoteGenerator(self, CachedCalls(self, ApiKey(self.key), CallStore(context.answers)))
