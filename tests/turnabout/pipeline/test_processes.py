"""Commands in process groups: what is reported about them, and that nothing of them survives."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from turnabout.pipeline.processes import CompletedCommand, ProcessGroups


def stream(script: str, cwd: Path, **options: bool) -> tuple[list[str], CompletedCommand]:
    lines: list[str] = []
    finished = ProcessGroups().stream([sys.executable, "-c", script], cwd, dict(os.environ), lines.append, **options)
    return lines, finished


def test_lines_of_both_outputs_arrive_with_the_exit_status(tmp_path: Path) -> None:
    lines, finished = stream("import sys; print('one', flush=True); sys.exit('two')", tmp_path)
    assert lines == ["one", "two"]
    assert finished.status == 1


def test_the_tail_keeps_the_last_thirty_lines(tmp_path: Path) -> None:
    _, finished = stream("print(*range(40), sep='\\n')", tmp_path)
    assert finished.tail.splitlines() == [str(number) for number in range(10, 40)]


def test_tail_has_no_progress_bars(tmp_path: Path) -> None:
    script = (
        "from tqdm import tqdm\nprint('one')\nfor _ in tqdm(range(50), disable=None, mininterval=0): pass\nprint('two')"
    )
    lines, finished = stream(script, tmp_path, terminal=True)
    assert len(lines) > 50
    assert finished.tail == "one\ntwo"


def test_peak_memory_counts_a_child_of_the_command(tmp_path: Path) -> None:
    # 200 MiB in a grandchild; an idle interpreter takes about 10 MiB.
    child = "x = bytearray(200 * 2**20); import time; time.sleep(0.6)"
    _, finished = stream(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", tmp_path)
    assert 200 < finished.peak_memory_mb < 300


def test_bars_are_drawn_for_a_terminal_only(tmp_path: Path) -> None:
    script = "from tqdm import tqdm\nfor _ in tqdm(range(3), disable=None, unit='pair'): pass"
    assert stream(script, tmp_path)[0] == []
    assert any(line.startswith("100%|") for line in stream(script, tmp_path, terminal=True)[0])


def test_ending_all_ends_grandchildren_and_refuses_new_commands(tmp_path: Path) -> None:
    groups = ProcessGroups()
    script = "import subprocess; subprocess.run(['sleep', '60'])"
    process = groups.start([sys.executable, "-c", script], tmp_path, dict(os.environ))
    while not (children := psutil.Process(process.pid).children()):
        time.sleep(0.02)
    groups.end_all()
    assert not psutil.pid_exists(process.pid)
    _, alive = psutil.wait_procs(children, timeout=10)  # a signal that was sent takes a moment to end them
    assert [child for child in alive if child.status() != psutil.STATUS_ZOMBIE] == []
    with pytest.raises(InterruptedError, match="cancelled"):
        groups.start(["true"], tmp_path, dict(os.environ))
