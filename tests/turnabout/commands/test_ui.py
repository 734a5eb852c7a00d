"""The environment of the servers that `turnabout ui` starts."""

from pathlib import Path
from typing import Any

import pytest

from turnabout.commands.ui import _start_prefect

API = "http://127.0.0.1:4321/api"


class RecordedGroups:
    """A stand-in for `ProcessGroups` that starts nothing."""

    def start(self, command: list[str], root: Path, env: dict[str, str], output: int) -> None:
        self.command, self.env = command, env


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / ".turnabout").mkdir()
    for name in ("PREFECT_API_URL", "PREFECT_UI_API_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("turnabout.commands.ui._find_free_port", lambda preferred: preferred)
    return RecordedGroups()


def test_prefect_pages_call_the_port_that_was_asked_for(tmp_path: Path, groups: Any) -> None:
    assert _start_prefect(tmp_path, groups, 4321) == "http://127.0.0.1:4321"
    assert groups.command[-1] == "4321"
    assert (groups.env["PREFECT_API_URL"], groups.env["PREFECT_UI_API_URL"]) == (API, API)
    assert groups.env["PREFECT_HOME"] == str(tmp_path / ".turnabout" / "prefect")


def test_prefect_pages_call_the_address_of_the_environment(
    tmp_path: Path, groups: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_UI_API_URL", "https://proxy.example/api")  # a server behind a proxy
    _start_prefect(tmp_path, groups, 4321)
    assert groups.env["PREFECT_UI_API_URL"] == "https://proxy.example/api"
    assert groups.env["PREFECT_API_URL"] == API


def test_a_running_prefect_server_is_used_as_it_is(
    tmp_path: Path, groups: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect.example:4200/api")
    assert _start_prefect(tmp_path, groups, 4321) == "http://prefect.example:4200"
    assert not hasattr(groups, "env")
