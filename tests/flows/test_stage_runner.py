"""How many stages run at once: two side by side, and one that is marked `alone` with nothing beside it."""

import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flows.stage_runner import MAX_PARALLEL_STAGES, StageRunner
from turnabout.pipeline.repro import Stage


def test_a_stage_alone_has_nothing_beside_it_and_the_others_run_two_by_two(monkeypatch: Any) -> None:
    running: set[str] = set()
    together: list[set[str]] = []
    lock = threading.Lock()

    def stand_in(_: StageRunner, name: str, log: Any) -> None:
        with lock:
            running.add(name)
            together.append(set(running))
        time.sleep(0.02)
        with lock:
            running.discard(name)

    monkeypatch.setattr(StageRunner, "_run_and_record", stand_in)
    names = ["a", "b", "big", "c", "d", "e"]
    stages = {name: Stage(name, "", "", (), (), (), (), (), alone=name == "big") for name in names}
    runner = StageRunner(Path(), "parent", nullcontext(), stages)  # type: ignore[arg-type]
    threads = [threading.Thread(target=runner.run_stage, args=(name, None)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert {name for group in together for name in group} == set(names)
    assert all(group == {"big"} for group in together if "big" in group)
    assert max(map(len, together)) == MAX_PARALLEL_STAGES
