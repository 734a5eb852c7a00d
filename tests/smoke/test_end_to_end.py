"""The real graph on a few conversations with a tiny model, twice: stage by stage in one process, and by the flow."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.smoke.graph import create_project, read_metrics, run_stages_in_process
from tests.smoke.kept_words import find_files_with_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TOPICS = ["trains", "bread", "rain", "chess", "tea", "boats"]
REACTIONS = ["Thank you so much, that helps a lot!", "No, that's not what I asked.", "You didn't answer my question."]

#: A word that only two people write: u1, who falls into the test split, and u5, who falls into train.
PLACE = "Zanzibar"


def conversations() -> list[dict[str, Any]]:
    """Thirty-six short conversations of twelve people, each with a reaction to the first reply."""
    talks = []
    for n in range(36):
        topic = TOPICS[n % 6]
        said = [
            f"Tell me something about {topic} {f'in {PLACE}' if n % 12 in (1, 5) else 'here'}, number {n}.",
            f"There is a lot to say about {TOPICS[(n + 1) % 6]} and its history.",
            REACTIONS[n % 3],
            f"Right: {topic} are better known since {1900 + n}.",
            f"And what of {topic} today?",
            "They are doing well.",
        ]
        messages = [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        talks.append({"conversation_id": f"c{n:02}", "user_id": f"u{n % 12}", "model": "bot", "messages": messages})
    return talks


def run(place: Path, *command: str) -> str:
    """Run a command in a project with this environment's programs; its output, or a failure that shows it."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{place / 'src'}{os.pathsep}{place}",
        "DVC_SITE_CACHE_DIR": str(place / ".site-cache"),
        "PREFECT_HOME": str(place / ".prefect"),
    }
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout + done.stderr


def digests(place: Path) -> dict[str, str]:
    """SHA-256 of what must repeat in every file the graph wrote."""
    written = [p for part in ("data", "models", "metrics", "plots", "report") for p in (place / part).rglob("*")]
    files = [p for p in written if p.is_file() and p.name != ".gitignore"]
    return {str(p.relative_to(place)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


class Flowed(NamedTuple):
    """A project that the flow brought up to date once: where, what it printed, and the digests of what it wrote."""

    place: Path
    printed: str
    written: dict[str, str]


@pytest.fixture(scope="module")
def flowed(tmp_path_factory: pytest.TempPathFactory, stopping_checkpoint: Path) -> Flowed:
    place = create_project(tmp_path_factory.mktemp("flow") / "project", stopping_checkpoint, conversations())
    return Flowed(place, run(place, "turnabout", "run"), digests(place))


def test_the_flow_and_the_stages_alone_give_the_same_bytes(
    flowed: Flowed, tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = create_project(tmp_path / "alone", stopping_checkpoint, conversations())
    run_stages_in_process(place, monkeypatch)
    assert "feedback mined" in flowed.printed
    alone, by_flow = digests(place), flowed.written
    assert len(alone) > 30
    assert {name for name in alone.keys() | by_flow.keys() if alone.get(name) != by_flow.get(name)} == set()
    assert read_metrics(place, "build_pairs/drift")["n_kept"] > 0
    assert read_metrics(place, "user")["bits_per_character"]["trained"]["with_intent"]["value"] > 0


def test_of_a_forgotten_person_no_word_is_left_anywhere(flowed: Flowed) -> None:
    place = flowed.place
    assert "nothing to do" in run(place, "turnabout", "run")
    run(place, "turnabout", "label", "--csv")
    known = find_files_with_text(PLACE, place)
    assert {"labels/to_label.csv", "data/messages/part-00.parquet"} <= known
    assert len([name for name in known if name.startswith(".dvc/cache/")]) > 5
    assert "u5: 3 conversations" in run(place, "turnabout", "forget", "u1", "u5")
    assert "forgotten people: " in run(place, "turnabout", "run")
    assert find_files_with_text(PLACE, place) == set()
    assert read_metrics(place, "ingest")["n_conversations"] == 30
    assert "nothing to do" in run(place, "turnabout", "run")
