"""The API key of an endpoint, and its redaction."""

import os

from turnabout.errors import ConfigError

#: Length, in characters, from which a key is redacted in responses too. A shorter one is a placeholder and may be a
#: common word.
MIN_SECRET_CHARS = 16


class ApiKey:
    """An API key from the environment.

    It never appears in `repr`, is given to the client only, and is redacted from responses. Raises `ConfigError` where
    the variable is not set or holds more than a key.
    """

    def __init__(self, variable: str | None) -> None:
        self._secret = "" if variable is None else os.environ.get(variable, "").strip()
        if variable is not None and not self._secret:
            raise ConfigError(f"the environment variable {variable} is not set; it must hold the endpoint's API key")
        if not self._secret.isascii() or not self._secret.isprintable():
            raise ConfigError(f"the environment variable {variable} holds more than an API key; it must be one line")

    def reveal(self) -> str:
        """Return the key, for the client only.

        The client needs a text even where the server needs no key: that text is "none".
        """
        return self._secret or "none"

    def redact(self, text: str) -> str:
        """Return the text without the key."""
        return text.replace(self._secret, "[key]") if self._secret else text

    def redact_body(self, body: bytes) -> bytes:
        """Return a response body without the key.

        A server may repeat what it was sent.
        """
        return body if len(self._secret) < MIN_SECRET_CHARS else body.replace(self._secret.encode(), b"[key]")
