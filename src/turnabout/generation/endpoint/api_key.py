"""The API key of an endpoint: read from the environment, told to the client alone, cut out of everything else."""

import os

from turnabout.errors import ConfigError

#: From this length on a key is cut out of answers too; a shorter one stands for none and may be a common word.
LEAST_SECRET = 16


class Key:
    """An API key from the environment; it is in no representation, and can be cut out of what a server says."""

    def __init__(self, variable: str | None) -> None:
        self._secret = "" if variable is None else os.environ.get(variable, "").strip()
        if variable is not None and not self._secret:
            raise ConfigError(f"the environment variable {variable} is not set; it must hold the endpoint's API key")
        if not self._secret.isascii() or not self._secret.isprintable():
            raise ConfigError(f"the environment variable {variable} holds more than an API key; it must be one line")

    def reveal(self) -> str:
        """The key, for the client alone; the client wants words even where a server asks for no key."""
        return self._secret or "none"

    def cut_from(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self._secret, "[key]") if self._secret else text

    def cut_from_answer(self, body: bytes) -> bytes:
        """An answer without the key: a server may repeat what it was sent."""
        return body if len(self._secret) < LEAST_SECRET else body.replace(self._secret.encode(), b"[key]")
