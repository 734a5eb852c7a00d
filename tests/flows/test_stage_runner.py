"""Number of stages that run at once: two, or one that is marked `alone`."""

import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flows.stage_runner import MAX_PARALLEL_STAGES, StageRunner
from turnabout.pipeline.repro import Stage


def test_stage_runner_runs_two_stages_at_once_except_one_marked_alone(monkeypatch: Any) -> None:
    running: set[str] = set()
    groups: list[set[str]] = []
    lock = threading.Lock()

    def record_stage(_: StageRunner, name: str, log: Any) -> None:
        with lock:
            running.add(name)
            groups.append(set(running))
        time.sleep(0.02)
        with lock:
            running.discard(name)

    monkeypatch.setattr(StageRunner, "_run_and_record", record_stage)
    names = ["a", "b", "big", "c", "d", "e"]
    stages = {name: Stage(name, "", "", (), (), (), (), (), alone=name == "big") for name in names}
    runner = StageRunner(Path(), "parent", nullcontext(), stages)  # type: ignore[arg-type]
    threads = [threading.Thread(target=runner.run_stage, args=(name, None)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert set().union(*groups) == set(names)
    assert all(group == {"big"} for group in groups if "big" in group)
    assert max(map(len, groups)) == MAX_PARALLEL_STAGES
