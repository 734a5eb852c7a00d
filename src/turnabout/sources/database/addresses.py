"""Addresses of servers whose credentials stand in environment variables.

`postgresql://$PGUSER:${PGPASSWORD}@db.example.org/chats` names two variables of the environment. They are read when
the address is used, and error messages show their names, not their values. The address itself may be logged: a
password written out in it is refused.
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

#: Parameters of an address that hold a secret, and what may stand in the place of a secret.
_SECRET = re.compile(r"passw|pwd|token|secret", re.I)
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")


def refuse_password(address: str) -> str:
    """Return the address unchanged.

    Raises `ValueError` where a password is written out in it; the message does not repeat the address.
    """
    parts = urlsplit(address)
    secrets = [parts.password or "", *(value for key, value in parse_qsl(parts.query) if _SECRET.search(key))]
    if any(password and not _VARIABLE.fullmatch(password) for password in secrets):
        raise ValueError(
            "a password is written out in the address, which is logged; put it into an environment variable and name "
            "that, as in postgresql://$PGUSER:$PGPASSWORD@host/database"
        )
    return address


#: An address without a password, only with names of variables.
Address = Annotated[str, AfterValidator(refuse_password)]


def list_variables(address: str) -> list[str]:
    """Return the environment variables that an address names."""
    return Template(address).get_identifiers()


def expand_variables(address: str) -> str:
    """Return the address with its variables replaced by their values.

    User and password are escaped for URLs. Raises `ConfigError` naming the variables that are not set.
    """
    if absent := sorted(name for name in list_variables(address) if name not in os.environ):
        raise ConfigError(
            f"ingest.sources: the address {address} names {absent}, not set in the environment; export them"
        )
    credentials, at_sign, host = address.rpartition("@")
    escaped = {name: quote(os.environ[name], safe="") for name in list_variables(credentials)}
    return Template(credentials).safe_substitute(escaped) + at_sign + Template(host).safe_substitute(os.environ)


def redact_secrets(message: str, address: str) -> str:
    """Return a message with the values of variables replaced by their names.

    The variables are those of the address. A password in the expanded address is replaced by `***`.
    """
    for name in sorted(list_variables(address), key=lambda name: len(os.environ[name]), reverse=True):
        if os.environ[name]:
            message = re.sub(rf"(?<!\w){re.escape(os.environ[name])}(?!\w)", f"${{{name}}}", message)
    password = urlsplit(expand_variables(address)).password
    for secret in filter(None, (password, password and unquote(password))):
        message = message.replace(secret, "***")
    return message


@contextmanager
def redact_errors(address: str) -> Iterator[None]:
    """Redact any `DataError` of the block.

    It is raised again with the message of `redact_secrets` and without its cause.
    """
    try:
        yield
    except DataError as error:
        raise DataError(redact_secrets(str(error), address)) from None
