"""What `turnabout run` says at its end: where the results of the stages that ran are."""

from pathlib import Path

import pytest

from turnabout.commands.run import _print_locations


def test_the_table_of_arms_is_named_where_they_were_compared_and_an_older_report_is_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_locations(tmp_path, ["split", "compare"])
    told = capsys.readouterr().out
    assert f"arms of the user model: {tmp_path / 'ablations' / 'table.md'}\n" in told
    assert "report: none yet" in told
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").touch()
    _print_locations(tmp_path, ["split", "compare"])
    assert "index.html (of an earlier run" in capsys.readouterr().out
    _print_locations(tmp_path, ["evaluate", "report"])
    told = capsys.readouterr().out
    assert "earlier" not in told
    assert "arms of" not in told
