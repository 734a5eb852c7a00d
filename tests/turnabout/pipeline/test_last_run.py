"""What is remembered of a stage's last real execution."""

from pathlib import Path

from turnabout.pipeline.last_run import StageRun, read_last_run, write_last_run


def test_a_stage_that_did_not_run_keeps_its_last_figures(tmp_path: Path) -> None:
    assert read_last_run(tmp_path) == {}
    slow = StageRun("mine", "ran", 12.0, 300.0)
    write_last_run(tmp_path, [slow], 15.0, 400.0)
    write_last_run(tmp_path, [StageRun("mine", "up-to-date", 0.1, 0.0)], 1.0, 100.0)
    assert read_last_run(tmp_path) == {"mine": slow}
