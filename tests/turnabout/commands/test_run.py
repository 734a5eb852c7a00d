"""Tests of what `turnabout run` prints at its end."""

from pathlib import Path

import pytest

from turnabout.commands.run import _print_locations


def test_print_locations_names_the_table_of_arms_and_an_older_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_locations(tmp_path, ["split", "compare"])
    output = capsys.readouterr().out
    assert f"arms of the user model: {tmp_path / 'ablations' / 'table.md'}\n" in output
    assert "report: none yet" in output
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").touch()
    _print_locations(tmp_path, ["split", "compare"])
    assert "index.html (of an earlier run" in capsys.readouterr().out
    _print_locations(tmp_path, ["evaluate", "report"])
    output = capsys.readouterr().out
    assert "earlier" not in output
    assert "arms of" not in output
