"""Warnings that stages print."""

import os
import sys
from pathlib import Path

import pytest

from turnabout.core.stage_output import print_warning
from turnabout.pipeline.processes import ProcessGroups


def test_print_warning_marks_every_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_warning("a.jsonl: 2 records were rejected:\n  2 × broken")
    captured = capsys.readouterr()
    assert captured.err == "warning: a.jsonl: 2 records were rejected:\nwarning:   2 × broken\n"
    assert captured.out == ""


def test_warning_below_a_progress_bar_is_a_line_of_its_own(tmp_path: Path) -> None:
    script = """
from tqdm import tqdm
from turnabout.core.stage_output import print_warning
with tqdm(total=4, disable=None, desc="ingest") as bar:
    bar.update()
    bar.refresh()
    print_warning("a.jsonl: empty")
"""
    lines: list[str] = []
    ProcessGroups().stream([sys.executable, "-c", script], tmp_path, dict(os.environ), lines.append, terminal=True)
    assert "warning: a.jsonl: empty" in lines
    assert any(line.startswith("ingest:  25%|") for line in lines)
