import pytest
from pydantic import TypeAdapter, ValidationError

from turnabout.errors import ConfigError, DataError
from turnabout.sources.database.addresses import (
    Address,
    expand_variables,
    list_variables,
    redact_errors,
    redact_secrets,
)

ADDRESS = "postgresql://$PERSON:${SECRET}@$PLACE/chats"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PERSON": "an", "SECRET": "p@ss/w:rd%", "PLACE": "host:5432"}.items():
        monkeypatch.setenv(name, value)


def test_variables_are_expanded_and_credentials_escaped() -> None:
    # python -c "import urllib.parse as p; print(p.quote('p@ss/w:rd%', safe=''))"
    assert expand_variables(ADDRESS) == "postgresql://an:p%40ss%2Fw%3Ard%25@host:5432/chats"
    assert list_variables(ADDRESS) == ["PERSON", "SECRET", "PLACE"]


def test_address_that_is_one_variable_is_not_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHOLE", "sqlite:///a b.db")
    assert expand_variables("$WHOLE") == "sqlite:///a b.db"


def test_unset_variable_raises_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET")
    with pytest.raises(ConfigError, match=r"names \['SECRET'\], not set in the environment"):
        expand_variables(ADDRESS)


def test_redacted_message_has_names_and_no_password() -> None:
    message = redact_secrets("an cannot log in to host:5432 by p@ss/w:rd% or xp%40ss%2Fw%3Ard%25x", ADDRESS)
    assert message == "${PERSON} cannot log in to ${PLACE} by ${SECRET} or x***x"


def raise_redacted_error() -> None:
    with redact_errors(ADDRESS):
        raise DataError("no p@ss/w:rd%") from ValueError("p@ss/w:rd%")


def test_error_is_redacted_and_loses_its_cause() -> None:
    with pytest.raises(DataError, match=r"^no \$\{SECRET\}$") as raised:
        raise_redacted_error()
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "address",
    [
        "x://a:hunter2@h/d",
        "x://h/d?sslpassword=hunter2",
        "x://h/d?passwd=hunter2",
        "x://a:hunter2@$PLACE/d",
        "x://a:hunter2$word@h/d",
    ],
)
def test_written_out_password_is_refused(address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Address).validate_python(address)
    assert "hunter2" not in refused.value.errors()[0]["msg"]
