"""Progress bars as tqdm draws them, read by the view."""

import pytest

from flows.console import BAR, LiveView, PlainView
from turnabout.pipeline.last_run import StageRun


def test_a_bar_gives_its_percentage_and_rate() -> None:
    found = BAR.search("critiques:  45%|████▌     | 18/40 [00:10<00:12,  1.80reply/s]")
    assert found is not None
    assert (found["percent"], found["rest"]) == ("45", "18/40 [00:10<00:12,  1.80reply/s]")


def test_a_log_line_is_no_bar() -> None:
    assert BAR.search("kept 45% of the pairs") is None


def test_the_live_view_follows_a_stage_from_waiting_to_its_end() -> None:
    view = LiveView(["mine"])
    row = view._progress.tasks[0]
    assert row.fields["state"] == "waiting"
    view.begin_stage("mine")
    view.show_line("mine", " 40%|████      | 4/10 [00:01<00:02,  3.0turn/s]")
    assert (row.completed, row.fields["note"]) == (40, "4/10 [00:01<00:02,  3.0turn/s]")
    view.end_stage(StageRun("mine", "ran", 1.0, 10.0))
    assert (row.completed, row.finished) == (100, True)


def test_off_terminal_a_stage_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView()
    view.begin_stage("mine")
    view.show_line("mine", "chatter")
    view.end_stage(StageRun("mine", "ran", 1.24, 10.0))
    assert capsys.readouterr().out == "mine: started\nmine: ran, 1.2 s\n"
