"""The whole graph on logs that give it nothing to work with: a reported empty result or one plain sentence."""

from pathlib import Path
from typing import Any

import pytest

from tests.smoke.graph import create_project, read_metrics, run_stages_in_process

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def talks(n_users: int, n: int = 16) -> list[dict[str, Any]]:
    """Conversations in which nobody says a word about what the assistant wrote."""
    said = ["What grows in a garden, say in bed {}?", "Beans do.", "When are they ripe?", "In August."]
    return [
        {
            "conversation_id": f"c{i:02}",
            "user_id": f"u{i % n_users}",
            "messages": [
                {"role": ("user", "assistant")[k % 2], "content": text.format(i)} for k, text in enumerate(said)
            ],
        }
        for i in range(n)
    ]


def test_a_log_without_feedback_gives_a_whole_run_that_says_so(
    tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = create_project(tmp_path / "p", stopping_checkpoint, talks(n_users=8))
    run_stages_in_process(place, monkeypatch)
    assert read_metrics(place, "mine")["n_signals"] == 0
    assert "no feedback" in read_metrics(place, "mine")["warnings"][0]
    assert read_metrics(place, "build_pairs/drift")["n_pairs"] == 0
    assert "no usable preference pair" in read_metrics(place, "train_assistant/drift")["reason"]
    assert "not measured" in (place / "report/index.html").read_text()


def test_one_user_alone_is_an_error_that_says_what_to_do(
    tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = create_project(tmp_path / "p", stopping_checkpoint, talks(n_users=1))
    with pytest.raises(SystemExit, match=r"DataError: train_user: none of 0 training conversations .*; raise"):
        run_stages_in_process(place, monkeypatch)
    assert "train split is empty (16 conversations of 1 person in all)" in read_metrics(place, "split")["warnings"][0]


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ([], "no conversation could be read"),
        ([{"messages": [{"role": "user", "content": "hello?"}]}], "fewer than 4 messages"),
        ([{"messages": "hello"}], "messages"),
    ],
)
def test_a_log_with_nothing_to_learn_from_stops_with_the_reason(
    tmp_path: Path, stopping_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, log: list[dict[str, Any]], told: str
) -> None:
    place = create_project(tmp_path / "p", stopping_checkpoint, log)
    with pytest.raises(SystemExit, match=told):
        run_stages_in_process(place, monkeypatch)
