"""Addresses of stores and servers whose credentials stand in the environment alone: read at use, hidden in messages.

`postgresql://$PGUSER:${PGPASSWORD}@db.example.org/chats` names two variables of the environment. The address itself
may be logged: a password written out in it is refused.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from string import Template
from typing import Annotated
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import AfterValidator

from turnabout.errors import ConfigError, DataError

#: Parameters of an address that hold a secret, and what may stand in its place.
_SECRET = re.compile(r"passw|pwd|token|secret", re.I)
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def without_password(address: str) -> str:
    """The address as it came. Raises `ValueError`, which does not repeat it, where a password is written out in it."""
    parts = urlsplit(address)
    told = [parts.password or "", *(value for key, value in parse_qsl(parts.query) if _SECRET.search(key))]
    if any(password and not _VARIABLE.fullmatch(password) for password in told):
        raise ValueError(
            "a password is written out in the address, which is logged; put it into an environment variable and name "
            "that, as in postgresql://$PGUSER:$PGPASSWORD@host/database"
        )
    return address


#: An address that holds no password, only names of variables.
Address = Annotated[str, AfterValidator(without_password)]


def names(address: str) -> list[str]:
    """The variables that an address names."""
    return Template(address).get_identifiers()


def expanded(address: str) -> str:
    """The address with its variables read; user and password are escaped. Raises `ConfigError` naming what is unset."""
    if absent := sorted(name for name in names(address) if name not in os.environ):
        raise ConfigError(
            f"ingest.sources: the address {address} names {absent}, not set in the environment; export them"
        )
    credentials, at, place = address.rpartition("@")
    escaped = {name: quote(os.environ[name], safe="") for name in names(credentials)}
    return Template(credentials).safe_substitute(escaped) + at + Template(place).safe_substitute(os.environ)


def hidden(message: str, address: str) -> str:
    """The message with the names of the variables in place of what they hold, and without any password."""
    for name in sorted(names(address), key=lambda name: len(os.environ[name]), reverse=True):
        if os.environ[name]:
            message = re.sub(rf"(?<!\w){re.escape(os.environ[name])}(?!\w)", f"${{{name}}}", message)
    password = urlsplit(expanded(address)).password
    for secret in filter(None, (password, password and unquote(password))):
        message = message.replace(secret, "***")
    return message


@contextmanager
def hiding(address: str) -> Iterator[None]:
    """A block whose `DataError` tells nothing of what the address's variables hold, nor does what caused it."""
    try:
        yield
    except DataError as error:
        raise DataError(hidden(str(error), address)) from None
