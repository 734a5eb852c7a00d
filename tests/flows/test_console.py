"""Progress of a run, live on a terminal and as plain lines."""

import pytest

from flows.console import LiveView, PlainView, print_warnings
from turnabout.pipeline.last_run import StageRun

BAR = "critiques:  45%|████▌     | 18/40 [00:10<00:12,  1.80reply/s]"
WARNED = StageRun(
    "ingest",
    "ran",
    3.04,
    10.0,
    summary="5 messages of 2 conversations",
    warnings=("warning: a.jsonl: 2 rejected:", "warning:   2 × broken"),
)


def test_live_view_follows_a_stage_from_waiting_to_its_end() -> None:
    view = LiveView(["mine"])
    row = view._progress.tasks[0]
    assert row.fields["state"] == "waiting"
    view.begin_stage("mine")
    view.show_line("mine", "40%|████      | 4/10 [00:01<00:02,  3.0turn/s]")
    assert (row.completed, row.fields["note"]) == (40, "4/10 [00:01<00:02,  3.0turn/s]")
    view.end_stage(StageRun("mine", "ran", 1.0, 10.0))
    assert (row.completed, row.finished) == (100, True)


def test_live_view_prints_results_and_warnings_but_nothing_of_current_stages(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = LiveView(["ingest", "mine"])
    for run in (WARNED, StageRun("mine", "up-to-date", 0.1, 0.0)):
        view.begin_stage(run.name)
        view.end_stage(run)
    assert capsys.readouterr().out.splitlines() == [
        "ingest: ran, 3.0 s: 5 messages of 2 conversations",
        "  warning: a.jsonl: 2 rejected:",
        "  warning:   2 × broken",
    ]


def test_plain_view_prints_results_and_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView()
    view.begin_stage("ingest")
    view.show_line("ingest", "chatter")
    view.end_stage(WARNED)
    view.end_stage(StageRun("mine", "up-to-date", 0.06, 0.0))
    assert capsys.readouterr().out.splitlines() == [
        "ingest: started",
        "ingest: ran, 3.0 s: 5 messages of 2 conversations",
        "  warning: a.jsonl: 2 rejected:",
        "  warning:   2 × broken",
        "mine: up-to-date, 0.1 s",
    ]


def test_plain_view_prints_progress_of_each_stage_every_30_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    view = PlainView(clock=lambda: now[0])
    view.begin_stage("augment")
    view.begin_stage("evaluate@a")
    for seconds in (110.0, 129.9, 130.0, 131.0, 159.9, 160.0):
        now[0] = seconds
        view.show_line("augment", BAR)
    view.show_line("evaluate@a", "evaluate: 50%|█████     | 20/40 [00:10<1:02:03,  1.80reply/s]")
    lines = capsys.readouterr().out.splitlines()[2:]
    assert lines == [
        "augment: critiques 45 % (18/40, about 12 s left)",
        "augment: critiques 45 % (18/40, about 12 s left)",
        "evaluate@a: 50 % (20/40, about 62 min left)",
    ]


def test_warnings_are_printed_together_with_their_stages(capsys: pytest.CaptureFixture[str]) -> None:
    print_warnings([StageRun("mine", "ran", 1.0, 1.0), WARNED, StageRun("split", "ran", 1.0, 1.0, warnings=("w",))])
    assert capsys.readouterr().out.splitlines() == [
        "",
        "warnings of this run:",
        "ingest: warning: a.jsonl: 2 rejected:",
        "ingest: warning:   2 × broken",
        "split: w",
    ]
    print_warnings([StageRun("mine", "ran", 1.0, 1.0)])
    assert capsys.readouterr().out == ""
