"""Settings of an endpoint: address, limits, retries, price and budget."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, field_validator, model_validator

from turnabout.core.config import Section
from turnabout.generation.budget import Budget, Price

#: The default `base_url`.
OPENAI_URL = "https://api.openai.com/v1"


class EndpointSettings(Section):
    """Address, limits, price and budget of a model behind an endpoint."""

    model_config = ConfigDict(hide_input_in_errors=True)  # a user may put a key in the wrong field

    model: str
    """The model's name as the endpoint knows it; pin a dated version where there is one."""
    base_url: str = OPENAI_URL
    key: str | None = "OPENAI_API_KEY"
    """NAME of the environment variable that holds the API key, never the key; null for a server that needs none."""
    concurrency: Annotated[int, Field(gt=0)] = 16
    """Maximum number of calls under way at the same time."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Maximum wait for one whole answer, in seconds."""
    retries: Annotated[int, Field(ge=0)] = 8
    """How often a prompt is sent again after an error of the server."""
    reasoning_tokens: Annotated[int, Field(gt=0)] | None = None
    """For a reasoning model: number of reasoning tokens before each answer. Its calls have `max_completion_tokens`,
    which includes them, and neither temperature nor top_p, which such models refuse. Null for every other model."""
    schemas: bool = True
    """Whether calls have the JSON schema of the answer (`response_format: json_schema`). False for an endpoint that
    refuses it: answers are checked in any case, and asked for again."""
    price: Price | None = None
    """Without a price, money is not counted."""
    budget: Budget = Budget()

    @field_validator("key")
    @classmethod
    def _check_key_is_a_name(cls, entry: str | None) -> str | None:
        if entry is not None and not re.fullmatch("[A-Z][A-Z0-9_]*", entry):
            raise ValueError(
                "must be the NAME of an environment variable in capitals, such as OPENAI_API_KEY, never a key itself "
                "(if a key was in this file, it may be in git's history: revoke it)"
            )
        return entry

    @field_validator("base_url")
    @classmethod
    def _check_address_has_no_secret(cls, entry: str) -> str:
        parts = urlsplit(entry)
        if parts.scheme not in ("http", "https") or not parts.hostname or re.search("[@?#]", entry):
            raise ValueError(
                "must be like http://host:port/v1, without a user, a password or anything after a '?' or a '#'"
            )
        try:
            _ = parts.port
        except ValueError:
            raise ValueError("the port must be a number, as in http://host:8000/v1") from None
        return entry.rstrip("/")

    @model_validator(mode="after")
    def _check_money_has_a_price(self) -> "EndpointSettings":
        if self.budget.money is not None and self.price is None:
            raise ValueError("budget.money needs a price: {input: …, output: …} for a million tokens")
        return self
